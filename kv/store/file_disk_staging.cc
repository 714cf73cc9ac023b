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
    const auto known = received_.find(file);
    if (known != received_.end() && known->second.linked) {
      return Error(Errc::kInvalidArgument, file + ": it is somebody else's file, too");
    }
    prepared_ = false;
    if (Status opened = Use(file); !opened) return opened;
    if (Status written = open_->WriteAt(offset, bytes); !written) return written;
    open_->WriteOut(offset, bytes.size());
    received_[file].Add(offset, bytes);
    return {};
  }

  // The name goes again if anything fails: nobody may ever write through it.
  Status Link(const std::string& file, const std::string& path) override {
    if (committed_) return AlreadyCommitted();
    if (Status fits = CheckStagedAppend(file, 0, 0); !fits) return fits;
    prepared_ = false;
    if (Status linked = rows_.files().Link(path, Place(file)); !linked) return linked;
    received_[file].linked = true;
    const Result<std::uint64_t> size = SizeOf(Place(file));
    if (size) {
      received_[file].size = *size;
      return {};
    }
    if (Status removed = rows_.files().RemoveFile(Place(file)); !removed) return removed;
    received_.erase(file);
    return size.error();
  }

  Status KeepOnly(const std::set<std::string>& files) override {
    if (committed_) return AlreadyCommitted();
    prepared_ = false;
    if (Status left = Leave(); !left) return left;
    for (auto it = received_.begin(); it != received_.end();) {
      if (files.contains(it->first)) {
        ++it;
        continue;
      }
      if (Status removed = rows_.files().RemoveFile(Place(it->first)); !removed) return removed;
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
    if (Status left = Leave(); !left) return left;
    FileChecksums sums;
    for (const auto& [name, received] : received_) {
      if (received.linked) {
        if (Status synced = SyncAnew(Place(name)); !synced) return synced;
      } else if (received.in_order) {
        sums.emplace(name, received.sum.Get());
      }
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
    bool linked = false;   // another name for a file that others have, too
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

  std::string Place(const std::string& file) const { return directory_ + "/" + file; }

  Result<std::uint64_t> SizeOf(const std::string& path) {
    const auto file = rows_.files().Open(path, File::Mode::kRead);
    if (!file) return file.error();
    return (*file)->Size();
  }

  Status SyncAnew(const std::string& path) {
    const auto file = rows_.files().Open(path, File::Mode::kReadWrite);
    if (!file) return file.error();
    return (*file)->Sync();
  }

  // Keeps one file open: chunks of one file come one after another.
  Status Use(const std::string& name) {
    if (name == open_name_) return {};
    if (Status left = Leave(); !left) return left;
    const bool fresh = !received_.contains(name);
    if (fresh) {  // whatever has that name is none of ours
      const Result<bool> there = rows_.files().Exists(Place(name));
      if (!there) return there.error();
      if (*there) {
        if (Status removed = rows_.files().RemoveFile(Place(name)); !removed) return removed;
      }
    }
    auto file =
        rows_.files().Open(Place(name), fresh ? File::Mode::kCreate : File::Mode::kReadWrite);
    if (!file) return file.error();
    open_ = *std::move(file);
    open_name_ = name;
    return {};
  }

  // Synced by whoever wrote it: a descriptor that is opened later may not be told what went wrong.
  Status Leave() {
    if (!open_) return {};
    const Status synced = open_->Sync();
    open_.reset();
    open_name_.clear();
    return synced;
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
