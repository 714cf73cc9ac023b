#include "server/node/move_driver.h"

#include <gmock/gmock.h>

#include "placement_world.h"

namespace decree::node {
namespace {

using rebalance::Stage;

constexpr ShardId kShard{0};

class MoveDriverTest : public ::testing::Test {
 protected:
  MoveDriverTest() {
    for (std::uint32_t node = 2; node <= 4; ++node) world_.Join(node);
  }
  // Grows the shard to voters on nodes 1 to 3.
  void Grow() {
    Run(world_.Start(kShard, ReplicaId{}, NodeId{2}));
    Run(world_.Start(kShard, ReplicaId{}, NodeId{3}));
    ASSERT_EQ(world_.shard(kShard).config.voters.size(), 3u);
  }
  void Run(MoveId id, Duration limit = 30s) {
    driver_.Start();
    driver_.Kick();
    EXPECT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }, limit))
        << rebalance::StageName(world_.Move(id).stage);
  }
  std::vector<std::string> KindsOf(MoveId id) {
    std::vector<std::string> kinds;
    for (const auto& [key, decree] : world_.state()->decrees()) {
      if (decree.move == id && decree.outcome == "ok") kinds.push_back(decree.kind);
    }
    return kinds;
  }

  PlacementWorld world_;
  MoveDriver driver_{world_};
};

TEST_F(MoveDriverTest, AMoveGoesThroughAllItsStages) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  EXPECT_THAT(KindsOf(id),
              ::testing::ElementsAre("move_intent", "move_add_learner", "move_snapshot",
                                     "move_catch_up", "move_verify", "move_seal", "move_activate",
                                     "move_publish", "move_clean_up", "move_done"));
  EXPECT_EQ(world_.Move(id).digest, "good");
  EXPECT_EQ(world_.Move(id).bytes_total, 700u);
  EXPECT_EQ(world_.created->bytes, 700u) << "for which the target's disk has to have room";
  const ModelShard& shard = world_.shard(kShard);
  EXPECT_FALSE(shard.alive.contains(ReplicaId{2}));
  EXPECT_EQ(world_.Tombstone(NodeId{2}, kShard), ReplicaId{2});
  EXPECT_EQ(world_.state()->Shard(kShard)->entry.epoch, shard.config.epoch);
}

TEST_F(MoveDriverTest, ATinyMoveIsLimitedByRoundTripsNotByTimers) {
  Grow();
  const Instant begun = world_.clock().Now();
  Run(world_.Start(kShard, ReplicaId{2}, NodeId{4}));
  EXPECT_LT(world_.clock().Now() - begun, Duration(200ms));
}

TEST_F(MoveDriverTest, TwoFillUpsMakeOneSealFromOneToThree) {
  const MoveId first = world_.Start(kShard, ReplicaId{}, NodeId{2});
  Run(first);
  EXPECT_EQ(world_.shard(kShard).config.epoch, Epoch{1});
  EXPECT_EQ(world_.shard(kShard).config.learners.size(), 1u);
  EXPECT_FALSE(world_.state()->Shard(kShard)->entry.replicas.back().voter);
  const MoveId second = world_.Start(kShard, ReplicaId{}, NodeId{3});
  Run(second);
  EXPECT_EQ(world_.shard(kShard).config.epoch, Epoch{2});
  EXPECT_EQ(world_.shard(kShard).config.voters.size(), 3u);
}

TEST_F(MoveDriverTest, ALeadingSourceHandsOverBeforeTheSeal) {
  Grow();
  world_.shard(kShard).leader = ReplicaId{2};
  Run(world_.Start(kShard, ReplicaId{2}, NodeId{4}));
  EXPECT_NE(world_.shard(kShard).leader, ReplicaId{2});
  EXPECT_EQ(world_.shard(kShard).config.voters.size(), 3u);
}

// Its target has a vote now: without its rows the shard may lack a quorum until somebody resumes.
TEST_F(MoveDriverTest, AMoveThatIsPausedHoldsItsTargetUntilTheSealIsChosen) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  const ReplicaId target = world_.Move(id).target.replica;
  driver_.Start();
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kCatchUp; });
  EXPECT_EQ(world_.paces[target], FetchPace::kUsual);
  world_.Apply(rebalance::PauseMove{id, true, "a test"});
  world_.clock().RunFor(1s);
  EXPECT_EQ(world_.paces[target], FetchPace::kHeld);
  world_.Apply(rebalance::PauseMove{id, false, "a test"});
  world_.clock().RunUntil([&] { return world_.shard(kShard).config.epoch == Epoch{3}; });
  world_.Apply(rebalance::PauseMove{id, true, "a test"});
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  EXPECT_EQ(world_.paces[target], FetchPace::kUrgent);
}

