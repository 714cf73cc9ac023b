#include "planner_fixture.h"

namespace decree::rebalance {
namespace {

TEST(PlacementNodesTest, BootstrapPutsOneReplicaOfEachShardOnNodeOne) {
  TestCluster cluster(4);
  EXPECT_TRUE(cluster.state.bootstrapped());
  ASSERT_EQ(cluster.state.shards().size(), 4u);
  for (const ShardRecord& shard : cluster.state.shards()) {
    EXPECT_EQ(shard.entry.epoch, Epoch{1});
    ASSERT_EQ(shard.entry.replicas.size(), 1u);
    EXPECT_EQ(shard.entry.replicas[0],
              (ReplicaPlace{ReplicaId{1}, NodeId{1}, Incarnation{100}, true}));
  }
  EXPECT_EQ(cluster.state.placement().entry.replicas.size(), 1u);
  EXPECT_EQ(cluster.state.Map().nodes.size(), 1u);
}

TEST(PlacementNodesTest, BootstrapRefusesNonsenseAndASecondCluster) {
  PlacementState empty;
  Bootstrap odd{ClusterId{1}, 3, 3, MakeNode(1)};
  EXPECT_EQ(empty.Apply(Slot{1}, 1, {NodeId{1}, odd}).code, Errc::kInvalidArgument);
  EXPECT_FALSE(empty.bootstrapped());
  TestCluster cluster;
  const auto before = cluster.RowsWithoutDecrees();
  Bootstrap other{ClusterId{5}, 4, 3, MakeNode(9)};
  EXPECT_EQ(cluster.Do(other).code, Errc::kConflict);
  Bootstrap again{ClusterId{77}, 4, 3, MakeNode(1)};
  EXPECT_EQ(cluster.Do(again).code, Errc::kOk);
  EXPECT_EQ(cluster.RowsWithoutDecrees(), before);
}

TEST(PlacementNodesTest, NothingIsAcceptedBeforeTheClusterExists) {
  PlacementState empty;
  EXPECT_EQ(empty.Apply(Slot{1}, 1, {NodeId{1}, RegisterNode{MakeNode(2)}}).code,
            Errc::kUnavailable);
  EXPECT_EQ(empty.decrees().size(), 1u);
}

TEST(PlacementNodesTest, AKnownFirstDiskGetsItsNodeIdAgain) {
  TestCluster cluster;
  const NodeId two = cluster.Join(2);
  EXPECT_EQ(two, NodeId{2});
  const auto before = cluster.RowsWithoutDecrees();
  EXPECT_EQ(cluster.Join(2), two);
  EXPECT_EQ(cluster.RowsWithoutDecrees(), before) << "a repeat changes nothing";
  EXPECT_EQ(cluster.Join(3), NodeId{3}) << "a wiped node is a new one";
}

TEST(PlacementNodesTest, NewAddressesReachTheMap) {
  TestCluster cluster;
  const NodeId two = cluster.Join(2);
  const std::uint64_t version = cluster.state.version();
  NodeRecord moved = MakeNode(2);
  moved.rpc = "elsewhere:1";
  EXPECT_EQ(cluster.Do(RegisterNode{moved}).version, two.value);
  EXPECT_GT(cluster.state.version(), version);
  EXPECT_EQ(cluster.state.Map().nodes[1].rpc, "elsewhere:1");
}

TEST(PlacementNodesTest, RegistrationWakesTheDeadButNotTheRemoved) {
  TestCluster cluster;
  const NodeId two = cluster.Join(2);
  EXPECT_EQ(cluster.Do(SetNodeState{two, NodeState::kDead, "silent"}).code, Errc::kOk);
  EXPECT_EQ(cluster.Join(2), two);
  EXPECT_EQ(cluster.state.Node(two)->state, NodeState::kUp);
  EXPECT_EQ(cluster.Do(SetNodeState{two, NodeState::kRemoved, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster.Do(RegisterNode{MakeNode(2)}).code, Errc::kImpossible);
  EXPECT_EQ(cluster.state.Map().nodes.size(), 1u);
}

TEST(PlacementNodesTest, DeathAndDrainAreTwoFacts) {
  TestCluster cluster;
  const NodeId two = cluster.Join(2);
  const auto set = [&](NodeState state) {
    EXPECT_EQ(cluster.Do(SetNodeState{two, state, ""}).code, Errc::kOk);
    return cluster.state.Node(two)->state;
  };
  EXPECT_EQ(set(NodeState::kDraining), NodeState::kDraining);
  EXPECT_EQ(set(NodeState::kDead), NodeState::kDraining) << "its drain goes on";
  EXPECT_TRUE(cluster.state.Node(two)->dead());
  EXPECT_EQ(set(NodeState::kUp), NodeState::kDead) << "only its own report wakes it";
  EXPECT_EQ(set(NodeState::kDraining), NodeState::kDraining);
  EXPECT_EQ(cluster.Join(2), two);
  EXPECT_FALSE(cluster.state.Node(two)->dead());
  EXPECT_EQ(cluster.state.Node(two)->state, NodeState::kDraining);
}

TEST(PlacementNodesTest, AnIdWithForeignDisksIsRefused) {
  TestCluster cluster;
  NodeRecord impostor = MakeNode(9);
  impostor.id = NodeId{1};
  EXPECT_EQ(cluster.Do(RegisterNode{impostor}).code, Errc::kImpossible);
  impostor.id = NodeId{12};
  EXPECT_EQ(cluster.Do(RegisterNode{impostor}).code, Errc::kImpossible);
}

TEST(PlacementNodesTest, DisksKeepTheirPlaceAndAMissingOneIsFailed) {
  TestCluster cluster;
  const NodeId two = cluster.Join(2, 2);
  NodeRecord changed = MakeNode(2, 1);
  changed.disks.push_back({Incarnation{999}, "/new", 1, DiskState::kOk});
  cluster.Do(RegisterNode{changed});
  const auto& disks = cluster.state.Node(two)->disks;
  ASSERT_EQ(disks.size(), 3u);
  EXPECT_EQ(disks[0].state, DiskState::kOk);
  EXPECT_EQ(disks[1].incarnation, Incarnation{201});
  EXPECT_EQ(disks[1].state, DiskState::kFailed);
  EXPECT_EQ(disks[2].incarnation, Incarnation{999});
}

TEST(PlacementNodesTest, AnImpossibleDrainSaysWhyAtOnce) {
  TestCluster cluster;
  const CommandResult alone = cluster.Do(SetNodeState{NodeId{1}, NodeState::kDraining, ""});
  EXPECT_EQ(alone.code, Errc::kImpossible);
  EXPECT_FALSE(alone.detail.empty());
  cluster.Join(2);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDraining, ""}).code, Errc::kOk);
}

TEST(PlacementNodesTest, ADrainNeedsAsManyOtherNodesAsThereAreCopies) {
  PlannedCluster cluster(4);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  cluster.Settle();
  const auto drain = [&](std::uint32_t node) {
    return cluster.Do(SetNodeState{NodeId{node}, NodeState::kDraining, ""});
  };
  EXPECT_EQ(drain(1).code, Errc::kOk);
  const CommandResult second = drain(2);
  EXPECT_EQ(second.code, Errc::kImpossible) << "node 1 leaves too";
  EXPECT_NE(second.detail.find("3 copies, and 2 other nodes"), std::string::npos) << second.detail;
  cluster.Join(5);
  EXPECT_EQ(drain(2).code, Errc::kOk);
  EXPECT_GE(cluster.Settle(), 0);
  EXPECT_FALSE(cluster.state.HoldsReplicas(NodeId{1}));
  EXPECT_FALSE(cluster.state.HoldsReplicas(NodeId{2}));
}

TEST(PlacementNodesTest, ACopyOnItsWayNeedsANodeToo) {
  TestCluster cluster;
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  for (const std::uint32_t node : {2, 3}) {
    const auto started = cluster.Do(cluster.Intent(ShardId{0}, ReplicaId{}, NodeId{node}));
    ASSERT_EQ(started.code, Errc::kOk) << started.detail;
    if (node == 2) cluster.Finish(MoveId{started.version});
  }
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDraining, ""}).code, Errc::kImpossible);
}

