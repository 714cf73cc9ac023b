// The log of one disk, shared by every replica on it. One writer, one fdatasync for whatever all
// shards queued meanwhile. Two implementations with one contract (tests/store conformance suite):
// FileLog (shard_log.h) and MemLog (mem_disk.h). FORMATS.md describes the files.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "consensus/output.h"
#include "decree/result.h"
#include "kv/base/ids.h"

namespace decree::store {

class Log {
 public:
  // Called once for each append, in the order of the appends of one replica, on the log's own
  // thread: post to your worker and return. After a failure every later append fails too, for good
  // (P8).
  using Done = std::function<void(Status)>;

  virtual ~Log() = default;

  // Queues one atomic record. Any thread. Order is kept for each replica.
  virtual void Append(ReplicaKey key, consensus::Persist record, Done done) = 0;
  // The rows of `key` hold everything <= slot durably: votes and chosen values at or below it may
  // be dropped. Promises, watermarks and the slot itself stay, so that Recover can tell what the
  // rows must hold. Cheap; durable no later than the next append; takes effect when segments are
  // recycled. Any thread.
  virtual void Trim(ReplicaKey key, Slot slot) = 0;
  // The replica is gone (its tombstone is durable): all its records may be dropped. Any thread.
  virtual void Forget(ReplicaKey key) = 0;
  // What the log knows of a replica after opening; empty (no promise, no votes) if nothing.
  // `config` and `applied` are left for the caller to fill from the rows. Call before the first
  // Append of `key`.
  virtual Result<consensus::Recovered> Recover(ReplicaKey key) = 0;
  // Every replica that has records. A crash can undo a Forget that was not yet written: after
  // opening, the owner forgets again whoever is no replica of this disk any more. Any thread.
  virtual std::vector<ReplicaKey> Replicas() = 0;
  // The replica that pins the oldest part of the log, if its log share passes the recycling goal:
  // the owner should flush its rows and Trim. Any thread.
  virtual std::optional<ReplicaKey> OldestPin() = 0;
};

}  // namespace decree::store
