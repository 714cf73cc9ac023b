// Compares the replicas of a shard at one slot: a mark is chosen in its log, every replica digests
// its rows as of the mark's slot, and the digests are collected. Worker 0 only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kv/api/shard_map.h"
#include "server/node/placement_port.h"

namespace decree::node {

struct CheckedReplica {
  ReplicaPlace place;
  std::string digest;  // empty: it did not say in time
};
struct CheckedShard {
  ShardId shard;
  Slot slot;
  std::vector<CheckedReplica> replicas;
  bool equal() const;  // all said, and all the same
};

class ShardCheck : public std::enable_shared_from_this<ShardCheck> {
 public:
  using Done = std::function<void(Result<CheckedShard>)>;
  // `leader`: where to try first; 0: unknown.
  static void Run(PlacementPort& port, ShardId shard, NodeId leader, Duration patience, Done done);

 private:
  ShardCheck(PlacementPort& port, ShardId shard, Duration patience, Done done);
  std::uint64_t MillisecondsLeft() const;
  void Mark(NodeId node);
  void OnMarked(const RpcResponse& response);
  NodeId NextNode();
  void Collect();
  void Ask(std::size_t index);
  void OnRound();
  void After(Duration pause, std::function<void(ShardCheck&)> step);

  PlacementPort* port_;
  CheckedShard checked_;
  Instant deadline_;
  Done done_;
  std::size_t next_ = 0;
  std::size_t asked_ = 0;
};

}  // namespace decree::node
