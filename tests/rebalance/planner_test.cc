#include <gmock/gmock.h>

#include "planner_fixture.h"

namespace decree::rebalance {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(PlannerTest, ALoneNodeHasNothingToDo) {
  PlannedCluster cluster;
  EXPECT_TRUE(cluster.MakeIt().moves.empty());
}

TEST(PlannerTest, EveryShardIsFilledUpAsNodesJoin) {
  PlannedCluster cluster(16);
  cluster.Join(2);
  EXPECT_EQ(cluster.MakeIt().moves.size(), 17u) << "the placement group too";
  EXPECT_EQ(cluster.MakeIt().moves[0].start.shard, kPlacementShard) << "and it first";
  EXPECT_EQ(cluster.Settle(), 1);
  EXPECT_EQ(cluster.CopiesOn(NodeId{2}), 16u);
  cluster.Join(3);
  EXPECT_EQ(cluster.Settle(), 1);
  for (const ShardRecord& shard : cluster.state.shards()) {
    EXPECT_EQ(shard.entry.replicas.size(), 3u);
    for (const ReplicaPlace& place : shard.entry.replicas) EXPECT_TRUE(place.voter);
  }
  EXPECT_EQ(cluster.state.placement().entry.replicas.size(), 3u);
}

TEST(PlannerTest, TwoNewNodesAtOnceArePlannedInOneGo) {
  PlannedCluster cluster(16);
  cluster.Join(2);
  cluster.Join(3);
  EXPECT_EQ(cluster.MakeIt().moves.size(), 34u);
  EXPECT_EQ(cluster.Settle(), 1);
}

TEST(PlannerTest, AFourthNodeGetsItsFairShare) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  const NodeId four = cluster.Join(4);
  const Plan plan = cluster.MakeIt();
  EXPECT_GT(plan.spread_before, 0.9);
  EXPECT_LT(plan.spread_after, 0.2);
  for (const PlannedMove& move : plan.moves) {
    EXPECT_EQ(move.start.to, four);
    EXPECT_EQ(move.start.cause, MoveCause::kBalance);
    EXPECT_FALSE(move.start.reason.empty());
  }
  EXPECT_EQ(cluster.Settle(), 1) << "the plan is a fixed point";
  EXPECT_GE(cluster.CopiesOn(four), 11u);
  EXPECT_LE(cluster.CopiesOn(four), 13u);
}

TEST(PlannerTest, ADeadNodeIsReplacedAfterItsDelay) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  cluster.Settle();
  const std::size_t copies = cluster.CopiesOn(NodeId{2});
  ASSERT_GT(copies, 0u);
  cluster.Do(SetNodeState{NodeId{2}, NodeState::kDead, "silent"});
  cluster.view.alive[NodeId{2}] = false;
  EXPECT_TRUE(cluster.MakeIt().moves.empty()) << "it may come back";
  cluster.view.dead_for_good[NodeId{2}] = true;
  const Plan plan = cluster.MakeIt();
  EXPECT_GE(plan.moves.size(), copies);
  EXPECT_EQ(plan.moves[0].start.cause, MoveCause::kRepair);
  EXPECT_GE(cluster.Settle(), 1);
  EXPECT_EQ(cluster.CopiesOn(NodeId{2}), 0u);
}

TEST(PlannerTest, AFailedDiskIsEmptiedAlsoOntoItsOwnNode) {
  PlannedCluster cluster(8);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  NodeRecord node = MakeNode(1, 2);
  node.disks[0].state = DiskState::kFailed;
  cluster.Do(RegisterNode{node});
  EXPECT_EQ(cluster.Settle(), 1);
  EXPECT_EQ(cluster.CopiesOn(NodeId{1}), 8u);
  for (const ShardRecord& shard : cluster.state.shards()) {
    for (const ReplicaPlace& place : shard.entry.replicas) {
      EXPECT_NE(place.disk, Incarnation{100});
    }
  }
}

