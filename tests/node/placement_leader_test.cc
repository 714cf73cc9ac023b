#include "server/node/placement_leader.h"

#include "placement_world.h"
#include "server/node/move_driver.h"

namespace decree::node {
namespace {

using rebalance::NodeState;

class PlacementLeaderTest : public ::testing::Test {
 protected:
  explicit PlacementLeaderTest(std::uint32_t replicas = 3) : world_(2, replicas) {
    leader_.Start();
  }
  // Every node but the silent ones reports each half second for that long.
  void Live(Duration time, const std::set<std::uint32_t>& silent = {}) {
    const Instant end = world_.clock().Now() + time;
    while (world_.clock().Now() < end) {
      for (const auto& [id, node] : world_.state()->nodes()) {
        if (!silent.contains(id.value)) leader_.OnReport(world_.Report(id));
      }
      world_.clock().RunFor(500ms);
    }
  }
  NodeState StateOf(std::uint32_t node) { return world_.state()->Node(NodeId{node})->state; }
  std::size_t Moves() { return world_.state()->moves().size(); }
  // Nodes 2 to `nodes` join, and every shard and the placement group have their three copies.
  void Form(std::uint32_t nodes) {
    driver_.Start();
    for (std::uint32_t node = 2; node <= nodes; ++node) world_.Join(node);
    Live(20s);
    ASSERT_TRUE(world_.state()->ActiveMoves().empty());
    ASSERT_EQ(leader_.Plan().moves.size(), 0u);
  }
  void SetDelay(std::uint64_t seconds) {
    world_.Apply(rebalance::ChangeSettings{.dead_node_delay_s = seconds});
  }
  // The move of shard 0 ends in a rollback, once each half second.
  void RollBack(int times) {
    for (int round = 0; round < times; ++round) {
      for (const auto* move : world_.state()->ActiveMoves()) {
        if (move->shard != ShardId{0}) continue;
        rebalance::AdvanceMove back;
        back.move = move->id;
        back.stage = rebalance::Stage::kRolledBack;
        world_.Apply(back);
        break;
      }
      Live(500ms);
    }
  }
  void Drain(std::uint32_t node) {
    const auto drained = world_.Apply(
        rebalance::SetNodeState{NodeId{node}, NodeState::kDraining, "asked for by an operator"});
    ASSERT_EQ(drained.code, Errc::kOk) << drained.detail;
  }

