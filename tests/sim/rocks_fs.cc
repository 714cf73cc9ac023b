#include "tests/sim/rocks_fs.h"

#include <errno.h>

#include <cstring>
#include <utility>

namespace decree::sim {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus Told(const std::string& path, int error) {
  switch (error) {
    case 0:
      return IOStatus::OK();
    case ENOENT:
      return IOStatus::PathNotFound(path, std::strerror(error));
    case ENOSPC:
      return IOStatus::NoSpace(path, std::strerror(error));
    default:
      return IOStatus::IOError(path, std::strerror(error));
  }
}

// An open file, for whichever of RocksDB's classes.
struct OpenFile {
  std::shared_ptr<SimFs> fs;
  FsNodePtr node;
  std::string path;

  IOStatus Read(std::uint64_t offset, std::size_t n, rocksdb::Slice* result, char* scratch) const {
    std::string bytes;
    const int error = fs->Read(*node, offset, n, &bytes);
    std::memcpy(scratch, bytes.data(), bytes.size());
    *result = rocksdb::Slice(scratch, bytes.size());
    return Told(path, error);
  }
};

class Sequential : public rocksdb::FSSequentialFile {
 public:
  explicit Sequential(OpenFile file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t n, const IOOptions& /*options*/, rocksdb::Slice* result, char* scratch,
                IODebugContext* /*debug*/) override {
    IOStatus status = file_.Read(at_, n, result, scratch);
    at_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  const OpenFile file_;
  std::uint64_t at_ = 0;
};

class RandomAccess : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccess(OpenFile file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions& /*options*/,
                rocksdb::Slice* result, char* scratch, IODebugContext* /*debug*/) const override {
    return file_.Read(offset, n, result, scratch);
  }

 private:
  const OpenFile file_;
};

class Writable : public rocksdb::FSWritableFile {
 public:
  Writable(OpenFile file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& /*options*/,
                  IODebugContext* /*debug*/) override {
    const int error = file_.fs->Write(*file_.node, size_, {data.data(), data.size()});
    if (error == 0) size_ += data.size();
    return Told(file_.path, error);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    size_ = size;
    return Told(file_.path, file_.fs->Resize(*file_.node, size));
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return Told(file_.path, file_.fs->Sync(*file_.node));
  }
  std::uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return size_;
  }

 private:
  const OpenFile file_;
  std::uint64_t size_;
};

class Directory : public rocksdb::FSDirectory {
 public:
  Directory(std::shared_ptr<SimFs> fs, std::string path)
      : fs_(std::move(fs)), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return Told(path_, fs_->SyncDirectory(path_));
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }

 private:
  const std::shared_ptr<SimFs> fs_;
  const std::string path_;
};

class HeldLock : public rocksdb::FileLock {
 public:
  explicit HeldLock(std::string held) : path(std::move(held)) {}
  const std::string path;
};

class RocksFs : public rocksdb::FileSystem {
 public:
  explicit RocksFs(std::shared_ptr<SimFs> fs) : fs_(std::move(fs)) {}
  const char* Name() const override { return "SimFs"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& /*options*/,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             IODebugContext* /*debug*/) override {
    OpenFile open{fs_, nullptr, path};
    if (const int error = fs_->Open(path, SimFs::Missing::kFail, &open.node)) {
      return Told(path, error);
    }
    *file = std::make_unique<Sequential>(std::move(open));
    return IOStatus::OK();
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& /*options*/,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                               IODebugContext* /*debug*/) override {
    OpenFile open{fs_, nullptr, path};
    if (const int error = fs_->Open(path, SimFs::Missing::kFail, &open.node)) {
      return Told(path, error);
    }
    *file = std::make_unique<RandomAccess>(std::move(open));
    return IOStatus::OK();
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& /*options*/,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* /*debug*/) override {
    return OpenWritable(path, true, file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& /*options*/,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext* /*debug*/) override {
    return OpenWritable(path, false, file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& /*options*/,
                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                        IODebugContext* /*debug*/) override {
    bool is_directory = false;
    int error = fs_->IsDirectory(path, &is_directory);
    if (error == 0 && !is_directory) error = ENOTDIR;
    if (error != 0) return Told(path, error);
    *directory = std::make_unique<Directory>(fs_, path);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    bool exists = false;
    if (const int error = fs_->Exists(path, &exists)) return Told(path, error);
    return exists ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions& /*options*/,
                       std::vector<std::string>* names, IODebugContext* /*debug*/) override {
    const int error = fs_->List(path, names);
    return error == ENOENT ? IOStatus::NotFound(path) : Told(path, error);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    return Told(path, fs_->RemoveFile(path));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*debug*/) override {
    return Told(path, fs_->MakeDirectory(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& /*options*/,
                              IODebugContext* /*debug*/) override {
    const int error = fs_->MakeDirectory(path);
    return Told(path, error == EEXIST ? 0 : error);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions& /*options*/,
                     IODebugContext* /*debug*/) override {
    return Told(path, fs_->RemoveDirectory(path));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions& /*options*/, std::uint64_t* size,
                       IODebugContext* /*debug*/) override {
    FsNodePtr file;
    int error = fs_->Open(path, SimFs::Missing::kFail, &file);
    if (error == 0) error = fs_->Size(*file, size);
    return Told(path, error);
  }
  IOStatus GetFileModificationTime(const std::string& /*path*/, const IOOptions& /*options*/,
                                   std::uint64_t* time, IODebugContext* /*debug*/) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    return Told(to, fs_->Rename(from, to));
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    return Told(to, fs_->Link(from, to));
  }
  IOStatus NumFileLinks(const std::string& path, const IOOptions& /*options*/, std::uint64_t* count,
                        IODebugContext* /*debug*/) override {
    return Told(path, fs_->Links(path, count));
  }
  IOStatus LockFile(const std::string& path, const IOOptions& /*options*/, rocksdb::FileLock** lock,
                    IODebugContext* /*debug*/) override {
    FsNodePtr file;
    int error = fs_->Open(path, SimFs::Missing::kCreate, &file);
    if (error == 0) error = fs_->Lock(path);
    if (error != 0) return Told(path, error);
    *lock = new HeldLock(path);  // UnlockFile gets it back
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                      IODebugContext* /*debug*/) override {
    const std::unique_ptr<HeldLock> held(static_cast<HeldLock*>(lock));
    fs_->Unlock(held->path);
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* directory,
                       IODebugContext* /*debug*/) override {
    return Told(path, fs_->IsDirectory(path, directory));
  }
  IOStatus GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                            IODebugContext* /*debug*/) override {
    *path = "/";
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                           std::string* absolute, IODebugContext* /*debug*/) override {
    *absolute = path;
    return IOStatus::OK();
  }

 private:
  IOStatus OpenWritable(const std::string& path, bool emptied,
                        std::unique_ptr<rocksdb::FSWritableFile>* file) {
    OpenFile open{fs_, nullptr, path};
    std::uint64_t size = 0;
    int error = fs_->Open(path, SimFs::Missing::kCreate, &open.node);
    if (error == 0 && emptied) error = fs_->Resize(*open.node, 0);
    if (error == 0) error = fs_->Size(*open.node, &size);
    if (error != 0) return Told(path, error);
    *file = std::make_unique<Writable>(std::move(open), size);
    return IOStatus::OK();
  }

  const std::shared_ptr<SimFs> fs_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> MakeRocksFs(std::shared_ptr<SimFs> fs) {
  return std::make_shared<RocksFs>(std::move(fs));
}

}  // namespace decree::sim