TEST_F(MoveDriverTest, Scenario21_DifferentDigestsRollTheMoveBack) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  const ReplicaId target = world_.Move(id).target.replica;
  world_.corrupted.insert(target);
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_THAT(world_.Move(id).error, ::testing::HasSubstr("digests differ"));
  EXPECT_FALSE(world_.shard(kShard).config.Find(target));
  EXPECT_EQ(world_.Tombstone(NodeId{4}, kShard), target);
  EXPECT_EQ(world_.shard(kShard).config.epoch, Epoch{2});
  EXPECT_EQ(world_.log.size(), 1u);
}

TEST_F(MoveDriverTest, ADeadTargetRollsTheMoveBack) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kSnapshot; });
  world_.down.insert(NodeId{4});
  world_.Apply(rebalance::SetNodeState{NodeId{4}, rebalance::NodeState::kDead, "silent"});
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_TRUE(world_.shard(kShard).config.learners.empty());
}

TEST_F(MoveDriverTest, ADeadSourceIsReplacedAndNotWaitedFor) {
  Grow();
  world_.down.insert(NodeId{2});
  world_.Apply(rebalance::SetNodeState{NodeId{2}, rebalance::NodeState::kDead, "silent"});
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  const Instant begun = world_.clock().Now();
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  EXPECT_LT(world_.clock().Now() - begun, Duration(300ms)) << "nobody asks the dead";
}

TEST_F(MoveDriverTest, ASilentNodeThatIsBeingDrainedIsNotWaitedForEither) {
  Grow();
  world_.Apply(rebalance::SetNodeState{NodeId{2}, rebalance::NodeState::kDraining, ""});
  world_.down.insert(NodeId{2});
  MoveDriver driver(world_, [](NodeId node) { return node == NodeId{2}; });
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Stop();
  driver.Start();
  EXPECT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }, 2s));
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  driver.Stop();
}

// ---- moves that cannot get on ----

TEST_F(MoveDriverTest, AMoveThatMeetsAVoterOnAFailedDiskMakesWay) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kCatchUp; });
  world_.FailDisk(NodeId{3});
  Run(id, 2s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_THAT(world_.Move(id).error, ::testing::HasSubstr("of node 3 has failed"));
}

TEST_F(MoveDriverTest, ASourceOnAFailedDiskDoesNotHoldUpTheCleanUp) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.ignored.insert(Method::kDestroyReplica);
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kCleanUp; });
  world_.FailDisk(NodeId{2});
  Run(id, 2s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
}

TEST_F(MoveDriverTest, ATargetOnAFailedDiskDoesNotHoldUpTheRollback) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.ignored.insert(Method::kDestroyReplica);
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kCatchUp; });
  world_.FailDisk(NodeId{4});
  Run(id, 2s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_TRUE(world_.shard(kShard).config.learners.empty());
}

TEST_F(MoveDriverTest, AStallIsShownAndThenEndsTheMove) {
  Grow();
  world_.Apply(rebalance::ChangeSettings{.move_stall_s = 10});
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  world_.shard(kShard).problems[world_.Move(id).target.replica] = "the disk is full";
  driver_.Start();
  EXPECT_FALSE(world_.clock().RunUntil([&] { return world_.Ended(id); }, 2s));
  EXPECT_EQ(driver_.Progress(id)->problem, "the disk is full");
  EXPECT_TRUE(world_.log.empty());
  EXPECT_FALSE(world_.clock().RunUntil([&] { return world_.Ended(id); }, 6s));
  ASSERT_EQ(world_.log.size(), 1u) << "an alarm at half the time";
  EXPECT_THAT(world_.log[0], ::testing::HasSubstr("no progress for 5 s at snapshot"));
  Run(id, 5s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_THAT(world_.Move(id).error, ::testing::HasSubstr("the disk is full"));
  EXPECT_FALSE(world_.state()->Shard(kShard)->active_move);
}

TEST_F(MoveDriverTest, AStalledCleanUpLeavesTheSourceToItsNextReport) {
  Grow();
  world_.Apply(rebalance::ChangeSettings{.move_stall_s = 10});
  world_.ignored.insert(Method::kDestroyReplica);
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  Run(id, 15s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  EXPECT_TRUE(world_.shard(kShard).alive.contains(ReplicaId{2}));
}

TEST_F(MoveDriverTest, AnActionThatSucceedsAndChangesNothingIsNotALoopWithoutAPause) {
  Grow();
  world_.ignored.insert(Method::kCreateReplica);
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.calls.clear();
  world_.clock().RunFor(5s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kIntent);
  EXPECT_LT(world_.calls.size(), 50u);
  world_.ignored.clear();
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
}

TEST_F(MoveDriverTest, ACancelledMoveLeavesNoTrace) {
  Grow();
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  driver_.Start();
  world_.clock().RunUntil([&] { return world_.Move(id).stage == Stage::kCatchUp; });
  world_.Apply(rebalance::CancelMove{id, "changed my mind"});
  Run(id);
  EXPECT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_EQ(world_.shard(kShard).config.voters.size(), 3u);
  EXPECT_FALSE(world_.shard(kShard).alive.contains(world_.Move(id).target.replica));
}

TEST_F(MoveDriverTest, Scenario43_AnotherLeaderResumesAtEveryStage) {
  Grow();
  ReplicaId moving{2};
  NodeId from{2};
  NodeId to{4};
  for (int stop = 0; stop <= static_cast<int>(Stage::kCleanUp); ++stop) {
    const MoveId id = world_.Start(kShard, moving, to);
    driver_.Start();
    driver_.Kick();
    world_.clock().RunUntil(
        [&] { return static_cast<int>(world_.Move(id).stage) >= stop || world_.Ended(id); });
    driver_.Stop();
    MoveDriver other(world_);
    other.Start();
    EXPECT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); })) << stop;
    EXPECT_EQ(world_.Move(id).stage, Stage::kDone) << stop;
    other.Stop();
    world_.clock().RunFor(5s);  // what the first one still had under way runs out
    moving = world_.Move(id).target.replica;
    std::swap(from, to);
  }
}

