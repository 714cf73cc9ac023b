// The parts of a MemDisk that its log, its engines and their background work share. `image` is what
// a power loss leaves; whoever holds the core after a crash finds it dead and reports nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

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
};

struct MemImage {
  std::map<ReplicaKey, MemReplicaLog> log;
  std::map<ReplicaKey, MemRows> rows;
  std::map<std::string, std::string, std::less<>> meta;
};

// Lock order: a table's mutex before the core's; neither is held while foreign code runs.
struct MemCore {
  std::mutex mutex;
  std::function<void(Task)> background;
  std::function<void(ReplicaKey, const consensus::Persist&)> on_durable;
  MemImage image;
  bool dead = false;
  bool full = false;
  bool busy = false;
  bool stalled = false;
  bool syncs_fail = false;

  // What a call on rows answers instead of doing something. Under the mutex.
  Status Refused() const {
    if (full) return Error(Errc::kNoSpace, "injected: the disk is full");
    if (busy) return Error(Errc::kBusy, "injected: too many open files");
    return {};
  }
};

}  // namespace decree::store