TEST(PlannerTest, NothingIsPlannedForAShardWithoutQuorum) {
  PlannedCluster cluster(1);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  for (const std::uint64_t node : {4, 5}) cluster.Join(node);
  for (const std::uint32_t node : {2, 3}) {
    cluster.view.alive[NodeId{node}] = false;
    cluster.view.dead_for_good[NodeId{node}] = true;
  }
  const Plan plan = cluster.MakeIt();
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_FALSE(plan.rejected.empty());
  EXPECT_EQ(plan.rejected[0].rule, "no_quorum");
}

TEST(PlannerTest, ADrainedNodeIsEmptiedThePlacementGroupToo) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  cluster.Settle();
  ASSERT_EQ(cluster.Do(SetNodeState{NodeId{1}, NodeState::kDraining, ""}).code, Errc::kOk);
  EXPECT_GE(cluster.Settle(), 1);
  EXPECT_FALSE(cluster.state.HoldsReplicas(NodeId{1}));
}

TEST(PlannerTest, AShardWithADeadVoterIsNeitherBalancedNorDrained) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  for (const std::uint64_t node : {4, 5}) cluster.Join(node);
  cluster.Do(SetNodeState{NodeId{3}, NodeState::kDead, "silent"});
  cluster.view.alive[NodeId{3}] = false;
  const Plan plan = cluster.MakeIt();
  EXPECT_TRUE(plan.moves.empty()) << "its Seal would name the dead voter";
  ASSERT_FALSE(plan.rejected.empty());
  EXPECT_EQ(plan.rejected[0].rule, "not_whole");
  ASSERT_EQ(cluster.Do(SetNodeState{NodeId{2}, NodeState::kDraining, ""}).code, Errc::kOk);
  EXPECT_TRUE(cluster.MakeIt().moves.empty());
  cluster.view.alive[NodeId{3}] = true;
  EXPECT_FALSE(cluster.MakeIt().moves.empty());
}

TEST(PlannerTest, RepairGoesBeforeDrainBeforeBalance) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3, 4, 5}) cluster.Join(node);
  cluster.Settle();
  cluster.Join(6);
  cluster.Do(SetNodeState{NodeId{3}, NodeState::kDraining, ""});
  cluster.Do(SetNodeState{NodeId{4}, NodeState::kDead, ""});
  cluster.view.alive[NodeId{4}] = false;
  cluster.view.dead_for_good[NodeId{4}] = true;
  int last = 0;
  for (const PlannedMove& move : cluster.MakeIt().moves) {
    const int rank = move.start.cause == MoveCause::kRepair  ? 1
                     : move.start.cause == MoveCause::kDrain ? 2
                                                             : 3;
    EXPECT_GE(rank, last);
    last = rank;
  }
  EXPECT_GE(last, 2);
}

TEST(PlannerTest, ZonesAreKeptApartWherePossible) {
  PlannedCluster cluster(16);
  NodeRecord first = MakeNode(1, 1, "a");
  cluster.Do(RegisterNode{first});
  cluster.Join(2, 1, "a");
  cluster.Join(3, 1, "b");
  cluster.Settle();
  EXPECT_EQ(cluster.CopiesOn(NodeId{2}), 16u) << "where it is not possible, copies go first";
  cluster.Join(4, 1, "c");
  EXPECT_GE(cluster.Settle(), 1);
  for (const ShardRecord& shard : cluster.state.shards()) {
    std::set<std::string> zones;
    for (const ReplicaPlace& place : shard.entry.replicas) {
      zones.insert(cluster.state.Node(place.node)->zone);
    }
    EXPECT_EQ(zones.size(), 3u);
  }
}

TEST(PlannerTest, ADiskIsNeverFilledAbove85Percent) {
  PlannedCluster cluster(16);
  cluster.Join(2);
  const std::uint64_t capacity = cluster.state.Node(NodeId{2})->disks[0].capacity_bytes;
  cluster.view.disk_used_bytes[Incarnation{200}] =
      static_cast<std::uint64_t>(static_cast<double>(capacity) * kFullShare) - 5 * kMiB;
  const Plan plan = cluster.MakeIt();
  EXPECT_EQ(plan.moves.size(), 6u) << "five shards of a MiB and the empty placement group";
  ASSERT_FALSE(plan.rejected.empty());
  EXPECT_EQ(plan.rejected[0].rule, "no_target");
}

