// The serving side of snapshots: frozen files of this worker's replicas, read in chunks by others.
// A snapshot that nobody reads for a while is dropped, and with it the pin on the shard's log.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "kv/api/rpc.h"
#include "server/node/node_rpc.h"
#include "server/node/shard_host.h"

namespace decree::node {

class SnapshotServer {
 public:
  void Open(ShardHost& host, Executor& executor, RpcReply reply);
  void Read(const SnapshotRead& read, Executor& executor, RpcReply reply);
  void Close(std::uint64_t id) { open_.erase(id); }
  void DropReplica(ReplicaKey key);
  void DropIdle(Instant now);
  void Clear() { open_.clear(); }

 private:
  struct OpenSnapshot {
    ReplicaKey key;
    store::Disk* disk;
    std::shared_ptr<store::SnapshotSource> source;
    Instant last_used;
  };
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, OpenSnapshot> open_;
};

}  // namespace decree::node
