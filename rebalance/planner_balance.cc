// The mean rule. Moving a copy from a disk to one whose load afterwards is still below the source's
// load before makes the list of loads, sorted downwards, smaller: so the passes end, and never undo
// each other.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <tuple>

#include "kv/base/mark.h"
#include "rebalance/planner_passes.h"

namespace decree::rebalance {
namespace {

std::string OneDecimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

enum class Measure { kCount, kBytes };

class Balancer {
 public:
  Balancer(Layout& layout, Measure measure) : layout_(layout), measure_(measure) {
    double weights = 0;
    for (DiskIndex i = 0; i < layout_.disks().size(); ++i) {
      const DiskLoad& disk = layout_.disks()[i];
      if (!disk.counted) continue;
      order_.push_back(i);
      weights += disk.weight;
      mean_ += measure_ == Measure::kCount ? static_cast<double>(disk.count)
                                           : static_cast<double>(disk.bytes);
    }
    if (weights > 0) mean_ /= weights;  // a level: load per weight
  }

  // Plans the next move; false: nothing is left to do.
  bool Step() {
    std::sort(order_.begin(), order_.end(), [&](DiskIndex a, DiskIndex b) {
      return std::tuple(Level(a), a) < std::tuple(Level(b), b);
    });
    for (auto source = order_.rbegin(); source != order_.rend(); ++source) {
      for (const DiskIndex target : order_) {
        if (Level(target) >= Level(*source)) break;
        if (!WorthLooking(*source, target)) continue;
        if (TryMove(*source, target)) return true;
      }
    }
    return false;
  }

  // Why the pairs that are still uneven stay so.
  void Explain() {
    for (auto source = order_.rbegin(); source != order_.rend(); ++source) {
      for (const DiskIndex target : order_) {
        if (Level(target) >= Level(*source)) break;
        if (WorthLooking(*source, target)) ExplainPair(*source, target);
      }
    }
  }

 private:
  const DiskLoad& Disk(DiskIndex i) const { return layout_.disks()[i]; }
  double Level(DiskIndex i) const {
    return measure_ == Measure::kCount ? Disk(i).CountLevel() : Disk(i).ByteLevel();
  }
  double Threshold(const DiskLoad& disk, double one_shard) const {
    const double share = layout_.settings().threshold_percent / 100.0;
    return std::max(mean_ * disk.weight * share, one_shard);
  }
  double Load(const DiskLoad& disk) const {
    return measure_ == Measure::kCount ? static_cast<double>(disk.count)
                                       : static_cast<double>(disk.bytes);
  }
  // Source above or target below the mean by more than the threshold.
  bool Uneven(const DiskLoad& source, const DiskLoad& target, double one_shard) const {
    return Load(source) - mean_ * source.weight > Threshold(source, one_shard) ||
           mean_ * target.weight - Load(target) > Threshold(target, one_shard);
  }
  bool WorthLooking(DiskIndex s, DiskIndex t) const {
    if (!Disk(t).open) return false;
    const double least = measure_ == Measure::kCount ? 1 : static_cast<double>(kByteNoise);
    return Uneven(Disk(s), Disk(t), least);
  }
  // Would the move of this shard's copy make things better, and nothing worse?
  bool Improves(const DiskLoad& source, const DiskLoad& target, const ShardLayout& shard) const {
    if (measure_ == Measure::kCount) return target.CountLevel(1) < source.CountLevel();
    const auto noise = static_cast<double>(kByteNoise);
    if (source.ByteLevel() - target.ByteLevel() <= noise) return false;
    const double size = std::max(static_cast<double>(shard.bytes), noise);
    return shard.bytes > 0 && Uneven(source, target, size) &&
           target.ByteLevel(shard.bytes) < source.ByteLevel() &&
           target.CountLevel(1) <= source.CountLevel();
  }
  std::string Obstacle(const ShardLayout& shard, const Copy& copy, const DiskLoad& target) const {
    if (shard.busy) return "in_flight";
    if (!layout_.IsLive(copy)) return "not_live";
    if (!layout_.IsWholeWithout(shard, &copy)) return "not_whole";
    if (copy.planned && Vacated(shard, copy, target)) return "in_flight";
    std::string obstacle = layout_.Obstacle(shard, &copy, target);
    if (!obstacle.empty()) return obstacle;
    const std::size_t now = layout_.Collisions(shard, &copy, Disk(copy.disk));
    if (layout_.Collisions(shard, &copy, target) > now) return "zone";
    return Improves(Disk(copy.disk), target, shard) ? "" : "not_better";
  }
  // A planned copy may be sent elsewhere instead, or home, but not to a node that another planned
  // move of the shard must leave first: moves run in the order of the plan.
  bool Vacated(const ShardLayout& shard, const Copy& planned, const DiskLoad& target) const {
    return std::any_of(shard.copies.begin(), shard.copies.end(), [&](const Copy& copy) {
      const bool another = copy.planned && &copy != &planned;
      return another && layout_.planned()[*copy.planned].from == target.node;
    });
  }

  std::size_t CopyOn(const ShardLayout& shard, DiskIndex disk) const {
    const auto found = std::find_if(shard.copies.begin(), shard.copies.end(),
                                    [disk](const Copy& copy) { return copy.disk == disk; });
    return static_cast<std::size_t>(found - shard.copies.begin());
  }