TEST(PlannerTest, LoadFollowsCapacity) {
  PlannedCluster cluster(32, 1);
  NodeRecord big = MakeNode(2);
  big.disks[0].capacity_bytes *= 3;
  cluster.Do(RegisterNode{big});
  EXPECT_GE(cluster.Settle(), 1);
  EXPECT_GE(cluster.CopiesOn(NodeId{2}), 22u);
  EXPECT_LE(cluster.CopiesOn(NodeId{2}), 25u);
}

TEST(PlannerTest, BytesAreEvenedOutWithoutUnsettlingCounts) {
  PlannedCluster cluster(8, 1);
  cluster.Join(2);
  cluster.Settle();
  ASSERT_GE(cluster.CopiesOn(NodeId{2}), 3u);
  for (auto& [shard, load] : cluster.view.loads) {
    const NodeId node = cluster.state.Shard(shard)->entry.replicas[0].node;
    load.bytes = (node == NodeId{1} ? 2000 : 100) * kMiB;
  }
  const Plan plan = cluster.MakeIt();
  EXPECT_FALSE(plan.moves.empty());
  for (const PlannedMove& move : plan.moves) {
    EXPECT_EQ(move.from, NodeId{1});
    EXPECT_THAT(move.start.reason, ::testing::HasSubstr("MiB"));
  }
  EXPECT_GE(cluster.Settle(), 1);
}

TEST(PlannerTest, ALearnerThatMissedTheSealIsPromoted) {
  PlannedCluster cluster(1);
  for (const std::uint64_t node : {2, 3}) {
    const NodeId id = cluster.Join(node);
    const MoveId move{cluster.Do(cluster.Intent(ShardId{0}, ReplicaId{}, id)).version};
    for (const Stage stage :
         {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify}) {
      cluster.To(move, stage);
    }
    consensus::Config config = cluster.ConfigOf(ShardId{0});
    config.learners.push_back({cluster.state.Move(move)->target.replica, id});
    cluster.To(move, Stage::kPublish, "", config);
    cluster.To(move, Stage::kDone);
  }
  const Plan plan = cluster.MakeIt();
  const auto promotion = std::find_if(plan.moves.begin(), plan.moves.end(), [](const auto& move) {
    return move.start.shard == ShardId{0};
  });
  ASSERT_NE(promotion, plan.moves.end());
  EXPECT_EQ(promotion->start.source, ReplicaId{});
  EXPECT_EQ(promotion->start.to, NodeId{2});
  EXPECT_EQ(cluster.Settle(), 1);
  EXPECT_EQ(cluster.ConfigOf(ShardId{0}).voters.size(), 3u);
}

void WantCopies(PlannedCluster& cluster, std::uint32_t copies) {
  ChangeSettings change;
  change.replicas = copies;
  EXPECT_EQ(cluster.Do(change).code, Errc::kOk);
}

TEST(PlannerTest, CopiesFollowTheSettingUpAndDown) {
  PlannedCluster cluster(8, 3);
  for (std::uint64_t node = 2; node <= 5; ++node) cluster.Join(node);
  for (const std::uint32_t copies : {3u, 5u, 3u, 1u, 4u, 2u}) {
    WantCopies(cluster, copies);
    EXPECT_GE(cluster.Settle(), 0);
    for (const ShardRecord& shard : cluster.state.shards()) {
      EXPECT_EQ(shard.entry.replicas.size(), copies);
      EXPECT_EQ(cluster.ConfigOf(ShardId{0}).voters.size(), copies - (copies % 2 == 0));
    }
    EXPECT_EQ(cluster.state.placement().entry.replicas.size(), 3u);
  }
}

