#include "rebalance/plan_sim.h"

#include <gtest/gtest.h>

namespace decree::rebalance {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

NodeShape Node(std::string zone = {}) { return {std::move(zone), {kTiB}}; }

// Three nodes at rest with three copies of each shard.
PlanSim ThreeNodes(std::size_t shards = 64) {
  PlanSim sim = *PlanSim::Make(3, Node(), std::vector<ShardShape>(shards, {kMiB, 1}));
  EXPECT_TRUE(sim.AddNode(Node()));
  EXPECT_TRUE(sim.AddNode(Node()));
  EXPECT_TRUE(sim.Settle().settled);
  return sim;
}

std::uint64_t CopiesOn(const PlanSim& sim, std::uint32_t node) {
  std::uint64_t copies = 0;
  for (const PlanSim::DiskCopies& disk : sim.Disks()) {
    if (disk.node == NodeId{node}) copies += disk.copies;
  }
  return copies;
}

TEST(PlanSimTest, EveryShardGetsItsCopiesWhenNodesAreThere) {
  const PlanSim sim = ThreeNodes();
  for (std::uint32_t node = 1; node <= 3; ++node) EXPECT_EQ(CopiesOn(sim, node), 64u);
}

TEST(PlanSimTest, NewNodesFillToTheMeanWithFewBytesTooMany) {
  PlanSim sim = ThreeNodes();
  for (std::uint32_t node = 4; node <= 5; ++node) {
    ASSERT_TRUE(sim.AddNode(Node()));
    const SettleReport report = sim.Settle();
    EXPECT_TRUE(report.settled);
    EXPECT_GT(report.bytes_least, 0u);
    EXPECT_LE(static_cast<double>(report.bytes_moved),
              1.1 * static_cast<double>(report.bytes_least));
    const double mean = 3 * 64.0 / node;
    const double tolerance = std::max(1.0, 0.05 * mean);  // within it nothing is moved
    for (std::uint32_t at = 1; at <= node; ++at) {
      EXPECT_NEAR(static_cast<double>(CopiesOn(sim, at)), mean, tolerance) << "node " << at;
    }
  }
}

// The most moves of one shard on the way to rest.
std::size_t MostMovesOfAShard(const SettleReport& report) {
  std::map<ShardId, std::size_t> moves;
  std::size_t most = 0;
  for (const PlannedMove& move : report.moves) most = std::max(most, ++moves[move.start.shard]);
  return most;
}

// Both found by PlanStoryTest. One copy went to the third node for the count; then, for the bytes,
// the other copy went where that one had been.
TEST(PlanSimTest, ACopyGoesInsteadOfAnotherWhosePlaceItWouldTake) {
  PlanSim sim = *PlanSim::Make(2, Node(), {{kMiB, 1}, {kMiB, 1}, {107 * kMiB, 1}});
  ASSERT_TRUE(sim.AddNode(Node()));
  sim.Settle();
  ASSERT_TRUE(sim.AddNode({"", {kTiB, kTiB, kTiB}}));
  const SettleReport report = sim.Settle();
  EXPECT_TRUE(report.settled);
  EXPECT_EQ(MostMovesOfAShard(report), 1u);
  EXPECT_GE(report.moves.size(), 3u);
}

// A copy went to the fifth node for the count, and back for the bytes.
TEST(PlanSimTest, ACopyThatWouldComeBackStays) {
  PlanSim sim =
      *PlanSim::Make(2, Node(), {{80 * kMiB, 1}, {0, 1}, {62 * kMiB, 1}, {176 * kMiB, 1}});
  ASSERT_TRUE(sim.AddNode(Node()));
  sim.Settle();
  ASSERT_TRUE(sim.Resize(ShardId{1}, {61 * kMiB, 1}));
  sim.Settle();
  ASSERT_TRUE(sim.AddNode({"", {kTiB, kTiB, kTiB}}));
  sim.Settle();
  ASSERT_TRUE(sim.AddNode(Node()));
  sim.Settle();
  ASSERT_TRUE(sim.SetDraining(NodeId{1}, true));
  sim.Settle();
  ASSERT_TRUE(sim.AddNode(Node()));
  const SettleReport report = sim.Settle();
  EXPECT_TRUE(report.settled);
  EXPECT_EQ(MostMovesOfAShard(report), 1u);
}

TEST(PlanSimTest, ADrainedNodeGivesUpEverything) {
  PlanSim sim = ThreeNodes();
  ASSERT_TRUE(sim.AddNode(Node()));
  ASSERT_TRUE(sim.Settle().settled);
  ASSERT_TRUE(sim.SetDraining(NodeId{2}, true));
  EXPECT_TRUE(sim.Settle().settled);
  EXPECT_EQ(CopiesOn(sim, 2), 0u);
}

TEST(PlanSimTest, ADeadNodesCopiesAreReplaced) {
  PlanSim sim = ThreeNodes();
  ASSERT_TRUE(sim.AddNode(Node()));
  ASSERT_TRUE(sim.Settle().settled);
  const std::uint64_t lost = CopiesOn(sim, 3);
  ASSERT_TRUE(sim.Kill(NodeId{3}));
  const SettleReport report = sim.Settle();
  EXPECT_TRUE(report.settled);
  EXPECT_EQ(report.bytes_moved, lost * kMiB);
  EXPECT_EQ(CopiesOn(sim, 1) + CopiesOn(sim, 2) + CopiesOn(sim, 4), 3 * 64u);
}

TEST(PlanSimTest, ZonesKeepTheirCopiesApart) {
  PlanSim sim = *PlanSim::Make(3, Node("a"), std::vector<ShardShape>(32, {kMiB, 1}));
  for (const char* zone : {"a", "b", "b", "c", "c"}) {
    const Result<NodeId> added = sim.AddNode(Node(zone));
    ASSERT_TRUE(added) << added.error().ToString();
  }
  ASSERT_TRUE(sim.Settle().settled);
  for (const ShardRecord& shard : sim.state().shards()) {
    std::set<std::string> zones;
    for (const ReplicaPlace& place : shard.entry.replicas) {
      zones.insert(sim.state().Node(place.node)->zone);
    }
    EXPECT_EQ(zones.size(), 3u);
  }
}

// Any number of shards; all copies begin on one node, and none may be far from its fair share.
TEST(PlanSimTest, AHundredNodesShareWhatOneHeld) {
  constexpr std::uint32_t kNodes = 100;
  PlanSim sim = *PlanSim::Make(3, Node("a"), std::vector<ShardShape>(1'500, {kMiB, 1}));
  for (std::uint32_t node = 2; node <= kNodes; ++node) {
    ASSERT_TRUE(sim.AddNode(Node(std::string(1, static_cast<char>('a' + node % 4)))));
  }
  EXPECT_TRUE(sim.Settle().settled);
  for (std::uint32_t node = 1; node <= kNodes; ++node) {
    EXPECT_NEAR(static_cast<double>(CopiesOn(sim, node)), 3 * 1'500.0 / kNodes, 45 * 0.05 + 1);
  }
}

TEST(PlanSimTest, WhatMakesNoSenseIsRefused) {
  EXPECT_FALSE(PlanSim::Make(3, Node(), {}));
  EXPECT_FALSE(PlanSim::Make(6, Node(), std::vector<ShardShape>(30)));
  PlanSim sim = ThreeNodes(4);
  EXPECT_FALSE(sim.Kill(NodeId{9}));
  EXPECT_FALSE(sim.Resize(ShardId{4}, {kMiB, 1}));
  EXPECT_FALSE(sim.SetDraining(NodeId{1}, true)) << "three copies need three nodes";
}

}  // namespace
}  // namespace decree::rebalance
