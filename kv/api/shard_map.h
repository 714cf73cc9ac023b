// hash -> shard -> replicas. The map is a versioned hint: the shard's own log is the truth about
// its members, and a server that does not hold the shard says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kv/base/codec.h"
#include "kv/base/ids.h"

namespace decree {

struct ReplicaPlace {
  ReplicaId replica;
  NodeId node;
  Incarnation disk;  // the data directory that holds it
  bool voter = true;
  bool operator==(const ReplicaPlace&) const = default;
  DECREE_FIELDS(replica, node, disk, voter)
};

struct ShardEntry {
  Epoch epoch;
  std::vector<ReplicaPlace> replicas;
  bool operator==(const ShardEntry&) const = default;
  DECREE_FIELDS(epoch, replicas)
};

struct NodeAddress {
  NodeId node;
  std::string rpc;   // host:port of peers and native clients
  std::string http;  // host:port of the REST door; empty: none
  bool operator==(const NodeAddress&) const = default;
  DECREE_FIELDS(node, rpc, http)
};

struct ShardMap {
  ClusterId cluster;
  std::uint64_t version = 0;       // slot of the placement log
  std::vector<ShardEntry> shards;  // index = shard number; size is a power of two
  ShardEntry placement;            // where the placement group lives
  std::vector<NodeAddress> nodes;
  DECREE_FIELDS(cluster, version, shards, placement, nodes)

  const ShardEntry* Find(ShardId shard) const;  // placement too; null: no such shard
  const NodeAddress* Address(NodeId node) const;
};

// The bytes of the key that are hashed: its first non-empty {tag}, else all of it.
std::string_view HashedPart(std::string_view key);
// The top log2(count) bits of XXH3-64. `count` is a power of two.
ShardId ShardOf(std::string_view key, std::uint32_t count);
// First and last hash of a shard, inclusive.
std::uint64_t HashStart(ShardId shard, std::uint32_t count);
std::uint64_t HashEnd(ShardId shard, std::uint32_t count);

}  // namespace decree
