#include <map>
#include <utility>

#include "kv/store/file_disk_rows.h"
#include "kv/store/staged_file.h"

namespace decree::store {
namespace {

class FileStaging : public Staging {
 public:
  FileStaging(FileDiskRows& rows, ReplicaKey key, std::string directory)
      : rows_(rows), key_(key), directory_(std::move(directory)) {}

  ~FileStaging() override {
    // Committed: the directory has moved away; else: dropped.
    [[maybe_unused]] const Status best_effort = rows_.files().RemoveTree(directory_);
  }

  Status Append(const std::string& file, std::uint64_t offset, std::string_view bytes) override {
    if (committed_) return AlreadyCommitted();
    const auto known = sizes_.find(file);
    const std::uint64_t size = known == sizes_.end() ? 0 : known->second;
    if (Status fits = CheckStagedAppend(file, offset, size); !fits) return fits;
    prepared_ = false;
    if (Status opened = Use(file, known == sizes_.end()); !opened) return opened;
    if (Status written = open_->WriteAt(offset, bytes); !written) return written;
    sizes_[file] = std::max<std::uint64_t>(size, offset + bytes.size());
    return {};
  }

  Status Prepare() override {
    if (committed_) return AlreadyCommitted();
    open_.reset();
    open_name_.clear();
    for (const auto& [name, size] : sizes_) {
      const auto file = rows_.files().Open(directory_ + "/" + name, File::Mode::kReadWrite);
      if (!file) return file.error();
      if (Status synced = (*file)->Sync(); !synced) return synced;
    }
    if (Status synced = rows_.files().SyncDirectory(directory_); !synced) return synced;
    if (Status good = rows_.CheckStaged(directory_); !good) return good;
    prepared_ = true;
    return {};
  }

  Result<std::unique_ptr<Engine>> Commit() override {
    if (committed_) return AlreadyCommitted();
    if (!prepared_) {
      if (Status prepared = Prepare(); !prepared) return prepared.error();
    }
    Result<std::unique_ptr<Engine>> engine = rows_.Replace(key_, directory_);
    committed_ = engine.has_value();
    return engine;
  }

 private:
  static Error AlreadyCommitted() {
    return Error(Errc::kInvalidArgument, "this staging was committed");
  }

  // Keeps one file open: chunks of one file come one after another.
  Status Use(const std::string& name, bool fresh) {
    if (name == open_name_) return {};
    open_name_.clear();
    auto file = rows_.files().Open(directory_ + "/" + name,
                                   fresh ? File::Mode::kCreate : File::Mode::kReadWrite);
    if (!file) return file.error();
    open_ = *std::move(file);
    open_name_ = name;
    return {};
  }

  FileDiskRows& rows_;
  const ReplicaKey key_;
  const std::string directory_;
  std::map<std::string, std::uint64_t> sizes_;
  std::unique_ptr<File> open_;
  std::string open_name_;
  bool prepared_ = false;
  bool committed_ = false;
};

}  // namespace

std::unique_ptr<Staging> MakeFileStaging(FileDiskRows& rows, ReplicaKey key,
                                         std::string directory) {
  return std::make_unique<FileStaging>(rows, key, std::move(directory));
}

}  // namespace decree::store