TEST(PlacementNodesTest, ADrainEndsOnlyWhenTheNodeIsEmpty) {
  TestCluster cluster(1, 1);
  cluster.Join(2);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDraining, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDrained, ""}).code, Errc::kImpossible);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kRemoved, ""}).code, Errc::kImpossible);
  for (const ShardId shard : {ShardId{0}, kPlacementShard}) {
    const auto started = cluster.Do(cluster.Intent(shard, ReplicaId{1}, NodeId{2}));
    ASSERT_EQ(started.code, Errc::kOk) << started.detail;
    cluster.Finish(MoveId{started.version});
  }
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDrained, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kRemoved, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kUp, ""}).code, Errc::kImpossible);
}

TEST(PlacementNodesTest, SettingsOutOfRangeAreRefused) {
  TestCluster cluster;
  EXPECT_EQ(cluster.Do(ChangeSettings{.replicas = 0}).code, Errc::kInvalidArgument);
  EXPECT_EQ(cluster.Do(ChangeSettings{.replicas = 5}).code, Errc::kOk);
  EXPECT_EQ(cluster.state.settings().replicas, 5u);
}

TEST(PlacementNodesTest, AChangeOfSettingsTouchesOnlyTheFieldsItNames) {
  TestCluster cluster;
  cluster.Do(ChangeSettings{.rebalance = false, .dead_node_delay_s = 7});
  cluster.Do(ChangeSettings{.moves_per_disk = 5});
  Settings expected;
  expected.rebalance = false;
  expected.dead_node_delay_s = 7;
  expected.moves_per_disk = 5;
  EXPECT_EQ(cluster.state.settings(), expected);
}

}  // namespace
}  // namespace decree::rebalance
