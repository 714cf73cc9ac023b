// The planner: a cluster view in; moves, each with its reason, and rejected candidates, each with
// its reason, out. Pure. Its result is meant to be a fixed point, after whose moves nothing more is
// planned; MOVES.md names what is missing.
// Mean rule (design.md section 6): a disk's fair load is the mean over disks, weighted by capacity.
#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  std::set<Incarnation> awaited_disks;   // missing for less than that: they may come back
  std::set<NodeId> maintained;           // keep their copies, lead nothing, take nothing
  NodeId also_draining;                  // planned as if this node were being drained; 0: none
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
// Leaders are evened out last and cheaply: by handing over, not by moving rows.
struct PlannedTransfer {
  ShardId shard;
  NodeId from;
  NodeId to;
  ReplicaId to_replica;
  bool leaves = false;  // its node is under maintenance: not for evenness, and not to be put off
};
struct Plan {
  std::vector<PlannedMove> moves;          // in the order they should start
  std::vector<PlannedTransfer> transfers;  // for evenness only when nothing moves
  std::vector<RejectedMove> rejected;      // at most a few per shard
  double spread_before = 0;                // (max - min) / mean of replicas a disk, by capacity
  double spread_after = 0;
};

// A target disk is never filled above this share of its capacity, reservations counted.
inline constexpr double kFullShare = 0.85;
// Byte loads closer than this are even: shards' sizes change all the time.
inline constexpr std::uint64_t kByteNoise = std::uint64_t{64} << 20;

// Every move that the rules want, moves in flight counted as done. `limit` bounds the list.
Plan MakePlan(const ClusterView& view, std::size_t limit);
// The moves that may start now under the per-disk limits and the one-move-a-shard rule: those of an
// approved plan, then those of `plan`, by cause and as the settings allow.
std::vector<PlannedMove> StartableNow(const ClusterView& view, const Plan& plan);
double Spread(const ClusterView& view);
// Why not every copy on `view.also_draining` could go elsewhere; empty: all could.
std::string DrainObstacle(const ClusterView& view);

}  // namespace decree::rebalance