TEST_F(MoveDriverTest, Scenario43_ADeposedLeaderThatGoesOnDoesNoHarm) {
  Grow();
  MoveDriver deposed(world_);
  deposed.Start();
  world_.loss = 0.2;
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  Run(id, 300s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  world_.loss = 0;
  world_.clock().RunFor(30s);
  deposed.Stop();
  const ModelShard& shard = world_.shard(kShard);
  EXPECT_EQ(shard.config.voters.size(), 3u);
  EXPECT_TRUE(shard.config.learners.empty());
  EXPECT_FALSE(shard.alive.contains(ReplicaId{2}));
  EXPECT_TRUE(shard.alive.contains(world_.Move(id).target.replica));
  EXPECT_EQ(world_.state()->Shard(kShard)->entry.epoch, shard.config.epoch);
}

TEST_F(MoveDriverTest, LostAnswersOnlyCostTime) {
  Grow();
  world_.loss = 0.25;
  const MoveId id = world_.Start(kShard, ReplicaId{2}, NodeId{4});
  Run(id, 300s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kDone);
  EXPECT_GT(world_.lost_answers, 0u);
}

TEST_F(MoveDriverTest, OneActionAMoveIsInFlight) {
  Grow();
  world_.most_changes_at_once = 0;
  world_.loss = 0.15;
  Run(world_.Start(kShard, ReplicaId{2}, NodeId{4}), 300s);
  EXPECT_EQ(world_.most_changes_at_once, 1u);
}

TEST_F(MoveDriverTest, AStoppedDriverDoesNothing) {
  const MoveId id = world_.Start(kShard, ReplicaId{}, NodeId{2});
  driver_.Start();
  driver_.Stop();
  world_.clock().RunFor(10s);
  EXPECT_EQ(world_.Move(id).stage, Stage::kIntent);
  EXPECT_FALSE(driver_.Progress(id));
}

TEST_F(MoveDriverTest, ThePlacementGroupMovesAlike) {
  for (const std::uint32_t node : {2, 3}) {
    Run(world_.Start(kPlacementShard, ReplicaId{}, NodeId{node}));
  }
  EXPECT_EQ(world_.shard(kPlacementShard).config.voters.size(), 3u);
}

// Step 13 between two disks of one node: the target is destroyed, whether its shell came or not;
// the source lives there too, under a lower id, and outlives the next start.
TEST_F(MoveDriverTest, AMoveBetweenDisksThatIsRolledBackLeavesTheSourceForTheNextStart) {
  const Incarnation second = world_.AddDisk(NodeId{1});
  const MoveId id = world_.Start(kShard, ReplicaId{1}, NodeId{1}, second);
  const ReplicaId target = world_.Move(id).target.replica;
  world_.Apply(rebalance::CancelMove{id, "by the test"});
  Run(id);
  ASSERT_EQ(world_.Move(id).stage, Stage::kRolledBack);
  EXPECT_EQ(world_.Tombstone(NodeId{1}, kShard), target);
  world_.Restart(NodeId{1});
  EXPECT_TRUE(world_.shard(kShard).alive.contains(ReplicaId{1}));
  EXPECT_FALSE(world_.shard(kShard).alive.contains(target));
}

}  // namespace
}  // namespace decree::node
