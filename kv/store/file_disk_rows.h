// The directories of the replicas' rows: how they are opened, replaced and removed so that a crash
// at any step leaves the old rows or the new ones (FORMATS.md, "Replacing rows").
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kv/base/ids.h"
#include "kv/store/disk.h"
#include "kv/store/file_limit.h"
#include "kv/store/files.h"
#include "kv/store/rocks_checksum.h"
#include "kv/store/rocks_engine.h"

namespace decree::store {

class FileDiskRows {
 public:
  FileDiskRows(std::string directory, OpenFileShare open_files, std::shared_ptr<RocksShared> shared,
               std::shared_ptr<BackgroundPool> pool, std::shared_ptr<Files> files);

  // At start-up: empties staging and finishes replacements that were decided before a crash.
  // `create` makes the directories; without it missing ones are kCorruption.
  Status Prepare(bool create);

  Result<std::unique_ptr<Engine>> Open(ReplicaKey key);
  Status Remove(ReplicaKey key);
  Result<std::vector<ReplicaKey>> List();
  std::string RowPath(ReplicaKey key) const;
  // A fresh directory under staging/.
  Result<std::string> MakeStaging();
  // Opens the files of a staging directory as a database and closes them again. Those whose
  // checksums are given are not read.
  Status CheckStaged(const std::string& staged, const FileChecksums& sums);
  Files& files() const { return *files_; }
  // Puts the synced and checked files of a staging directory in the place of the replica's rows,
  // and opens them.
  Result<std::unique_ptr<Engine>> Replace(ReplicaKey key, const std::string& staged);

 private:
  std::string FreshName();
  Status AwaitClosed(ReplicaKey key);
  Status CheckUnused(ReplicaKey key) const;
  Result<bool> NeverCreated(const std::string& path) const;
  Result<std::unique_ptr<Engine>> OpenLocked(ReplicaKey key);
  Status MakeRoom(const std::string& path);
  Status MoveAside(const std::string& path);
  Status FinishReplace(const std::string& path);
  Status SyncRows() { return files_->SyncDirectory(rows_); }

  const std::string rows_;
  const std::string staging_;
  const std::shared_ptr<RocksShared> shared_;
  const std::shared_ptr<BackgroundPool> pool_;
  const std::shared_ptr<Files> files_;
  std::mutex mutex_;  // one opening, replacing or removing at a time
  std::map<ReplicaKey, std::shared_ptr<RowsUse>> uses_;
  const OpenFileShare open_files_;
  std::vector<std::weak_ptr<RocksDatabase>> databases_;  // some may be closed
  std::size_t expected_ = 1;  // databases, from the number of directories at the start on
  int tables_ = 0;            // that each may have open
  std::atomic<std::uint64_t> fresh_{0};
};

// Gathers received files in a directory under staging/.
std::unique_ptr<Staging> MakeFileStaging(FileDiskRows& rows, ReplicaKey key, std::string directory);

}  // namespace decree::store
