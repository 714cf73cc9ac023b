#include <algorithm>
#include <tuple>

#include "kv/base/mark.h"
#include "rebalance/move_members.h"
#include "rebalance/planner_passes.h"

namespace decree::rebalance {
namespace {

std::size_t LiveVoters(const Layout& layout, const ShardLayout& shard) {
  return static_cast<std::size_t>(
      std::count_if(shard.copies.begin(), shard.copies.end(),
                    [&](const Copy& copy) { return copy.voter && layout.IsLive(copy); }));
}

bool HasQuorum(const Layout& layout, const ShardLayout& shard) {
  const auto voters = static_cast<std::size_t>(std::count_if(
      shard.copies.begin(), shard.copies.end(), [](const Copy& c) { return c.voter; }));
  return 2 * LiveVoters(layout, shard) > voters;
}

// The placement group first, since everything hangs on it; then the shards with the fewest live
// voters.
std::vector<ShardLayout*> ByUrgency(Layout& layout) {
  std::vector<std::pair<std::size_t, ShardLayout*>> ranked;
  for (ShardLayout& shard : layout.shards()) {
    if (shard.busy) continue;
    ranked.emplace_back(shard.numbered() ? 1 + LiveVoters(layout, shard) : 0, &shard);
  }
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first, a.second->id) < std::pair(b.first, b.second->id);
  });
  std::vector<ShardLayout*> shards;
  for (const auto& [rank, shard] : ranked) shards.push_back(shard);
  return shards;
}

// Takes the copies for which `leaves` is true somewhere else.
template <class Leaves>
void Relocate(Layout& layout, Plan& plan, std::size_t limit, ShardLayout& shard, MoveCause cause,
              const std::string& why, Leaves leaves) {
  for (std::size_t i = 0; i < shard.copies.size() && plan.moves.size() < limit;) {
    const Copy& copy = shard.copies[i];
    if (copy.planned || copy.arriving || !leaves(copy)) {
      ++i;
      continue;
    }
    const DiskIndex to = layout.BestTarget(shard, &copy);
    const std::string reason = "node " + ToString(copy.node) + why;
    if (to == kNoDisk) {
      layout.Reject(shard, copy.node, NodeId{}, "no_target",
                    reason + ", and no other node can take a copy");
      ++i;
      continue;
    }
    if (cause == MoveCause::kRepair) SOMETIMES(plan_repair);
    if (cause == MoveCause::kDrain) SOMETIMES(plan_drain);
    layout.PlanMove(shard, i, to, cause, reason);  // the new copy is appended: look at `i` again
  }
}

void FillUp(Layout& layout, Plan& plan, std::size_t limit, ShardLayout& shard) {
  const std::uint32_t wanted = WantedCopies(layout.settings(), shard.id);
  while (shard.copies.size() < wanted && plan.moves.size() < limit) {
    const std::string reason =
        std::to_string(shard.copies.size()) + " of " + std::to_string(wanted) + " copies";
    const DiskIndex to = layout.BestTarget(shard, nullptr);
    if (to == kNoDisk) {
      layout.Reject(shard, NodeId{}, NodeId{}, "no_target",
                    reason + ", and no other node can take one");
      return;
    }
    layout.PlanMove(shard, std::nullopt, to, MoveCause::kFill, reason);
  }
}

// Which copy a shard can best do without, the first of all: one that is lost, or has no vote and
// does not answer, or has to go anyway, shares its zone, has no vote, or weighs most on its disk;
// the leader last.
auto Dispensability(Layout& layout, const ShardLayout& shard, const Copy& copy) {
  const DiskLoad unknown;
  const DiskLoad& disk = copy.disk != kNoDisk ? layout.disks()[copy.disk] : unknown;
  const bool away = !copy.voter && !layout.IsLive(copy);
  return std::tuple(layout.IsLost(copy), away, layout.IsDraining(copy),
                    layout.Collisions(shard, &copy, disk), copy.node != shard.leader, !copy.voter,
                    disk.CountLevel(), disk.ByteLevel(), copy.node, copy.replica);
}

// More copies than asked for: the setting was lowered.
void Shed(Layout& layout, Plan& plan, std::size_t limit, ShardLayout& shard) {
  const std::uint32_t wanted = WantedCopies(layout.settings(), shard.id);
  while (shard.copies.size() > wanted && plan.moves.size() < limit) {
    const auto least_missed = std::max_element(
        shard.copies.begin(), shard.copies.end(), [&](const Copy& a, const Copy& b) {
          return Dispensability(layout, shard, a) < Dispensability(layout, shard, b);
        });
    const Copy& copy = *least_missed;
    if (copy.arriving || copy.planned) return;
    if (!layout.IsLost(copy) && !layout.IsWholeWithout(shard, &copy)) {
      layout.Reject(shard, copy.node, NodeId{}, "voter_away",
                    "a copy too many, and another voter does not answer");
      return;
    }
    const MoveCause cause = layout.IsDraining(copy) ? MoveCause::kDrain : MoveCause::kFill;
    const std::string reason =
        std::to_string(shard.copies.size()) + " copies, " + std::to_string(wanted) + " wanted";
    const Settings& settings = layout.settings();
    if (cause == MoveCause::kDrain ? !settings.drain : !settings.repair) {
      layout.Reject(shard, copy.node, NodeId{}, "switched_off", reason);
      return;
    }
    SOMETIMES(plan_sheds_a_copy);
    layout.PlanShedding(shard, static_cast<std::size_t>(least_missed - shard.copies.begin()), cause,
                        reason);
  }
}