TEST(PlannerTest, TheCopyShedIsTheOneBestDoneWithout) {
  PlannedCluster cluster(4, 5);
  for (std::uint64_t node = 2; node <= 5; ++node) {
    cluster.Join(node, 1, node <= 3 ? "a" : std::string(1, static_cast<char>('a' + node)));
  }
  cluster.Settle();
  WantCopies(cluster, 4);
  cluster.view.loads[ShardId{0}].leader = NodeId{2};
  const auto shed = [&cluster] {
    std::vector<PlannedMove> moves = cluster.MakeIt().moves;
    std::erase_if(moves, [](const PlannedMove& move) { return static_cast<bool>(move.start.to); });
    EXPECT_EQ(moves.size(), 4u);
    return moves;
  };
  for (const PlannedMove& move : shed()) {
    const NodeId leader = cluster.view.loads[move.start.shard].leader;
    EXPECT_EQ(move.from, NodeId{leader == NodeId{2} ? 3u : move.from.value});
    EXPECT_TRUE(move.from == NodeId{2} || move.from == NodeId{3}) << "two in one zone";
  }
  cluster.Do(SetNodeState{NodeId{5}, NodeState::kDraining, ""});
  for (const PlannedMove& move : shed()) EXPECT_EQ(move.from, NodeId{5});
}

TEST(PlannerTest, NothingIsShedWhileAnotherVoterIsAway) {
  PlannedCluster cluster(1, 5);
  for (std::uint64_t node = 2; node <= 5; ++node) cluster.Join(node);
  cluster.Settle();
  WantCopies(cluster, 3);
  cluster.view.alive[NodeId{4}] = false;
  const Plan waiting = cluster.MakeIt();
  EXPECT_TRUE(waiting.moves.empty());
  ASSERT_FALSE(waiting.rejected.empty());
  EXPECT_EQ(waiting.rejected[0].rule, "voter_away");
  cluster.view.dead_for_good[NodeId{4}] = true;
  const Plan plan = cluster.MakeIt();
  ASSERT_FALSE(plan.moves.empty());
  EXPECT_EQ(plan.moves[0].from, NodeId{4}) << "the lost copy is not replaced, it is the one shed";
  EXPECT_FALSE(plan.moves[0].start.to);
}

TEST(PlannerTest, WhatIsSwitchedOffIsNotShed) {
  PlannedCluster cluster(2, 5);
  for (std::uint64_t node = 2; node <= 6; ++node) cluster.Join(node);
  cluster.Settle();
  WantCopies(cluster, 3);
  cluster.Do(ChangeSettings{.repair = false});
  for (const PlannedMove& move : cluster.MakeIt().moves) EXPECT_TRUE(move.start.to);
  const NodeId leaving = cluster.ConfigOf(ShardId{0}).voters[0].node;
  cluster.Do(SetNodeState{leaving, NodeState::kDraining, ""});
  bool shed = false;
  for (const PlannedMove& move : cluster.MakeIt().moves) {
    if (move.start.to) continue;
    shed = true;
    EXPECT_EQ(move.from, leaving);
    EXPECT_EQ(move.start.cause, MoveCause::kDrain);
  }
  EXPECT_TRUE(shed);
}

TEST(PlannerTest, ALearnerIsNotPromotedIntoTheSeatOfAVoterThatIsAway) {
  PlannedCluster cluster(1, 4);
  for (std::uint64_t node = 2; node <= 4; ++node) cluster.Join(node);
  cluster.Settle();
  ASSERT_EQ(cluster.ConfigOf(ShardId{0}).voters.size(), 3u);
  const NodeId voter = cluster.ConfigOf(ShardId{0}).voters[0].node;
  cluster.view.alive[voter] = false;
  for (const PlannedMove& move : cluster.MakeIt().moves) {
    EXPECT_NE(move.start.shard, ShardId{0}) << move.start.reason;
  }
}

TEST(PlannerTest, MovesInFlightAreCountedAsDone) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  cluster.Join(4);
  const Plan first = cluster.MakeIt();
  for (const PlannedMove& move : first.moves) {
    EXPECT_EQ(cluster.Do(move.start).code, Errc::kOk);
  }
  EXPECT_TRUE(cluster.MakeIt().moves.empty());
  const MoveId one = cluster.state.ActiveMoves()[0]->id;
  cluster.Do(CancelMove{one, ""});
  EXPECT_FALSE(cluster.MakeIt().moves.empty()) << "a cancelled one is not";
}

