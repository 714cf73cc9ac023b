// One data directory: its identity, its log, its small durable facts, and the replicas that live on
// it. The seam between the node and storage; the simulator brings its own (mem_disk.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kv/base/executor.h"
#include "kv/store/engine.h"
#include "kv/store/files.h"
#include "kv/store/log.h"

namespace decree::store {

// A place where received snapshot files gather, invisible to reads, dropped whole on abort and at
// start-up. Any thread, one at a time: filling and preparing wait for the disk and belong on its
// background threads.
class Staging {
 public:
  virtual ~Staging() = default;  // uncommitted: dropped
  virtual Status Append(const std::string& file, std::uint64_t offset, std::string_view bytes) = 0;
  // Takes a whole file that lies on this machine as it is, without a copy; nobody may change it
  // from now on. kImpossible if that cannot be: append its bytes instead.
  virtual Status Link(const std::string& file, const std::string& path) = 0;
  // Drops all files but these, which go on where they ended: with other files of a later snapshot
  // they are as good as fetched again.
  virtual Status KeepOnly(const std::set<std::string>& files) = 0;
  virtual std::uint64_t Size(const std::string& file) const = 0;  // 0: there is none
  // fsyncs files and directory and checks that they open and that all of them is whole: kCorruption
  // if not. Commit does it if nobody did.
  virtual Status Prepare() = 0;
  // Puts the files in the place of the replica's rows by rename: after a crash the old rows or the
  // new ones, no hybrid. The replica's engine must be closed. The reopened engine is returned.
  virtual Result<std::unique_ptr<Engine>> Commit() = 0;
};

// Errors of everything here: kNoSpace, kIo and kCorruption say that the disk is not to be used any
// more. kBusy says that too many files are open just now, which is no fault of the disk: nothing
// was done, nothing is lost, and the same call succeeds later. The log waits by itself until there
// is a descriptor for its next segment.
class Disk {
 public:
  virtual ~Disk() = default;

  virtual Incarnation incarnation() const = 0;
  virtual const std::string& path() const = 0;
  virtual Log& log() = 0;
  virtual DiskSpace space() const = 0;
  // Runs a job that waits for the disk on one of its background threads (in the simulator: as a
  // task of its own). What is queued when the disk closes runs first. Any thread.
  virtual void RunInBackground(Task job) = 0;

  // ---- small durable facts (identity, replica shells, tombstones, last known members) ----
  // Durable when PutMeta returns; rare. One thread at a time.
  virtual Result<std::optional<std::string>> GetMeta(std::string_view key) = 0;
  virtual Status PutMeta(std::string_view key, std::string_view value) = 0;
  virtual Status DeleteMeta(std::string_view key) = 0;
  // All facts whose key starts with the prefix, in order.
  virtual Result<std::vector<std::pair<std::string, std::string>>> ListMeta(
      std::string_view prefix) = 0;

  // ---- replicas ----
  // Opens the rows of a replica, creating them empty. Takes milliseconds. kImpossible: the limit of
  // open files allows no more replicas here.
  virtual Result<std::unique_ptr<Engine>> OpenRows(ReplicaKey key) = 0;
  virtual Result<std::unique_ptr<Staging>> Stage(ReplicaKey key) = 0;
  // Removes the rows; the engine must be closed.
  virtual Status RemoveRows(ReplicaKey key) = 0;
  virtual Result<std::vector<ReplicaKey>> ListRows() = 0;
  // Where the rows of a replica are or would be: for messages.
  virtual std::string RowsPath(ReplicaKey key) const = 0;
};

}  // namespace decree::store
