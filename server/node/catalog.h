// The small durable facts of a node on one disk: who it is, which replicas live here, which must
// never come back. Consensus messages never create replicas; only a shell written here does.
#pragma once

#include <optional>
#include <vector>

#include "consensus/membership.h"
#include "kv/api/shard_map.h"
#include "kv/store/disk.h"

namespace decree::node {

struct Identity {
  ClusterId cluster;
  NodeId node;
  std::uint32_t shards = 0;    // founder only: what the Bootstrap decree will say
  std::uint32_t replicas = 0;  // founder only
  bool founder = false;
  bool operator==(const Identity&) const = default;
  DECREE_FIELDS(cluster, node, shards, replicas, founder)
};

struct ReplicaShell {
  ReplicaKey key;
  consensus::Config genesis;  // before slot 1; empty: a learner that starts from a snapshot
  MoveId move;
  bool removed = false;  // destroyed for good; its rows may still be there
  DECREE_FIELDS(key, genesis, move, removed)
};

class Catalog {
 public:
  explicit Catalog(store::Disk& disk) : disk_(&disk) {}
  store::Disk& disk() const { return *disk_; }

  Result<std::optional<Identity>> LoadIdentity();
  Status SaveIdentity(const Identity& identity);

  Result<std::vector<ReplicaShell>> LoadShells();
  Result<std::optional<ReplicaShell>> LoadShell(ReplicaKey key);
  Status SaveShell(const ReplicaShell& shell);
  Status DropShell(ReplicaKey key);

  // The highest replica id of the shard that was removed from this node, as far as this disk knows.
  // It outlives the data and refuses creation, nothing else: a lower id may well be alive.
  Result<ReplicaId> LoadTombstone(ShardId shard);
  Status SaveTombstone(ShardId shard, ReplicaId removed);

  // The last map this node heard of: where to look for the others after a restart.
  Result<std::optional<ShardMap>> LoadMap();
  Status SaveMap(const ShardMap& map);

 private:
  store::Disk* disk_;
};

}  // namespace decree::node
