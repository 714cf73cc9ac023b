// The planner's picture of the cluster: which disk holds which copies, with moves in flight counted
// as done, and what has been planned on top of it so far.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rebalance/planner.h"

namespace decree::rebalance {

using DiskIndex = std::size_t;
inline constexpr DiskIndex kNoDisk = static_cast<DiskIndex>(-1);

struct DiskLoad {
  Incarnation id;
  NodeId node;
  std::string zone;
  double weight = 1;           // capacity, relative to the mean
  std::uint64_t capacity = 0;  // 0: unknown
  std::uint64_t used = 0;      // with what is on its way counted
  bool good = false;           // its node names it, and it works
  bool awaited = false;        // missing, but not for long
  bool counted = false;        // takes part in the mean
  bool open = false;           // may receive copies
  std::uint64_t count = 0;     // copies of numbered shards
  std::uint64_t bytes = 0;
  std::set<ShardId> shards;

  double CountLevel(std::uint64_t more = 0) const {
    return static_cast<double>(count + more) / weight;
  }
  double ByteLevel(std::uint64_t more = 0) const {
    return static_cast<double>(bytes + more) / weight;
  }
};

struct Copy {
  ReplicaId replica;  // 0: planned
  NodeId node;
  Incarnation incarnation;
  DiskIndex disk = kNoDisk;  // kNoDisk: a disk that nobody knows any more
  bool voter = true;
  bool arriving = false;               // by a move in flight
  std::optional<std::size_t> planned;  // by this entry of the plan
};

struct ShardLayout {
  ShardId id;
  Epoch epoch;
  std::vector<Copy> copies;
  std::set<Incarnation> failed_targets;  // to which its last moves were rolled back
  bool busy = false;                     // a move is in flight: nothing new can start
  std::uint64_t bytes = 0;
  NodeId leader;
  bool numbered() const { return id != kPlacementShard; }
};

class Layout {
 public:
  Layout(const ClusterView& view, Plan& plan);

  const ClusterView& view() const { return view_; }
  const Settings& settings() const { return view_.state->settings(); }
  std::vector<DiskLoad>& disks() { return disks_; }
  std::vector<ShardLayout>& shards() { return shards_; }  // the placement group last
  ShardLayout& Shard(ShardId id);
  const std::vector<PlannedMove>& planned() const { return plan_.moves; }

  // Node dead for good or removed, or disk failed or unknown: this copy must be replaced.
  bool IsLost(const Copy& copy) const;
  // Its node reports and its disk works.
  bool IsLive(const Copy& copy) const;
  bool IsDraining(const Copy& copy) const;
  // Every voter but `leaving` is live: a Seal names caught-up voters only.
  bool IsWholeWithout(const ShardLayout& shard, const Copy* leaving) const;
  // Other copies (not `leaving`) of the shard in the zone of that disk; unnamed zones never
  // collide.
  std::size_t Collisions(const ShardLayout& shard, const Copy* leaving, const DiskLoad& disk) const;
  // Empty if a copy of the shard may go to that disk while `leaving` goes away; else the rule.
  std::string Obstacle(const ShardLayout& shard, const Copy* leaving, const DiskLoad& disk) const;
  // The best disk by zone, then by count, then by bytes; one to which the shard's last moves were
  // rolled back only if there is no other. kNoDisk if there is none.
  DiskIndex BestTarget(const ShardLayout& shard, const Copy* leaving) const;

  // Plans a move of copy `index` (none: a fill-up) to the disk. Nothing moves twice: a planned copy
  // is sent there instead, or stays where it is if that is the disk; and a copy that would take the
  // place of one that was to leave takes that one's way instead, which stays.
  void PlanMove(ShardLayout& shard, std::optional<std::size_t> index, DiskIndex to, MoveCause cause,
                std::string reason);
  void PlanShedding(ShardLayout& shard, std::size_t index, MoveCause cause, std::string reason);
  void PlanPromotion(ShardLayout& shard, const Copy& learner);
  void Reject(const ShardLayout& shard, NodeId from, NodeId to, std::string rule,
              std::string reason);
  // Takes what came to nothing out of the plan; nothing is planned after it.
  void DropIdleMoves();

  double Spread() const;

 private:
  void AddDisks();
  void NoteFailedTargets();
  void AddShard(ShardId id, const ShardRecord& record);
  void ApplyMoveInFlight(ShardLayout& shard, const MoveRecord& move);
  void Put(ShardLayout& shard, Copy copy);
  void Take(ShardLayout& shard, std::size_t index);
  bool Return(ShardLayout& shard, std::size_t index, DiskIndex to);
  bool TakeItsWay(ShardLayout& shard, std::size_t index, DiskIndex to, const std::string& reason);
  Copy AtHome(const Copy& planned) const;
  // The copy, if any, is planned to leave that disk.
  bool IsHome(const Copy* copy, const DiskLoad& disk) const;
  PlannedMove& PlanLeaving(const ShardLayout& shard, const Copy& leaving, MoveCause cause,
                           std::string reason);

  const ClusterView& view_;
  Plan& plan_;
  std::vector<DiskLoad> disks_;
  std::map<Incarnation, DiskIndex> index_;
  std::vector<ShardLayout> shards_;
  std::map<ShardId, std::size_t> rejections_;
  std::set<std::size_t> idle_;  // entries of the plan that move nothing any more
};

}  // namespace decree::rebalance