// A shard whose copies are all there, but whose learners missed the Seal that would have given them
// a vote (one lagged or was away at that moment).
void Promote(Layout& layout, ShardLayout& shard) {
  const auto able = static_cast<std::size_t>(std::count_if(
      shard.copies.begin(), shard.copies.end(), [&](const Copy& c) { return layout.IsLive(c); }));
  const auto wanted = std::min<std::size_t>(WantedCopies(layout.settings(), shard.id), able);
  // Seats, also of voters that are away: a Seal takes no vote for being away.
  const auto seats = static_cast<std::size_t>(std::count_if(
      shard.copies.begin(), shard.copies.end(), [](const Copy& c) { return c.voter; }));
  if (seats >= VotesOf(wanted)) return;
  for (const Copy& copy : shard.copies) {
    if (copy.planned || copy.arriving) return;
  }
  for (const Copy& copy : shard.copies) {
    if (copy.voter || !layout.IsLive(copy) || layout.IsDraining(copy)) continue;
    SOMETIMES(plan_promotion);
    layout.PlanPromotion(shard, copy);
    break;
  }
}

}  // namespace

void PlanRepairs(Layout& layout, Plan& plan, std::size_t limit) {
  for (ShardLayout* shard : ByUrgency(layout)) {
    if (plan.moves.size() >= limit) return;
    if (!HasQuorum(layout, *shard)) {
      SOMETIMES(plan_without_a_quorum);
      layout.Reject(*shard, NodeId{}, NodeId{}, "no_quorum",
                    "too few of its voters are alive to change its members");
      continue;
    }
    const std::size_t before = plan.moves.size();
    Shed(layout, plan, limit, *shard);
    Relocate(layout, plan, limit, *shard, MoveCause::kRepair, " is dead or its disk has failed",
             [&](const Copy& copy) { return layout.IsLost(copy); });
    FillUp(layout, plan, limit, *shard);
    if (plan.moves.size() == before) Promote(layout, *shard);
  }
}

void PlanDrains(Layout& layout, Plan& plan, std::size_t limit) {
  for (ShardLayout* shard : ByUrgency(layout)) {
    if (!HasQuorum(layout, *shard)) continue;
    Relocate(layout, plan, limit, *shard, MoveCause::kDrain, " is being drained",
             [&](const Copy& copy) {
               return layout.IsDraining(copy) && layout.IsWholeWithout(*shard, &copy);
             });
  }
}

std::string DrainObstacle(const ClusterView& view) {
  constexpr std::size_t kAll = static_cast<std::size_t>(-1);
  Plan plan;
  Layout layout(view, plan);
  PlanRepairs(layout, plan, kAll);
  PlanDrains(layout, plan, kAll);
  for (const ShardLayout& shard : layout.shards()) {
    if (shard.busy || !HasQuorum(layout, shard)) continue;
    for (const Copy& copy : shard.copies) {
      const bool stays = copy.node == view.also_draining && !copy.arriving &&
                         (layout.IsLost(copy) || layout.IsWholeWithout(shard, &copy));
      if (!stays) continue;
      const auto& disks = layout.disks();
      const bool full = std::any_of(disks.begin(), disks.end(), [&](const DiskLoad& disk) {
        return layout.Obstacle(shard, &copy, disk) == "disk_full";
      });
      return (shard.numbered() ? "shard " + ToString(shard.id) : "the placement group") +
             " has no other place for its copy: " +
             (full ? "the disks that could take it are too full" : "no other node can take it");
    }
  }
  return {};
}

void PlanZones(Layout& layout, Plan& plan, std::size_t limit) {
  for (ShardLayout& shard : layout.shards()) {
    if (shard.busy || !HasQuorum(layout, shard)) continue;
    for (std::size_t i = 0; i < shard.copies.size() && plan.moves.size() < limit; ++i) {
      const Copy& copy = shard.copies[i];
      if (copy.planned || copy.disk == kNoDisk || !layout.IsLive(copy)) continue;
      if (!layout.IsWholeWithout(shard, &copy)) continue;
      const std::size_t now = layout.Collisions(shard, &copy, layout.disks()[copy.disk]);
      const DiskIndex to = now ? layout.BestTarget(shard, &copy) : kNoDisk;
      if (to == kNoDisk || layout.Collisions(shard, &copy, layout.disks()[to]) >= now) continue;
      const std::string zone = layout.disks()[copy.disk].zone;
      layout.PlanMove(shard, i, to, MoveCause::kBalance, "two copies in zone " + zone);
      --i;
    }
  }
}

}  // namespace decree::rebalance
