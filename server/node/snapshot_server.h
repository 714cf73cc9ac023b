// The serving side of snapshots: frozen files of this worker's replicas, read in chunks by others.
// A leader rather names a follower, so that its own disk and network are left to its clients; small
// rows go with the answer; a reader on the same node is told where the files are.
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
  void Open(ShardHost& host, const SnapshotOpen& open, HostEnv& env, RpcReply reply);
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
  void Refer(ShardHost& host, const FitSource& other, ReplicaId reader, HostEnv& env,
             const RpcReply& reply);
  void OnFrozen(OpenSnapshot snapshot, SnapshotInfo info, bool chunks, HostEnv& env,
                RpcReply reply);
  void Keep(OpenSnapshot snapshot, SnapshotInfo info, HostEnv& env, const RpcReply& reply);
  void WatchIdle(Executor& executor);
  void ReadNow(const SnapshotRead& read, Executor& executor, RpcReply reply);

  std::uint64_t last_id_ = 0;
  bool watching_ = false;
  std::map<std::uint64_t, OpenSnapshot> open_;
};

}  // namespace decree::node