TEST(PlannerTest, LeadersLeaveANodeUnderMaintenanceAndNothingComes) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  cluster.Look().maintained = {NodeId{1}};
  const Plan plan = cluster.MakeIt();
  EXPECT_TRUE(plan.moves.empty()) << "its copies stay";
  EXPECT_GE(plan.transfers.size(), 16u);
  std::map<NodeId, int> taken;
  for (const PlannedTransfer& transfer : plan.transfers) {
    EXPECT_EQ(transfer.from, NodeId{1});
    EXPECT_TRUE(transfer.leaves);
    ++taken[transfer.to];
  }
  EXPECT_LE(std::abs(taken[NodeId{2}] - taken[NodeId{3}]), 1);
}

TEST(PlannerTest, LeadersAreEvenedOutWhenNothingMoves) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  EXPECT_TRUE(cluster.MakeIt().transfers.empty());
  cluster.Settle();
  const Plan plan = cluster.MakeIt();
  EXPECT_GE(plan.transfers.size(), 8u);
  for (const PlannedTransfer& transfer : plan.transfers) {
    EXPECT_EQ(transfer.from, NodeId{1});
    cluster.view.loads[transfer.shard].leader = transfer.to;
  }
  EXPECT_TRUE(cluster.MakeIt().transfers.empty()) << "a fixed point as well";
}

TEST(PlannerTest, ADiskToWhichTheLastMovesWereRolledBackIsTriedLast) {
  PlannedCluster cluster(1);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  std::set<NodeId> tried;
  for (int i = 0; i < 4; ++i) {
    const Plan plan = cluster.MakeIt();
    const auto move = std::find_if(plan.moves.begin(), plan.moves.end(), [](const auto& planned) {
      return planned.start.shard == ShardId{0};
    });
    ASSERT_NE(move, plan.moves.end());
    EXPECT_EQ(tried.insert(move->start.to).second, i < 3) << "then again, rather than never";
    const CommandResult started = cluster.Do(move->start);
    cluster.To(MoveId{started.version}, Stage::kRolledBack, "its disk is full");
  }
}

TEST(PlannerTest, AMissingDiskIsAwaitedBeforeItsCopiesAreReplaced) {
  PlannedCluster cluster(8);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node, 2);
  cluster.Settle();
  const std::size_t copies = cluster.CopiesOn(NodeId{2});
  cluster.Do(RegisterNode{MakeNode(2, 1)});
  cluster.Look().awaited_disks = {Incarnation{201}};
  const auto repairs = [&] {
    const Plan plan = cluster.MakeIt();
    return std::count_if(plan.moves.begin(), plan.moves.end(), [](const PlannedMove& move) {
      return move.start.cause == MoveCause::kRepair;
    });
  };
  EXPECT_EQ(repairs(), 0);
  cluster.view.awaited_disks.clear();
  EXPECT_GT(repairs(), 0);
  EXPECT_LT(repairs(), static_cast<std::ptrdiff_t>(copies)) << "the other disk is as good as ever";
}

// ---- drains that cannot succeed ----

TEST(DrainObstacleTest, ADrainForWhichNoDiskHasRoomIsToldSo) {
  PlannedCluster cluster(8);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  cluster.Settle();
  cluster.Look().also_draining = NodeId{4};
  EXPECT_EQ(DrainObstacle(cluster.Look()), "");
  for (std::uint64_t node = 1; node <= 3; ++node) {
    cluster.view.disk_used_bytes[Incarnation{node * 100}] = (std::uint64_t{1} << 40) * 9 / 10;
  }
  EXPECT_THAT(DrainObstacle(cluster.Look()), ::testing::HasSubstr("too full"));
}

TEST(DrainObstacleTest, ANodeThatDoesNotReportIsNoPlaceToGo) {
  PlannedCluster cluster(8);
  for (const std::uint64_t node : {2, 3, 4}) cluster.Join(node);
  cluster.Settle();
  cluster.Look().also_draining = NodeId{4};
  cluster.view.alive[NodeId{1}] = false;
  EXPECT_THAT(DrainObstacle(cluster.Look()), ::testing::HasSubstr("no other node can take it"));
}

