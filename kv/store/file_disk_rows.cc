#include "kv/store/file_disk_rows.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "kv/base/bug.h"
#include "kv/store/rocks_snapshot.h"

namespace decree::store {
namespace {

constexpr std::string_view kNew = ".new";

std::string NameOf(ReplicaKey key) { return ToString(key.shard) + "-" + ToString(key.replica); }

std::optional<ReplicaKey> KeyOf(const std::string& name) {
  ReplicaKey key;
  const char* end = name.data() + name.size();
  const auto shard = std::from_chars(name.data(), end, key.shard.value);
  if (shard.ec != std::errc() || shard.ptr == end || *shard.ptr != '-') return std::nullopt;
  const auto replica = std::from_chars(shard.ptr + 1, end, key.replica.value);
  if (replica.ec != std::errc() || replica.ptr != end || NameOf(key) != name) return std::nullopt;
  return key;
}

}  // namespace

FileDiskRows::FileDiskRows(std::string directory, OpenFileShare open_files,
                           std::shared_ptr<RocksShared> shared,
                           std::shared_ptr<BackgroundPool> pool, std::shared_ptr<Files> files)
    : rows_(directory + "/rows"),
      staging_(directory + "/staging"),
      shared_(std::move(shared)),
      pool_(std::move(pool)),
      files_(std::move(files)),
      open_files_(open_files),
      tables_(open_files_.TablesFor(expected_)) {}

std::string FileDiskRows::RowPath(ReplicaKey key) const { return rows_ + "/" + NameOf(key); }

std::string FileDiskRows::FreshName() { return staging_ + "/place-" + std::to_string(++fresh_); }

// A database that was being created when the power went has neither a CURRENT file nor a table. One
// that lost its CURRENT file still has its tables, and is damaged.
Result<bool> FileDiskRows::NeverCreated(const std::string& path) const {
  const Result<bool> exists = files_->Exists(path);
  if (!exists) return exists.error();
  if (!*exists) return true;
  const Result<std::vector<std::string>> names = files_->List(path);
  if (!names) return names.error();
  return std::none_of(names->begin(), names->end(), [](const std::string& name) {
    return name == "CURRENT" || name.ends_with(".sst");
  });
}

Status FileDiskRows::Prepare(bool create) {
  if (!create && !MayExist(*files_, rows_)) {
    return Error(Errc::kCorruption, rows_ + ": missing from the data directory");
  }
  if (!DECREE_BUG_STAGING_KEPT) {
    if (Status removed = files_->RemoveTree(staging_); !removed) return removed;
  }
  if (Status made = files_->MakeDirectory(rows_); !made) return made;
  if (Status made = files_->MakeDirectory(staging_); !made) return made;
  // A directory may have got its name just before a process was killed.
  if (Status synced = SyncRows(); !synced) return synced;
  const Result<std::vector<std::string>> names = files_->List(rows_);
  if (!names) return names.error();
  expected_ = std::max<std::size_t>(1, names->size());
  tables_ = open_files_.TablesFor(expected_);
  for (const std::string& name : *names) {
    const std::string path = rows_ + "/" + name;
    if (!name.ends_with(kNew)) continue;
    if (Status done = FinishReplace(path.substr(0, path.size() - kNew.size())); !done) return done;
  }
  return {};
}

// Waits without the mutex: the jobs waited for may stand behind one that needs it.
Status FileDiskRows::AwaitClosed(ReplicaKey key) {
  std::shared_ptr<RowsUse> use;
  {
    const std::lock_guard lock(mutex_);
    const auto it = uses_.find(key);
    if (it == uses_.end()) return {};
    use = it->second;
  }
  pool_->Help(*use);
  if (Status closed = use->AwaitClosed(); !closed) {
    return Error(Errc::kConflict, RowPath(key) + ": " + closed.error().detail());
  }
  const std::lock_guard lock(mutex_);
  const auto it = uses_.find(key);
  if (it != uses_.end() && it->second == use) uses_.erase(it);
  return {};
}

// The caller holds the mutex.
Status FileDiskRows::CheckUnused(ReplicaKey key) const {
  if (!uses_.contains(key)) return {};
  return Error(Errc::kConflict, RowPath(key) + ": they are open");
}

Result<std::unique_ptr<Engine>> FileDiskRows::Open(ReplicaKey key) {
  if (Status closed = AwaitClosed(key); !closed) return closed.error();
  const std::lock_guard lock(mutex_);
  if (Status unused = CheckUnused(key); !unused) return unused.error();
  return OpenLocked(key);
}

// One more database: refused if there are no descriptors for it. More of them have fewer tables
// open each, those too that are open already.
Status FileDiskRows::MakeRoom(const std::string& path) {
  std::erase_if(databases_, [](const auto& database) { return database.expired(); });
  const std::size_t open = databases_.size();
  if (open >= open_files_.most_databases()) {
    return Error(Errc::kImpossible, path + ": " + std::to_string(open) +
                                        " replicas are open on this disk, and " +
                                        std::to_string(open_files_.descriptors()) +
                                        " open files allow no more; raise the limit (ulimit -n)");
  }
  expected_ = std::max(expected_, open + 1);
  const int tables = open_files_.TablesFor(expected_);
  if (tables == tables_) return {};
  tables_ = tables;
  // Not as a job of the rows: whoever waits for those may stand before it in the queue.
  pool_->Submit(nullptr, [databases = databases_, tables] {
    for (const auto& weak : databases) {
      const auto database = weak.lock();
      if (database && database->use()->engine_alive()) database->LimitTables(tables);
    }
  });
  return {};
}

Result<std::unique_ptr<Engine>> FileDiskRows::OpenLocked(ReplicaKey key) {
  const std::string path = RowPath(key);
  if (Status finished = FinishReplace(path); !finished) return finished.error();
  if (Status room = MakeRoom(path); !room) return room.error();
  const Result<bool> create = NeverCreated(path);
  if (!create) return create.error();
  if (*create) {  // RocksDB calls a missing directory an error in its log
    if (Status made = files_->MakeDirectory(path); !made) return made.error();
  }
  Result<std::shared_ptr<RocksDatabase>> database =
      OpenRocksDatabase(path, *create, tables_, shared_);
  if (!database) return database.error();
  databases_.push_back(*database);
  uses_[key] = (*database)->use();
  if (*create) {
    if (Status synced = SyncRows(); !synced) return synced.error();
  }
  return std::unique_ptr<Engine>(
      std::make_unique<RocksEngine>(*std::move(database), pool_, staging_));
}

// Out of the way at once, its bytes freed afterwards. What is left is removed at the next start.
Status FileDiskRows::MoveAside(const std::string& path) {
  const std::string aside = FreshName();
  if (Status renamed = files_->Rename(path, aside); !renamed) return renamed;
  if (Status synced = SyncRows(); !synced) return synced;
  pool_->Submit(nullptr, [files = files_, aside] {
    [[maybe_unused]] const Status best_effort = files->RemoveTree(aside);
  });
  return {};
}

Status FileDiskRows::Remove(ReplicaKey key) {
  if (Status closed = AwaitClosed(key); !closed) return closed;
  const std::lock_guard lock(mutex_);
  if (Status unused = CheckUnused(key); !unused) return unused;
  if (Status finished = FinishReplace(RowPath(key)); !finished) return finished;
  const Result<bool> exists = files_->Exists(RowPath(key));
  if (!exists) return exists.error();
  return *exists ? MoveAside(RowPath(key)) : Status();
}

Result<std::vector<ReplicaKey>> FileDiskRows::List() {
  const Result<std::vector<std::string>> names = files_->List(rows_);
  if (!names) return names.error();
  std::vector<ReplicaKey> keys;
  for (const std::string& name : *names) {
    if (const std::optional<ReplicaKey> key = KeyOf(name)) keys.push_back(*key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<std::string> FileDiskRows::MakeStaging() {
  std::string path = FreshName();
  if (Status made = files_->MakeDirectory(path); !made) return made.error();
  return path;
}

// Once rows/S-R.new exists, the new rows are complete and decided, and everybody who meets it goes
// on from there: old rows aside, new ones into their place. A power loss may take the last rename
// back; then the start makes it again.
Status FileDiskRows::FinishReplace(const std::string& path) {
  const std::string decided = path + std::string(kNew);
  const Result<bool> is_decided = files_->Exists(decided);
  if (!is_decided) return is_decided.error();
  if (!*is_decided) return {};
  const Result<bool> has_old = files_->Exists(path);
  if (!has_old) return has_old.error();
  if (*has_old && !DECREE_BUG_IMPORT_KEEPS_OLD_ROWS) {
    if (Status moved = MoveAside(path); !moved) return moved;
  }
  return files_->Rename(decided, path);
}

Status FileDiskRows::CheckStaged(const std::string& staged, const FileChecksums& sums) {
  return CheckRocksFiles(staged, *shared_, sums);
}

Result<std::unique_ptr<Engine>> FileDiskRows::Replace(ReplicaKey key, const std::string& staged) {
  if (Status closed = AwaitClosed(key); !closed) return closed.error();
  const std::lock_guard lock(mutex_);
  if (Status unused = CheckUnused(key); !unused) return unused.error();
  const std::string path = RowPath(key);
  if (Status finished = FinishReplace(path); !finished) return finished.error();
  if (Status renamed = files_->Rename(staged, path + std::string(kNew)); !renamed) {
    return renamed.error();
  }
  if (Status synced = SyncRows(); !synced) return synced.error();
  return OpenLocked(key);
}

}  // namespace decree::store
