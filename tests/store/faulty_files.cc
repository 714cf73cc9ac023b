#include "tests/store/faulty_files.h"

#include <utility>

#include "kv/store/posix_file.h"

namespace decree::store {
namespace {

class FaultyFile : public File {
 public:
  FaultyFile(std::unique_ptr<File> file, FaultHook hook)
      : file_(std::move(file)), hook_(std::move(hook)) {}

  Status WriteAt(std::uint64_t offset, std::string_view bytes) override {
    if (const int fault = hook_(FileOp::kWrite, path())) return SystemError("write", path(), fault);
    return file_->WriteAt(offset, bytes);
  }
  Status ZeroFill(std::uint64_t from, std::uint64_t to) override {
    for (const FileOp op : {FileOp::kAllocate, FileOp::kWrite}) {
      if (const int fault = hook_(op, path())) return SystemError("allocate", path(), fault);
    }
    return file_->ZeroFill(from, to);
  }
  Status Sync() override {
    const int fault = hook_(FileOp::kSync, path());
    if (fault == kPretend) return {};
    if (fault != 0) return SystemError("fdatasync", path(), fault);
    return file_->Sync();
  }
  Result<std::string> ReadAt(std::uint64_t offset, std::size_t size) const override {
    return file_->ReadAt(offset, size);
  }
  Result<std::uint64_t> Size() const override { return file_->Size(); }
  const std::string& path() const override { return file_->path(); }

 private:
  const std::unique_ptr<File> file_;
  const FaultHook hook_;
};

class HookedFiles : public Files {
 public:
  explicit HookedFiles(FaultHook hook) : hook_(std::move(hook)) {}

  Result<std::unique_ptr<File>> Open(const std::string& path, File::Mode mode) override {
    if (mode != File::Mode::kRead) {
      if (const int fault = hook_(FileOp::kOpen, path)) return SystemError("open", path, fault);
    }
    auto file = files_->Open(path, mode);
    if (!file) return file.error();
    return std::unique_ptr<File>(std::make_unique<FaultyFile>(*std::move(file), hook_));
  }
  Status Link(const std::string& from, const std::string& to) override {
    return files_->Link(from, to);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    if (const int fault = hook_(FileOp::kRename, to)) return SystemError("rename to", to, fault);
    return files_->Rename(from, to);
  }
  Status SyncDirectory(const std::string& path) override {
    const int fault = hook_(FileOp::kSyncDirectory, path);
    if (fault == kPretend) return {};
    if (fault != 0) return SystemError("fsync", path, fault);
    return files_->SyncDirectory(path);
  }
  Status SyncNameOf(const std::string& directory) override {
    const int fault = hook_(FileOp::kSyncDirectory, DirectoryOf(directory));
    if (fault == kPretend) return {};
    if (fault != 0) return SystemError("fsync", DirectoryOf(directory), fault);
    return files_->SyncNameOf(directory);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return files_->Lock(path);
  }
  Status MakeDirectory(const std::string& path) override { return files_->MakeDirectory(path); }
  Status RemoveFile(const std::string& path) override { return files_->RemoveFile(path); }
  Status RemoveTree(const std::string& path) override { return files_->RemoveTree(path); }
  Result<bool> Exists(const std::string& path) override { return files_->Exists(path); }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    return files_->List(directory);
  }
  DiskSpace Space(const std::string& path) override { return files_->Space(path); }
  std::uint64_t RandomSeed() override { return files_->RandomSeed(); }

 private:
  const FaultHook hook_;
  const std::shared_ptr<Files> files_ = SystemFiles();
};

}  // namespace

std::shared_ptr<Files> FaultyFiles(FaultHook hook) {
  return std::make_shared<HookedFiles>(std::move(hook));
}

}  // namespace decree::store
