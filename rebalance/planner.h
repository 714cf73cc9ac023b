// The planner: a cluster view in; moves, each with its reason, and rejected candidates, each with
// its reason, out. Pure. Its result is a fixed point: planning again after its moves plans nothing.
// Mean rule (design.md section 6): a disk's fair load is the mean over disks, weighted by capacity.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rebalance/placement.h"

namespace decree::rebalance {

// Load of one shard as reported, the mean over its replicas.
struct ShardLoad {
  std::uint64_t bytes = 0;
  double ops_per_s = 0;
  NodeId leader;
};

struct ClusterView {
  const PlacementState* state = nullptr;
  std::map<ShardId, ShardLoad> loads;    // missing: unknown, counted as empty
  std::map<NodeId, bool> alive;          // fresh report within the liveness window
  std::map<NodeId, bool> dead_for_good;  // past dead_node_delay_s: replace its replicas
  std::map<Incarnation, std::uint64_t> disk_used_bytes;
};

struct PlannedMove {
  StartMove start;
  NodeId from;  // 0: fill-up
  Incarnation from_disk;
  std::uint64_t bytes = 0;
};
struct RejectedMove {
  ShardId shard;
  NodeId from;
  NodeId to;
  std::string rule;  // "disk_full", "zone", "in_flight_limit"...
  std::string reason;
};
struct Plan {
  std::vector<PlannedMove> moves;      // in the order they should start
  std::vector<RejectedMove> rejected;  // at most a few per shard
  double spread_before = 0;            // (max - min) / mean of replicas a disk, by capacity
  double spread_after = 0;
};

// Every move that the rules want, moves in flight counted as done. `limit` bounds the list.
Plan MakePlan(const ClusterView& view, std::size_t limit);
// Of a plan, the moves that may start now under the per-disk limits and the one-move-a-shard rule.
std::vector<PlannedMove> StartableNow(const ClusterView& view, const Plan& plan);
double Spread(const ClusterView& view);

}  // namespace decree::rebalance
