#include "tests/sim/sim_files.h"

#include <errno.h>

#include <utility>

namespace decree::sim {
namespace {

using store::SystemError;

Status Told(const char* what, const std::string& path, int error) {
  if (error == 0) return {};
  return SystemError(what, path, error);
}

class SimFile : public store::File {
 public:
  SimFile(std::shared_ptr<SimFs> fs, FsNodePtr node, std::string path)
      : fs_(std::move(fs)), node_(std::move(node)), path_(std::move(path)) {}

  Status WriteAt(std::uint64_t offset, std::string_view bytes) override {
    return Told("write", path_, fs_->Write(*node_, offset, bytes));
  }
  Result<std::string> ReadAt(std::uint64_t offset, std::size_t size) const override {
    std::string bytes;
    if (const int error = fs_->Read(*node_, offset, size, &bytes)) {
      return SystemError("read", path_, error);
    }
    return fs_->ReadDamage(path_, std::move(bytes));
  }
  Result<std::uint64_t> Size() const override {
    std::uint64_t size = 0;
    if (const int error = fs_->Size(*node_, &size)) return SystemError("stat", path_, error);
    return size;
  }
  Status ZeroFill(std::uint64_t from, std::uint64_t to) override {
    return Told("allocate", path_, fs_->Write(*node_, from, std::string(to - from, '\0')));
  }
  Status Sync() override { return Told("fdatasync", path_, fs_->Sync(*node_)); }
  const std::string& path() const override { return path_; }

 private:
  const std::shared_ptr<SimFs> fs_;
  const FsNodePtr node_;
  const std::string path_;
};

class SimLock : public store::FileLock {
 public:
  SimLock(std::shared_ptr<SimFs> fs, std::string path)
      : fs_(std::move(fs)), path_(std::move(path)) {}
  ~SimLock() override { fs_->Unlock(path_); }

 private:
  const std::shared_ptr<SimFs> fs_;
  const std::string path_;
};

class SimFiles : public store::Files {
 public:
  explicit SimFiles(std::shared_ptr<SimFs> fs) : fs_(std::move(fs)) {}

  Result<std::unique_ptr<store::File>> Open(const std::string& path,
                                            store::File::Mode mode) override {
    const bool create = mode == store::File::Mode::kCreate;
    FsNodePtr node;
    int error = fs_->Open(path, create ? SimFs::Missing::kCreate : SimFs::Missing::kFail, &node);
    if (error == 0 && create) error = fs_->Resize(*node, 0);
    if (error != 0) return SystemError("open", path, error);
    return std::unique_ptr<store::File>(std::make_unique<SimFile>(fs_, std::move(node), path));
  }
  Result<std::unique_ptr<store::FileLock>> Lock(const std::string& path) override {
    if (const auto created = Open(path, store::File::Mode::kCreate); !created) {
      return created.error();
    }
    if (const int error = fs_->Lock(path)) {
      if (error != EWOULDBLOCK) return SystemError("flock", path, error);
      return Error(Errc::kLocked, store::DirectoryOf(path) + ": in use by another process");
    }
    return std::unique_ptr<store::FileLock>(std::make_unique<SimLock>(fs_, path));
  }

  Status Link(const std::string& from, const std::string& to) override {
    const int error = fs_->Link(from, to);
    if (error == ENOENT) return Error(Errc::kImpossible, "link to " + to + ": no such file");
    return Told("link to", to, error);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return Told("rename to", to, fs_->Rename(from, to));
  }
  Status MakeDirectory(const std::string& path) override {
    const int error = fs_->MakeDirectory(path);
    bool directory = false;
    if (error == EEXIST && fs_->IsDirectory(path, &directory) == 0 && directory) return {};
    return Told("mkdir", path, error);
  }
  Status RemoveFile(const std::string& path) override {
    return Told("remove", path, fs_->RemoveFile(path));
  }
  Status RemoveTree(const std::string& path) override {
    return Told("remove", path, fs_->RemoveTree(path));
  }
  Status SyncDirectory(const std::string& path) override {
    return Told("fsync", path, fs_->SyncDirectory(path));
  }
  Status SyncNameOf(const std::string& directory) override {
    for (std::string above = store::DirectoryOf(directory); !above.empty();
         above = store::DirectoryOf(above)) {
      if (Status synced = SyncDirectory(above); !synced) return synced;
      if (above == "/") break;
    }
    return {};
  }

  Result<bool> Exists(const std::string& path) override {
    bool exists = false;
    if (const int error = fs_->Exists(path, &exists)) return SystemError("stat", path, error);
    return exists;
  }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    std::vector<std::string> names;
    if (const int error = fs_->List(directory, &names)) {
      return SystemError("list", directory, error);
    }
    return names;
  }
  store::DiskSpace Space(const std::string& /*path*/) override {
    return {fs_->capacity(), fs_->used()};
  }
  std::uint64_t RandomSeed() override { return fs_->RandomWord(); }

 private:
  const std::shared_ptr<SimFs> fs_;
};

}  // namespace

std::shared_ptr<store::Files> MakeSimFiles(std::shared_ptr<SimFs> fs) {
  return std::make_shared<SimFiles>(std::move(fs));
}

}  // namespace decree::sim