// ---- what may start ----

TEST(StartableTest, BigMovesAreLimitedADiskInAndOut) {
  PlannedCluster cluster(16);
  for (auto& [shard, load] : cluster.view.loads) load.bytes = 100 * kMiB;
  cluster.Join(2);
  cluster.Join(3);
  const auto start = StartableNow(cluster.Look(), cluster.MakeIt());
  EXPECT_EQ(start.size(), 2u) << "the source disk of all rows is node 1's";
  for (const PlannedMove& move : start) cluster.Do(move.start);
  // The tiny placement group counts as a sixteenth; nothing bigger fits beside it.
  EXPECT_TRUE(StartableNow(cluster.Look(), cluster.MakeIt()).empty());
}

TEST(StartableTest, TinyShardsMoveManyAtATime) {
  PlannedCluster cluster(64);
  cluster.Join(2);
  cluster.Join(3);
  const auto start = StartableNow(cluster.Look(), cluster.MakeIt());
  EXPECT_EQ(start.size(), 32u);
  std::set<ShardId> shards;
  for (const PlannedMove& move : start) EXPECT_TRUE(shards.insert(move.start.shard).second);
}

TEST(StartableTest, AMoveLargerThanTheLimitStartsOnAnIdleDisk) {
  PlannedCluster cluster(1);
  cluster.Do(ChangeSettings{.moves_per_disk = 1});
  cluster.view.loads[ShardId{0}].bytes = 5000 * kMiB;
  cluster.Join(2);
  Plan plan = cluster.MakeIt();
  std::reverse(plan.moves.begin(), plan.moves.end());
  EXPECT_EQ(StartableNow(cluster.Look(), plan).size(), 1u);
}

TEST(StartableTest, AnApprovedPlanRunsWhateverTheSettingsSayAndHoldsBackBalance) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  cluster.Join(4);
  const Plan plan = cluster.MakeIt();
  ASSERT_GT(plan.moves.size(), 3u);
  cluster.Do(ChangeSettings{.rebalance = false});
  cluster.Do(ApprovePlan{1, {plan.moves[1].start, plan.moves[0].start}});
  const auto start = StartableNow(cluster.Look(), plan);
  ASSERT_EQ(start.size(), 2u);
  EXPECT_EQ(start[0].start, plan.moves[1].start) << "in the order of the plan";
  EXPECT_EQ(start[0].from, plan.moves[1].from);
  cluster.Do(ChangeSettings{.rebalance = true});
  EXPECT_EQ(StartableNow(cluster.Look(), plan).size(), 2u);
  for (const PlannedMove& move : start) cluster.Do(move.start);
  EXPECT_GT(StartableNow(cluster.Look(), plan).size(), 0u);
}

TEST(StartableTest, RepairGoesBeforeAnApprovedPlan) {
  PlannedCluster cluster(4);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  cluster.Join(4);
  const Plan shown = cluster.MakeIt();
  ASSERT_FALSE(shown.moves.empty());
  const StartMove approved = shown.moves[0].start;
  cluster.Do(ApprovePlan{1, {approved}});
  cluster.view.alive[NodeId{2}] = false;
  cluster.view.dead_for_good[NodeId{2}] = true;
  const auto start = StartableNow(cluster.Look(), cluster.MakeIt());
  ASSERT_FALSE(start.empty());
  for (const PlannedMove& move : start) EXPECT_NE(move.start, approved) << "its shard is repaired";
}

TEST(StartableTest, SettingsSwitchCausesOff) {
  PlannedCluster cluster(16);
  for (const std::uint64_t node : {2, 3}) cluster.Join(node);
  cluster.Settle();
  cluster.Join(4);
  cluster.Do(ChangeSettings{.rebalance = false});
  const Plan plan = cluster.MakeIt();
  EXPECT_FALSE(plan.moves.empty()) << "the plan shows what would be done";
  EXPECT_TRUE(StartableNow(cluster.Look(), plan).empty());
}

}  // namespace
}  // namespace decree::rebalance
