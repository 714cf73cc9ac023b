// Random clusters: whatever the nodes, disks, zones, sizes and troubles, a plan is a fixed point,
// respects the constraints, and never makes the spread worse.

#include "kv/base/random.h"
#include "planner_fixture.h"

namespace decree::rebalance {
namespace {

std::string Text(const Plan& plan) {
  std::string text;
  for (const PlannedMove& move : plan.moves) text += Encode(move.start) + "|";
  for (const RejectedMove& move : plan.rejected) text += move.rule + move.reason + "|";
  return text;
}

PlannedCluster RandomCluster(Random& random) {
  const std::uint32_t shards = std::uint32_t{1} << random.Below(7);
  PlannedCluster cluster(shards, static_cast<std::uint32_t>(random.Between(1, 5)));
  const bool zones = random.Chance(0.4);
  const std::uint64_t nodes = random.Between(1, 9);
  for (std::uint64_t node = 2; node <= nodes; ++node) {
    cluster.Join(node, random.Between(1, 3), zones ? std::string(1, "abc"[random.Below(3)]) : "");
    if (random.Chance(0.3)) cluster.Settle();
  }
  for (auto& [shard, load] : cluster.view.loads) {
    load.bytes = random.Below(500) << 20;
    load.leader = NodeId{static_cast<std::uint32_t>(random.Between(1, nodes))};
  }
  return cluster;
}

void Trouble(Random& random, PlannedCluster& cluster) {
  const NodeId node{static_cast<std::uint32_t>(random.Between(1, cluster.state.nodes().size()))};
  if (random.Chance(0.3)) {
    ChangeSettings change;
    change.replicas = static_cast<std::uint32_t>(random.Between(1, 5));
    cluster.Do(change);
  } else if (random.Chance(0.4)) {
    cluster.Do(SetNodeState{node, NodeState::kDraining, ""});
  } else if (random.Chance(0.5)) {
    cluster.view.alive[node] = false;
    cluster.view.dead_for_good[node] = true;
  }
}

void CheckConstraints(const PlannedCluster& cluster) {
  for (const ShardRecord& shard : cluster.state.shards()) {
    std::set<NodeId> nodes;
    std::size_t voters = 0;
    for (const ReplicaPlace& place : shard.entry.replicas) {
      EXPECT_TRUE(nodes.insert(place.node).second) << "one copy a node";
      voters += place.voter;
    }
    EXPECT_EQ(voters % 2, 1u);
  }
}

TEST(PlannerPropertyTest, APlanIsAFixedPoint) {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    PlannedCluster cluster = RandomCluster(random);
    cluster.Settle();
    if (random.Chance(0.6)) Trouble(random, cluster);
    const Plan plan = cluster.MakeIt();
    EXPECT_EQ(Text(plan), Text(cluster.MakeIt())) << "the same view, the same plan";
    std::map<ShardId, std::size_t> voters;
    for (const PlannedMove& move : plan.moves) {
      voters[move.start.shard] = cluster.ConfigOf(move.start.shard).voters.size();
    }
    ASSERT_TRUE(cluster.RunAll(plan));
    for (const auto& [shard, before] : voters) {
      const std::size_t wanted = WantedCopies(cluster.state.settings(), shard);
      const std::size_t votes = wanted - (wanted % 2 == 0);
      EXPECT_GE(cluster.ConfigOf(shard).voters.size(), std::min(before, votes));
    }
    CheckConstraints(cluster);
    const Plan again = cluster.MakeIt();
    EXPECT_TRUE(again.moves.empty()) << again.moves[0].start.reason;
    if (HasFailure()) return;
  }
}

TEST(PlannerPropertyTest, BalancingNeverWidensTheSpread) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    PlannedCluster cluster = RandomCluster(random);
    cluster.Settle();
    cluster.Join(50);
    const double before = Spread(cluster.Look());
    const Plan plan = cluster.MakeIt();
    EXPECT_LE(plan.spread_after, before + 1e-9);
    ASSERT_TRUE(cluster.RunAll(plan));
    EXPECT_NEAR(Spread(cluster.Look()), plan.spread_after, 1e-9) << "the plan keeps its word";
  }
}

// The time-out of the test program is the bound: a planner that takes far too long meets it.
TEST(PlannerPropertyTest, FourThousandShardsArePlanned) {
  PlannedCluster cluster(4096);
  for (std::uint64_t node = 2; node <= 5; ++node) cluster.Join(node, 2);
  EXPECT_GE(cluster.MakeIt().moves.size(), 8192u);
  EXPECT_LE(cluster.MakeIt(200).moves.size(), 200u);
}

}  // namespace
}  // namespace decree::rebalance