  PlacementWorld world_;
  PlacementLeader leader_{world_};
  MoveDriver driver_{world_, [this](NodeId node) { return leader_.Silent(node); }};
};

TEST_F(PlacementLeaderTest, NothingIsPlannedBeforeEveryLiveNodeHasReported) {
  world_.Join(2);
  Live(2s, {2});
  EXPECT_EQ(Moves(), 0u);
  EXPECT_FALSE(leader_.AllHeard());
  Live(1s);
  EXPECT_TRUE(leader_.AllHeard());
  EXPECT_EQ(Moves(), 3u) << "two shards and the placement group are filled up";
}

TEST_F(PlacementLeaderTest, ANewLeaderKnowsNothingOfTheOldOnesReports) {
  Live(1s);
  ASSERT_TRUE(leader_.AllHeard());
  leader_.Stop();
  EXPECT_TRUE(leader_.heard().empty());
  leader_.Start();
  EXPECT_FALSE(leader_.AllHeard());
}

TEST_F(PlacementLeaderTest, ASilentNodeIsSuspectThenDeadThenBack) {
  world_.Join(2);
  Live(1s);
  Live(4s, {2});
  EXPECT_FALSE(leader_.Alive(NodeId{2}));
  EXPECT_EQ(leader_.Suspects(), std::vector<NodeId>{NodeId{2}});
  EXPECT_EQ(StateOf(2), NodeState::kUp);
  Live(15s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDead);
  EXPECT_TRUE(leader_.Silent(NodeId{2}));
  Live(1s);
  EXPECT_EQ(StateOf(2), NodeState::kUp);
  EXPECT_TRUE(leader_.Alive(NodeId{2}));
  EXPECT_TRUE(leader_.Suspects().empty());
}

TEST_F(PlacementLeaderTest, ReplicasOfADeadNodeAreReplacedOnlyAfterTheDelay) {
  SetDelay(60);
  world_.Join(2);
  Live(1s);
  Live(30s, {2});
  EXPECT_FALSE(leader_.View().dead_for_good.at(NodeId{2}));
  Live(40s, {2});
  EXPECT_TRUE(leader_.View().dead_for_good.at(NodeId{2}));
}

// The delays of decrees are counted in the time of decrees.
TEST_F(PlacementLeaderTest, NothingIsReplacedDuringMaintenance) {
  Form(4);
  SetDelay(5);
  ASSERT_EQ(world_.Apply(rebalance::Maintain{NodeId{2}, 60'000, ""}).code, Errc::kOk);
  const std::size_t before = Moves();
  Live(30s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDead);
  EXPECT_EQ(Moves(), before);
  Live(40s, {2});
  EXPECT_GT(Moves(), before) << "it is over";
}

TEST_F(PlacementLeaderTest, AFastWallClockMakesNoDeadNodeDeadForGood) {
  world_.wall_ahead_ms = 3'600'000;
  SetDelay(60);
  world_.Join(2);
  Live(1s);
  Live(30s, {2});
  EXPECT_FALSE(leader_.View().dead_for_good.at(NodeId{2}));
  Live(40s, {2});
  EXPECT_TRUE(leader_.View().dead_for_good.at(NodeId{2}));
}

TEST_F(PlacementLeaderTest, NewAddressesAreRegisteredByReport) {
  world_.Join(2);
  NodeReport report = world_.Report(NodeId{2});
  report.node.rpc = "elsewhere";
  leader_.OnReport(report);
  world_.clock().RunFor(100ms);
  EXPECT_EQ(world_.state()->Node(NodeId{2})->rpc, "elsewhere");
}

TEST_F(PlacementLeaderTest, ANodeThatJustJoinedIsNotSilentSinceTheLeaderBegan) {
  Live(1h);
  world_.Join(2);
  Live(10s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kUp);
  Live(3s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDead) << "but it must report";
}

TEST_F(PlacementLeaderTest, ANewLeaderKnowsSinceWhenANodeIsDead) {
  SetDelay(60);
  world_.Join(2);
  Live(1s);
  Live(80s, {2});
  ASSERT_TRUE(leader_.View().dead_for_good.at(NodeId{2}));
  leader_.Stop();
  leader_.Start();
  Live(1s, {2});
  EXPECT_TRUE(leader_.AllHeard());
  EXPECT_TRUE(leader_.View().dead_for_good.at(NodeId{2}));
}

TEST_F(PlacementLeaderTest, ADiskThatIsNotNamedAnyMoreIsMissingAndLostAfterTheDelay) {
  SetDelay(60);
  world_.Join(2);
  const NodeReport whole = [&] {
    NodeReport report = world_.Report(NodeId{2});
    report.node.disks.push_back({Incarnation{21}, "/second", 1, rebalance::DiskState::kOk});
    return report;
  }();
  const auto second = [&] { return world_.state()->Node(NodeId{2})->disks.at(1); };
  leader_.OnReport(whole);
  Live(100ms, {2});
  ASSERT_EQ(second().state, rebalance::DiskState::kOk);
  NodeReport without = whole;  // the node was restarted without it
  without.node.disks.pop_back();
  leader_.OnReport(without);
  Live(1s, {2});
  EXPECT_EQ(second().state, rebalance::DiskState::kFailed);
  EXPECT_TRUE(leader_.View().awaited_disks.contains(Incarnation{21}));
  const std::size_t decrees = world_.state()->decrees().size();
  leader_.OnReport(without);
  Live(1s, {2});
  EXPECT_EQ(world_.state()->decrees().size(), decrees) << "it is news only once";
  Live(60s, {2});
  EXPECT_FALSE(leader_.View().awaited_disks.contains(Incarnation{21}));
  leader_.OnReport(whole);
  Live(1s, {2});
  EXPECT_EQ(second().state, rebalance::DiskState::kOk);
}

TEST_F(PlacementLeaderTest, AKnownReplicaOnANodeWhereItDoesNotBelongIsRemoved) {
  world_.Join(2);
  NodeReport report = world_.Report(NodeId{2});
  report.replicas = world_.Report(NodeId{1}).replicas;
  world_.ignored.insert(Method::kDestroyReplica);
  leader_.OnReport(report);
  world_.clock().RunFor(50ms);
  EXPECT_EQ(std::count(world_.calls.begin(), world_.calls.end(), Method::kDestroyReplica), 3);
  world_.calls.clear();
  leader_.OnReport(world_.Report(NodeId{1}));
  world_.clock().RunFor(50ms);
  EXPECT_TRUE(world_.calls.empty()) << "at home it stays";
}

TEST_F(PlacementLeaderTest, ADrainEndsWhenNothingIsLeft) {
  world_.Join(2);
  world_.Apply(rebalance::SetNodeState{NodeId{2}, NodeState::kDraining, ""});
  Live(1s);
  EXPECT_EQ(StateOf(2), NodeState::kDrained);
}

class FiveCopiesTest : public PlacementLeaderTest {
 protected:
  FiveCopiesTest() : PlacementLeaderTest(5) {}
};

TEST_F(FiveCopiesTest, TwoDeadVotersAreRepairedOneAfterTheOther) {
  SetDelay(20);
  Form(7);
  const auto voters = [&](std::uint32_t shard) {
    return world_.shard(ShardId{shard}).config.voters;
  };
  ASSERT_EQ(voters(0).size(), 5u);
  const std::set<std::uint32_t> dead = {voters(0)[3].node.value, voters(0)[4].node.value};
  for (const std::uint32_t node : dead) world_.GoDown(NodeId{node});
  Live(90s, dead);
  for (const std::uint32_t shard : {0, 1}) {
    EXPECT_EQ(voters(shard).size(), 5u);
    for (const auto& voter : voters(shard)) EXPECT_FALSE(dead.contains(voter.node.value));
  }
}

TEST_F(PlacementLeaderTest, ADrainOfADeadNodeGoesOnToItsEnd) {
  SetDelay(60);
  Form(4);
  world_.GoDown(NodeId{2});
  Live(15s, {2});
  ASSERT_EQ(StateOf(2), NodeState::kDead);
  Drain(2);
  Live(1s, {2});
  EXPECT_TRUE(leader_.AllHeard()) << "nobody waits for a report of the dead";
  Live(20s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDrained);
  EXPECT_FALSE(world_.state()->HoldsReplicas(NodeId{2}));
}

TEST_F(PlacementLeaderTest, ANodeThatDiesWhileItIsDrainedIsRepairedAndItsDrainEnds) {
  SetDelay(20);
  Form(4);
  // What is left on it can only be repaired.
  world_.Apply(rebalance::ChangeSettings{.drain = false});
  Drain(2);
  Live(5s);
  world_.GoDown(NodeId{2});
  Live(14s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDraining);
  EXPECT_TRUE(world_.state()->Node(NodeId{2})->dead());
  EXPECT_TRUE(leader_.AllHeard());
  EXPECT_TRUE(world_.state()->HoldsReplicas(NodeId{2})) << "the delay has not passed";
  Live(30s, {2});
  EXPECT_EQ(StateOf(2), NodeState::kDrained);
}

TEST_F(PlacementLeaderTest, ADrainingNodeThatComesBackIsAliveAndStillDraining) {
  world_.Join(2);
  Live(1s);
  ASSERT_EQ(Moves(), 3u);  // nobody drives them, so the drain does not end at once
  Drain(2);
  Live(15s, {2});
  ASSERT_TRUE(world_.state()->Node(NodeId{2})->dead());
  Live(1s);
  EXPECT_FALSE(world_.state()->Node(NodeId{2})->dead());
  EXPECT_EQ(StateOf(2), NodeState::kDraining);
}

TEST_F(PlacementLeaderTest, AReplicaThatNobodyKnowsIsRemoved) {
  world_.Join(2);
  const MoveId id = world_.Start(ShardId{0}, ReplicaId{}, NodeId{2});
  const ReplicaId target = world_.Move(id).target.replica;
  world_.shard(ShardId{0}).alive[target] = NodeId{2};
  leader_.OnReport(world_.Report(NodeId{2}));
  world_.clock().RunFor(50ms);
  EXPECT_TRUE(world_.shard(ShardId{0}).alive.contains(target)) << "a move is bringing it";
  world_.Apply(rebalance::CancelMove{id, ""});
  rebalance::AdvanceMove back;
  back.move = id;
  back.stage = rebalance::Stage::kRolledBack;
  world_.Apply(back);
  leader_.OnReport(world_.Report(NodeId{2}));
  world_.clock().RunFor(50ms);
  EXPECT_FALSE(world_.shard(ShardId{0}).alive.contains(target));
  EXPECT_TRUE(world_.shard(ShardId{0}).alive.contains(ReplicaId{1})) << "members are left alone";
}

TEST_F(PlacementLeaderTest, AShardRestsAfterARollback) {
  world_.Join(2);
  Live(1s);
  const std::size_t begun = Moves();
  ASSERT_EQ(begun, 3u);
  RollBack(4);
  EXPECT_LE(Moves(), begun + 1) << "not once more at every tick";
  Live(60s);
  EXPECT_GT(Moves(), begun);
}

// The leader before had a clock that was fast: what its decrees noted lies in the future of ours.
TEST_F(PlacementLeaderTest, ASlowWallClockDoesNotProlongARest) {
  world_.wall_ahead_ms = -3'600'000;
  world_.Join(2);
  Live(1s);
  const std::size_t begun = Moves();
  RollBack(4);
  Live(60s);
  EXPECT_GT(Moves(), begun);
}

TEST_F(PlacementLeaderTest, NothingStartsWithRebalanceAndRepairOff) {
  world_.Apply(rebalance::ChangeSettings{.rebalance = false, .repair = false});
  world_.Join(2);
  Live(3s);
  EXPECT_EQ(Moves(), 0u);
  EXPECT_FALSE(leader_.Plan().moves.empty()) << "but the plan shows what would be done";
}

// contract.md: a missing or emptied disk is failed, never silently fresh.
TEST_F(PlacementLeaderTest, ADiskThatIsNotToldOfAnyMoreIsFailed) {
  rebalance::NodeRecord two_disks = PlacementWorld::Record(1);
  two_disks.disks.push_back(
      {Incarnation{11}, "/disk2", std::uint64_t{1} << 40, rebalance::DiskState::kOk});
  world_.Apply(rebalance::RegisterNode{two_disks});
  Live(1s);
  NodeReport report = world_.Report(NodeId{1});
  report.node.disks.pop_back();
  leader_.OnReport(report);
  world_.clock().RunFor(1s);
  ASSERT_EQ(world_.state()->Node(NodeId{1})->disks.size(), 2u);
  EXPECT_EQ(world_.state()->Node(NodeId{1})->disks[0].state, rebalance::DiskState::kOk);
  EXPECT_EQ(world_.state()->Node(NodeId{1})->disks[1].state, rebalance::DiskState::kFailed);
}

}  // namespace
}  // namespace decree::node
