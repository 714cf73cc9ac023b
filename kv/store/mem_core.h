// The parts of a MemDisk that its log, its engines and their background work share. `image` is what
// a power loss leaves; whoever holds the core after a crash finds it dead and reports nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kv/base/executor.h"
#include "kv/base/ids.h"
#include "kv/store/log_merge.h"

namespace decree::store {

using MemValue = std::shared_ptr<const std::string>;  // null in a table: deleted
using MemRows = std::map<std::string, MemValue, std::less<>>;

// Where the live part of a replica's log stands: which append wrote a slot, and how large it was.
struct MemLogEntry {
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;
};
struct MemReplicaLog {
  LogMerge merged;
  std::map<Slot, MemLogEntry> live;
  // Let go of by a trim that is not durable yet: a power loss brings it back.
  std::map<Slot, MemLogEntry> trimmed;
};

struct MemImage {
  std::map<ReplicaKey, MemReplicaLog> log;
  std::map<ReplicaKey, MemRows> rows;
  std::map<std::string, std::string, std::less<>> meta;
  std::map<ReplicaKey, std::string> damaged_rows;  // a row of the replica that cannot be read
  std::optional<Error> unusable;                   // why the disk does not open any more
};

// Lock order: a table's mutex before the core's; neither is held while foreign code runs.
struct MemCore {
  std::mutex mutex;
  std::function<void(Task)> background;
  std::function<void(Task)> flush_end;
  std::function<void(ReplicaKey, const consensus::Persist&)> on_durable;
  MemImage image;
  bool dead = false;
  bool full = false;
  bool busy = false;
  bool stalled = false;
  bool syncs_fail = false;
  bool damage_next_snapshot = false;
  std::optional<Error> log_error;  // the log's life is over, until the disk is opened again

  // What a call on rows answers instead of doing something. Under the mutex.
  Status Refused() const {
    if (full) return Error(Errc::kNoSpace, "injected: the disk is full");
    if (busy) return Error(Errc::kBusy, "injected: too many open files");
    return {};
  }
};

}  // namespace decree::store
