#include <algorithm>
#include <map>
#include <utility>

#include "kv/store/file_disk_rows.h"
#include "kv/store/rocks_checksum.h"
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
    if (Status fits = CheckStagedAppend(file, offset, Size(file)); !fits) return fits;
    prepared_ = false;
    if (Status opened = Use(file); !opened) return opened;
    if (Status written = open_->WriteAt(offset, bytes); !written) return written;
    open_->WriteOut(offset, bytes.size());
    received_[file].Add(offset, bytes);
    return {};
  }

  Status Link(const std::string& file, const std::string& path) override {
    if (committed_) return AlreadyCommitted();
    if (Status fits = CheckStagedAppend(file, 0, 0); !fits) return fits;
    prepared_ = false;
    const std::string place = directory_ + "/" + file;
    if (Status linked = rows_.files().Link(path, place); !linked) return linked;
    const auto opened = rows_.files().Open(place, File::Mode::kRead);
    if (!opened) return opened.error();
    const Result<std::uint64_t> size = (*opened)->Size();
    if (!size) return size.error();
    received_[file] = Received{*size, false, {}};
    return {};
  }

  Status KeepOnly(const std::set<std::string>& files) override {
    if (committed_) return AlreadyCommitted();
    prepared_ = false;
    open_.reset();
    open_name_.clear();
    for (auto it = received_.begin(); it != received_.end();) {
      if (files.contains(it->first)) {
        ++it;
        continue;
      }
      const Status removed = rows_.files().RemoveFile(directory_ + "/" + it->first);
      if (!removed) return removed;
      it = received_.erase(it);
    }
    return {};
  }

  std::uint64_t Size(const std::string& file) const override {
    const auto known = received_.find(file);
    return known == received_.end() ? 0 : known->second.size;
  }

  Status Prepare() override {
    if (committed_) return AlreadyCommitted();
    open_.reset();
    open_name_.clear();
    FileChecksums sums;
    for (const auto& [name, received] : received_) {
      const auto file = rows_.files().Open(directory_ + "/" + name, File::Mode::kReadWrite);
      if (!file) return file.error();
      if (Status synced = (*file)->Sync(); !synced) return synced;
      if (received.in_order) sums.emplace(name, received.sum.Get());
    }
    if (Status synced = rows_.files().SyncDirectory(directory_); !synced) return synced;
    if (Status good = rows_.CheckStaged(directory_, sums); !good) return good;
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
  struct Received {
    std::uint64_t size = 0;
    bool in_order = true;  // each byte once: their checksum is known
    FileChecksum sum;

    void Add(std::uint64_t offset, std::string_view bytes) {
      in_order = in_order && offset == size;
      if (in_order) sum.Add(bytes);
      size = std::max<std::uint64_t>(size, offset + bytes.size());
    }
  };

  static Error AlreadyCommitted() {
    return Error(Errc::kInvalidArgument, "this staging was committed");
  }

  // Keeps one file open: chunks of one file come one after another.
  Status Use(const std::string& name) {
    if (name == open_name_) return {};
    open_name_.clear();
    auto file =
        rows_.files().Open(directory_ + "/" + name,
                           received_.contains(name) ? File::Mode::kReadWrite : File::Mode::kCreate);
    if (!file) return file.error();
    open_ = *std::move(file);
    open_name_ = name;
    return {};
  }

  FileDiskRows& rows_;
  const ReplicaKey key_;
  const std::string directory_;
  std::map<std::string, Received> received_;
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
