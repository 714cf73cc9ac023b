// The planner alone on a described cluster: every move that it plans is carried out at once in a
// placement state, until it plans nothing more. Pure; the program around it is plan_sim_main.cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rebalance/planner.h"

namespace decree::rebalance {

struct NodeShape {
  std::string zone;
  std::vector<std::uint64_t> disk_bytes;  // capacity of each disk
};

struct ShardShape {
  std::uint64_t bytes = 0;
  double ops_per_s = 0;
};

struct SettleReport {
  bool settled = false;  // false: it still planned something after the last round allowed
  std::size_t rounds = 0;
  std::vector<PlannedMove> moves;  // in the order they ran
  std::size_t transfers = 0;
  std::vector<RejectedMove> rejected;  // of the last plan
  std::uint64_t bytes_moved = 0;
  // No way from the copies that live before to as many on each disk after moves fewer bytes.
  std::uint64_t bytes_least = 0;
  double spread_before = 0;
  double spread_after = 0;
};

// The shard's members once the move has ended, as its Seal would name them: fill-ups stay learners
// until they make an odd number of voters.
consensus::Config MembersAfter(const PlacementState& state, const MoveRecord& move);

class PlanSim {
 public:
  // All shards begin on the first node. kInvalidArgument as for a cluster's first decree.
  static Result<PlanSim> Make(std::uint32_t replicas, const NodeShape& first,
                              const std::vector<ShardShape>& shards);

  Result<NodeId> AddNode(const NodeShape& shape);
  Status SetDraining(NodeId node, bool draining);
  Status Kill(NodeId node);  // for good: its copies are to be replaced
  Status Resize(ShardId shard, const ShardShape& shape);
  SettleReport Settle(std::size_t most_rounds = 200);

  const PlacementState& state() const { return state_; }
  // Copies and their bytes on each disk.
  struct DiskCopies {
    NodeId node;
    Incarnation disk;
    std::uint64_t copies = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<DiskCopies> Disks() const;

 private:
  PlanSim() = default;
  using Copies = std::map<Incarnation, std::map<ShardId, std::uint64_t>>;  // disk, shard: bytes

  CommandResult Do(PlacementChange change);
  ClusterView Look() const;
  Status Carry(const PlannedMove& planned);
  bool CarryAll(const Plan& plan, SettleReport& report);
  Copies LivingCopies() const;
  std::uint64_t Bytes(ShardId shard) const;

  PlacementState state_;
  std::map<ShardId, ShardLoad> loads_;
  std::map<NodeId, bool> alive_;
  std::uint64_t slot_ = 0;
  std::uint64_t disks_ = 0;
};

}  // namespace decree::rebalance
