// Pulls a snapshot of a shard from one of its members into a staging place: open, read the files in
// chunks (several on their way at a time, chunk_window.h), close. A broken chunk is asked for
// again; a lost source ends the fetch with the reason, and the replica will say again what it
// needs. The source hears Close at every end: after the rows were installed, after a failure, and
// when the fetch is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kv/store/disk.h"
#include "server/node/host_env.h"
#include "server/node/node_rpc.h"

namespace decree::node {

class SnapshotFetch {
 public:
  using Done = std::function<void(Result<std::unique_ptr<store::Staging>>)>;

  // `key` is the replica to fill, `from` the member that serves. Dropping the fetch abandons it.
  SnapshotFetch(HostEnv& env, store::Disk& disk, ReplicaKey key, consensus::Member from, Done done);
  ~SnapshotFetch();

  Slot at_least() const;  // known once opened: the rows cover at least this slot
  std::uint64_t bytes_total() const;
  std::uint64_t bytes_done() const;
  ReplicaId source() const;
  // Since when an answer of the source is awaited; none: it is not the source that is waited for.
  std::optional<Instant> asked_at() const;
  // While held it asks for no more chunks; what was asked for still arrives.
  void SetPace(FetchPace pace);

 private:
  struct Pull;
  std::shared_ptr<Pull> pull_;
};

}  // namespace decree::node
