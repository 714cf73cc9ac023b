// The serving side of snapshots: frozen files of this worker's replicas, read in chunks by others.
// A snapshot that nobody reads for a while is dropped: a reader that died leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "kv/api/rpc.h"
#include "server/node/node_rpc.h"
#include "server/node/shard_host.h"

namespace decree::node {

class SnapshotServer {
 public:
  void Open(ShardHost& host, ReplicaId reader, Executor& executor, RpcReply reply);
  // Answered when the disk's gate lets it pass; kBusy if that would take long: ask again.
  void Read(const SnapshotRead& read, HostEnv& env, RpcReply reply);
  void Close(std::uint64_t id) { open_.erase(id); }
  void DropReplica(ReplicaKey key);
  void Clear() { open_.clear(); }
  std::size_t open() const { return open_.size(); }

 private:
  struct OpenSnapshot {
    ReplicaKey key;
    store::Disk* disk;
    std::shared_ptr<store::SnapshotSource> source;
    Instant last_used;
  };
  void OnFrozen(const OpenSnapshot& snapshot, SnapshotInfo info, Executor& executor,
                RpcReply reply);
  void WatchIdle(Executor& executor);
  void ReadNow(const SnapshotRead& read, Executor& executor, RpcReply reply);

  std::uint64_t last_id_ = 0;
  bool watching_ = false;
  std::map<std::uint64_t, OpenSnapshot> open_;
};

}  // namespace decree::node