  bool TryMove(DiskIndex s, DiskIndex t) {
    using Rank = std::tuple<bool, double, ShardId>;
    std::optional<Rank> best;
    const double gap = (Disk(s).ByteLevel() - Disk(t).ByteLevel()) / 2;
    for (const ShardId id : Disk(s).shards) {
      const ShardLayout& shard = layout_.Shard(id);
      const Copy& copy = shard.copies[CopyOn(shard, s)];
      if (!Obstacle(shard, copy, Disk(t)).empty()) continue;
      // A leader's copy needs a transfer first: rather another; then the one that evens bytes best.
      const double off = std::abs(gap - static_cast<double>(shard.bytes));
      const Rank rank{shard.leader == Disk(s).node, off, id};
      if (!best || rank < *best) best = rank;
    }
    if (!best) return false;
    SOMETIMES(plan_balance);
    ShardLayout& shard = layout_.Shard(std::get<ShardId>(*best));
    layout_.PlanMove(shard, CopyOn(shard, s), t, MoveCause::kBalance, Reason(s, t));
    return true;
  }

  std::string Reason(DiskIndex s, DiskIndex t) const {
    const bool count = measure_ == Measure::kCount;
    const double unit = count ? 1 : 1 << 20;
    const auto text = [&](DiskIndex i) {
      return "node " + ToString(Disk(i).node) + " has " + OneDecimal(Load(Disk(i)) / unit) +
             " of a fair " + OneDecimal(mean_ * Disk(i).weight / unit);
    };
    return text(s) + (count ? " copies, " : " MiB, ") + text(t);
  }

  void ExplainPair(DiskIndex s, DiskIndex t) {
    for (const ShardId id : Disk(s).shards) {
      const ShardLayout& shard = layout_.Shard(id);
      const std::string rule = Obstacle(shard, shard.copies[CopyOn(shard, s)], Disk(t));
      layout_.Reject(shard, Disk(s).node, Disk(t).node, rule, Reason(s, t));
    }
  }

  Layout& layout_;
  Measure measure_;
  std::vector<DiskIndex> order_;
  double mean_ = 0;
};

void EvenOut(Layout& layout, Plan& plan, std::size_t limit, Measure measure) {
  Balancer balancer(layout, measure);
  while (plan.moves.size() < limit && balancer.Step()) {
  }
  if (plan.moves.size() < limit) balancer.Explain();
}

// How many numbered shards each of them leads.
std::map<NodeId, std::size_t> LeadersOfOpenNodes(Layout& layout) {
  std::map<NodeId, std::size_t> leaders;
  for (const DiskLoad& disk : layout.disks()) {
    if (disk.open) leaders[disk.node];
  }
  for (const ShardLayout& shard : layout.shards()) {
    const auto node = leaders.find(shard.leader);
    if (shard.numbered() && node != leaders.end()) ++node->second;
  }
  return leaders;
}

}  // namespace

void PlanBalance(Layout& layout, Plan& plan, std::size_t limit) {
  EvenOut(layout, plan, limit, Measure::kCount);
  EvenOut(layout, plan, limit, Measure::kBytes);
}

void PlanDepartures(Layout& layout, Plan& plan, std::size_t limit) {
  std::map<NodeId, std::size_t> leaders = LeadersOfOpenNodes(layout);
  for (ShardLayout& shard : layout.shards()) {
    if (plan.transfers.size() >= limit) return;
    if (!layout.view().maintained.contains(shard.leader)) continue;
    const Copy* best = nullptr;
    for (const Copy& copy : shard.copies) {
      const auto to = leaders.find(copy.node);
      if (!copy.voter || copy.arriving || copy.planned || to == leaders.end()) continue;
      if (!best || to->second < leaders[best->node]) best = &copy;
    }
    if (!best) continue;
    SOMETIMES(plan_leader_leaves_for_maintenance);
    plan.transfers.push_back({shard.id, shard.leader, best->node, best->replica, true});
    ++leaders[best->node];
    shard.leader = best->node;
  }
}

void PlanTransfers(Layout& layout, Plan& plan, std::size_t limit) {
  std::map<NodeId, std::size_t> leaders = LeadersOfOpenNodes(layout);
  std::size_t led = 0;
  for (const auto& [node, count] : leaders) led += count;
  if (leaders.size() < 2) return;
  const double mean = static_cast<double>(led) / static_cast<double>(leaders.size());
  const double slack = std::max(mean * layout.settings().threshold_percent / 100.0, 1.0);
  for (ShardLayout& shard : layout.shards()) {
    if (plan.transfers.size() >= limit) return;
    const auto from = leaders.find(shard.leader);
    if (!shard.numbered() || from == leaders.end()) continue;
    const Copy* best = nullptr;
    for (const Copy& copy : shard.copies) {
      const auto to = leaders.find(copy.node);
      if (!copy.voter || to == leaders.end() || to->second + 1 >= from->second) continue;
      const bool uneven = static_cast<double>(from->second) > mean + slack ||
                          static_cast<double>(to->second) < mean - slack;
      if (!uneven || (best && leaders[best->node] <= to->second)) continue;
      best = &copy;
    }
    if (!best) continue;
    SOMETIMES(plan_transfer);
    plan.transfers.push_back({shard.id, shard.leader, best->node, best->replica});
    --from->second;
    ++leaders[best->node];
    shard.leader = best->node;
  }
}

}  // namespace decree::rebalance
