#include "placement_fixture.h"

namespace decree::rebalance {
namespace {

constexpr ShardId kShard{2};

class PlacementMovesTest : public ::testing::Test {
 protected:
  PlacementMovesTest() {
    two_ = cluster_.Join(2, 2);
    three_ = cluster_.Join(3);
  }
  MoveId Start(const StartMove& start) {
    const CommandResult result = cluster_.Do(start);
    EXPECT_EQ(result.code, Errc::kOk) << result.detail;
    return MoveId{result.version};
  }
  void Expect(const StartMove& start, Errc code) {
    const auto before = cluster_.RowsWithoutDecrees();
    const std::size_t decrees = cluster_.state.decrees().size();
    const CommandResult result = cluster_.Do(start);
    EXPECT_EQ(result.code, code) << result.detail;
    EXPECT_FALSE(result.detail.empty());
    EXPECT_EQ(cluster_.RowsWithoutDecrees(), before) << "a refusal changes nothing";
    EXPECT_EQ(cluster_.state.decrees().size(), decrees + 1) << "and is in the audit log";
    EXPECT_NE(cluster_.LastDecree().outcome, "ok");
  }

  TestCluster cluster_;
  NodeId two_, three_;
};

TEST_F(PlacementMovesTest, AnIntentGivesOutAFreshReplicaId) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  const MoveRecord& move = *cluster_.state.Move(id);
  EXPECT_EQ(move.source.node, NodeId{1});
  EXPECT_EQ(move.target, (ReplicaPlace{ReplicaId{2}, two_, Incarnation{200}, true}));
  EXPECT_EQ(move.stage, Stage::kIntent);
  EXPECT_EQ(cluster_.state.Shard(kShard)->active_move, id);
  EXPECT_EQ(cluster_.state.Shard(kShard)->last_replica, ReplicaId{2});
  EXPECT_EQ(cluster_.LastDecree().kind, "move_intent");
  EXPECT_EQ(cluster_.LastDecree().move, id);
  EXPECT_EQ(cluster_.LastDecree().shard, kShard);
  EXPECT_EQ(cluster_.LastDecree().outcome, "ok");
}

TEST_F(PlacementMovesTest, AnApprovedMoveHasOneTurn) {
  const StartMove first = cluster_.Intent(kShard, ReplicaId{1}, two_);
  StartMove stale = cluster_.Intent(ShardId{1}, ReplicaId{1}, two_);
  stale.epoch = Epoch{7};
  const StartMove third = cluster_.Intent(ShardId{3}, ReplicaId{1}, three_);
  EXPECT_EQ(cluster_.Do(ApprovePlan{5, {first, stale, third}}).code, Errc::kOk);
  EXPECT_EQ(cluster_.LastDecree().kind, "plan_execute");
  EXPECT_EQ(cluster_.state.approved().size(), 3u);
  Start(first);
  EXPECT_EQ(cluster_.state.approved().size(), 2u);
  EXPECT_EQ(cluster_.Do(stale).code, Errc::kConflict);
  ASSERT_EQ(cluster_.state.approved().size(), 1u) << "what cannot be done any more is dropped";
  EXPECT_EQ(cluster_.state.approved().begin()->second, third);
  Start(cluster_.Intent(ShardId{3}, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.Do(third).code, Errc::kConflict);
  EXPECT_EQ(cluster_.state.approved().size(), 1u) << "it waits for the move that runs";
  EXPECT_EQ(cluster_.Do(ApprovePlan{6, {}}).code, Errc::kOk);
  EXPECT_TRUE(cluster_.state.approved().empty()) << "the last plan counts";
  const StartMove nowhere = cluster_.Intent(ShardId{0}, ReplicaId{1}, two_);
  ApprovePlan bad{7, {nowhere}};
  bad.moves[0].shard = ShardId{99};
  EXPECT_EQ(cluster_.Do(bad).code, Errc::kInvalidArgument);
}

TEST_F(PlacementMovesTest, MovesOfOneShardInAPlanFollowEachOther) {
  const StartMove first = cluster_.Intent(kShard, ReplicaId{1}, two_);
  const StartMove second = cluster_.Intent(kShard, ReplicaId{2}, three_);
  cluster_.Do(ApprovePlan{5, {first, second}});
  cluster_.Finish(Start(first));
  ASSERT_EQ(cluster_.state.approved().size(), 1u);
  const StartMove next = cluster_.state.approved().begin()->second;
  EXPECT_EQ(next.epoch, cluster_.state.Shard(kShard)->entry.epoch);
  EXPECT_EQ(next.to, three_);
  // Another's move makes what is left of the plan void.
  cluster_.Finish(Start(cluster_.Intent(kShard, ReplicaId{2}, NodeId{1})));
  EXPECT_EQ(cluster_.Do(cluster_.state.approved().begin()->second).code, Errc::kConflict);
  EXPECT_TRUE(cluster_.state.approved().empty());
}

TEST_F(PlacementMovesTest, OnlyOneActiveMoveAShard) {
  Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  Expect(cluster_.Intent(kShard, ReplicaId{1}, three_), Errc::kConflict);
}

TEST_F(PlacementMovesTest, Scenario42_AStaleEpochIsAConflict) {
  StartMove start = cluster_.Intent(kShard, ReplicaId{1}, two_);
  start.epoch = Epoch{7};
  Expect(start, Errc::kConflict);
}

TEST_F(PlacementMovesTest, Scenario42_OfTwoIntentsAtOnceOneWins) {
  // Both were made of the same view of the shard.
  const StartMove first = cluster_.Intent(kShard, ReplicaId{1}, two_);
  const StartMove second = cluster_.Intent(kShard, ReplicaId{1}, three_);
  const MoveId winner = Start(first);
  Expect(second, Errc::kConflict);
  EXPECT_EQ(cluster_.state.moves().size(), 1u);
  cluster_.Finish(winner);
  Expect(second, Errc::kConflict);  // late: the epoch it names is over
  EXPECT_EQ(cluster_.state.Shard(kShard)->entry.epoch, Epoch{2});
  EXPECT_EQ(cluster_.state.Shard(kShard)->entry.replicas[0].node, two_);
  Start(cluster_.Intent(kShard, ReplicaId{2}, three_));  // made of the new view
}

TEST_F(PlacementMovesTest, Scenario43_RepeatedAndLateDecreesOfAMoveChangeNothing) {
  const StartMove intent = cluster_.Intent(kShard, ReplicaId{1}, two_);
  const MoveId id = Start(intent);
  const std::vector<Stage> stages = {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp,
                                     Stage::kVerify,     Stage::kSeal,     Stage::kActivate,
                                     Stage::kPublish,    Stage::kCleanUp,  Stage::kDone};
  consensus::Config next = cluster_.ConfigOf(kShard);
  next.epoch = Epoch{2};
  next.voters = {{cluster_.state.Move(id)->target.replica, two_}};
  for (std::size_t reached = 0; reached < stages.size(); ++reached) {
    const auto members = [&](Stage stage) {
      return stage == Stage::kPublish ? std::optional(next) : std::nullopt;
    };
    ASSERT_EQ(cluster_.To(id, stages[reached], {}, members(stages[reached])).code, Errc::kOk);
    const auto rows = cluster_.RowsWithoutDecrees();
    // A leader that was deposed at any earlier point goes on with what it had in hand.
    cluster_.Do(intent);
    for (std::size_t late = 0; late <= reached; ++late) {
      cluster_.To(id, stages[late], {}, members(stages[late]));
      EXPECT_EQ(cluster_.RowsWithoutDecrees(), rows)
          << StageName(stages[late]) << " at " << StageName(stages[reached]);
    }
  }
  cluster_.Do(CancelMove{id, "late"});
  EXPECT_EQ(cluster_.state.Move(id)->stage, Stage::kDone);
  EXPECT_EQ(cluster_.state.Shard(kShard)->entry.epoch, Epoch{2});
}

TEST_F(PlacementMovesTest, ImpossibleMovesSayWhy) {
  Expect(StartMove{ShardId{99}, Epoch{1}, ReplicaId{1}, two_}, Errc::kImpossible);
  Expect(cluster_.Intent(kShard, ReplicaId{9}, two_), Errc::kImpossible);
  Expect(cluster_.Intent(kShard, ReplicaId{1}, NodeId{9}), Errc::kImpossible);
  Expect(cluster_.Intent(kShard, ReplicaId{1}, NodeId{1}), Errc::kImpossible);
  Expect(cluster_.Intent(kShard, ReplicaId{}, NodeId{1}), Errc::kImpossible);
  StartMove no_disk = cluster_.Intent(kShard, ReplicaId{1}, two_);
  no_disk.to_disk = Incarnation{12345};
  Expect(no_disk, Errc::kImpossible);
  cluster_.Do(SetNodeState{two_, NodeState::kDead, ""});
  Expect(cluster_.Intent(kShard, ReplicaId{1}, two_), Errc::kImpossible);
  cluster_.Do(SetNodeState{two_, NodeState::kDraining, ""});
  Expect(cluster_.Intent(kShard, ReplicaId{1}, two_), Errc::kImpossible);
  cluster_.Do(SetNodeState{two_, NodeState::kRemoved, ""});
  Expect(cluster_.Intent(kShard, ReplicaId{1}, two_), Errc::kImpossible);
}

TEST_F(PlacementMovesTest, AFailedDiskIsNoTarget) {
  NodeRecord node = MakeNode(2, 2);
  node.disks[0].state = DiskState::kFailed;
  cluster_.Do(RegisterNode{node});
  StartMove failed = cluster_.Intent(kShard, ReplicaId{1}, two_);
  failed.to_disk = Incarnation{200};
  Expect(failed, Errc::kImpossible);
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.state.Move(id)->target.disk, Incarnation{201}) << "the first good one";
}

TEST_F(PlacementMovesTest, AReplicaMayGoToAnotherDiskOfItsNode) {
  cluster_.Finish(Start(cluster_.Intent(kShard, ReplicaId{1}, two_)));
  StartMove same = cluster_.Intent(kShard, ReplicaId{2}, two_);
  same.to_disk = Incarnation{200};
  Expect(same, Errc::kImpossible);
  same.to_disk = {};
  const MoveId id = Start(same);
  EXPECT_EQ(cluster_.state.Move(id)->target,
            (ReplicaPlace{ReplicaId{3}, two_, Incarnation{201}, true}));
}

TEST_F(PlacementMovesTest, AdvanceTakesOnlyLegalSuccessors) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.To(id, Stage::kSnapshot).code, Errc::kConflict);
  EXPECT_EQ(cluster_.To(id, Stage::kAddLearner).code, Errc::kOk);
  const auto before = cluster_.RowsWithoutDecrees();
  EXPECT_EQ(cluster_.To(id, Stage::kAddLearner).code, Errc::kOk) << "an old leader repeats";
  EXPECT_EQ(cluster_.RowsWithoutDecrees(), before);
  EXPECT_EQ(cluster_.To(id, Stage::kIntent).code, Errc::kConflict);
  EXPECT_EQ(cluster_.To(id, Stage::kSeal).code, Errc::kConflict);
  EXPECT_EQ(cluster_.To(MoveId{99}, Stage::kSeal).code, Errc::kNotFound);
}

int CountLegal(MoveRecord move) {
  int legal = 0;
  for (int from = 0; from <= static_cast<int>(Stage::kMax); ++from) {
    for (int to = 0; to <= static_cast<int>(Stage::kMax); ++to) {
      move.stage = static_cast<Stage>(from);
      legal += IsLegalSuccessor(move, static_cast<Stage>(to));
    }
  }
  return legal;
}

TEST_F(PlacementMovesTest, LegalSuccessorsAreThoseOfTheTable) {
  for (const bool fill : {false, true}) {
    MoveRecord move;
    move.source.replica = ReplicaId{fill ? 0u : 1u};
    move.target.replica = ReplicaId{2};
    const int legal = CountLegal(move);
    // Nine steps forward and a way back from the first six stages; a fill-up has no clean-up but
    // may skip the Seal.
    EXPECT_EQ(legal, 9 + 6) << fill;
    for (const Stage after : {Stage::kActivate, Stage::kPublish, Stage::kCleanUp, Stage::kDone}) {
      move.stage = after;
      EXPECT_FALSE(IsLegalSuccessor(move, Stage::kRolledBack));
    }
  }
  // One that sheds goes from its intent to its Seal.
  MoveRecord shed;
  shed.source.replica = ReplicaId{1};
  EXPECT_EQ(CountLegal(shed), 8 + 6);
  EXPECT_TRUE(IsLegalSuccessor(shed, Stage::kSeal));
  EXPECT_FALSE(IsLegalSuccessor(shed, Stage::kAddLearner));
}

TEST_F(PlacementMovesTest, ACopyTooManyIsShedWithoutATarget) {
  TestCluster cluster(1, 3);
  const NodeId two = cluster.Join(2);
  cluster.Finish(MoveId{cluster.Do(cluster.Intent(ShardId{0}, ReplicaId{}, two)).version});
  ChangeSettings fewer;
  fewer.replicas = 2;
  cluster.Do(fewer);
  const StartMove shed = cluster.Intent(ShardId{0}, ReplicaId{1}, NodeId{});
  EXPECT_EQ(cluster.Do(shed).code, Errc::kImpossible) << "two copies, two wanted";
  EXPECT_EQ(cluster.Do(cluster.Intent(ShardId{0}, ReplicaId{}, NodeId{})).code, Errc::kImpossible);
  fewer.replicas = 1;
  cluster.Do(fewer);
  const MoveId id{cluster.Do(shed).version};
  ASSERT_TRUE(cluster.state.Move(id));
  EXPECT_EQ(cluster.To(id, Stage::kAddLearner).code, Errc::kConflict) << "nothing is brought";
  for (const Stage stage : {Stage::kSeal, Stage::kActivate}) {
    EXPECT_EQ(cluster.To(id, stage).code, Errc::kOk);
  }
  consensus::Config config = cluster.ConfigOf(ShardId{0});
  config.epoch = config.epoch.Next();
  config.voters = {{ReplicaId{2}, two}};
  EXPECT_EQ(cluster.To(id, Stage::kPublish, {}, config).code, Errc::kOk);
  EXPECT_EQ(cluster.To(id, Stage::kCleanUp).code, Errc::kOk);
  EXPECT_EQ(cluster.To(id, Stage::kDone).code, Errc::kOk);
  EXPECT_EQ(cluster.state.Shard(ShardId{0})->entry.replicas.size(), 1u);
  EXPECT_EQ(cluster.state.Shard(ShardId{0})->last_replica, ReplicaId{2});
}

TEST_F(PlacementMovesTest, PublishingFollowsTheShardsLogAndBumpsTheMap) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  const std::uint64_t version = cluster_.state.version();
  cluster_.Finish(id);
  EXPECT_GT(cluster_.state.version(), version);
  const ShardRecord& shard = *cluster_.state.Shard(kShard);
  EXPECT_EQ(shard.entry.epoch, Epoch{2});
  ASSERT_EQ(shard.entry.replicas.size(), 1u);
  EXPECT_EQ(shard.entry.replicas[0], (ReplicaPlace{ReplicaId{2}, two_, Incarnation{200}, true}));
  EXPECT_FALSE(shard.active_move);
  EXPECT_EQ(cluster_.state.Move(id)->stage, Stage::kDone);
  EXPECT_TRUE(cluster_.state.ActiveMoves().empty());
}

TEST_F(PlacementMovesTest, PublishingNeverGoesBackInEpochs) {
  cluster_.Finish(Start(cluster_.Intent(kShard, ReplicaId{1}, two_)));
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{2}, three_));
  for (const Stage stage : {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify,
                            Stage::kSeal, Stage::kActivate}) {
    cluster_.To(id, stage);
  }
  consensus::Config old = cluster_.ConfigOf(kShard);
  old.epoch = Epoch{1};
  EXPECT_EQ(cluster_.To(id, Stage::kPublish).code, Errc::kInvalidArgument);
  EXPECT_EQ(cluster_.To(id, Stage::kPublish, "", old).code, Errc::kConflict);
  EXPECT_EQ(cluster_.state.Move(id)->stage, Stage::kActivate);
}

TEST_F(PlacementMovesTest, AFillUpMaySkipTheSealAndPublishALearner) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{}, two_));
  for (const Stage stage :
       {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify}) {
    cluster_.To(id, stage);
  }
  consensus::Config config = cluster_.ConfigOf(kShard);
  config.learners = {{ReplicaId{2}, two_}};
  EXPECT_EQ(cluster_.To(id, Stage::kPublish, "abc", config).code, Errc::kOk);
  EXPECT_EQ(cluster_.To(id, Stage::kCleanUp).code, Errc::kConflict) << "nothing to clean up";
  EXPECT_EQ(cluster_.To(id, Stage::kDone).code, Errc::kOk);
  const ShardEntry& entry = cluster_.state.Shard(kShard)->entry;
  ASSERT_EQ(entry.replicas.size(), 2u);
  EXPECT_FALSE(entry.replicas[1].voter);
  EXPECT_EQ(entry.replicas[1].disk, Incarnation{200});
  EXPECT_EQ(cluster_.state.Move(id)->digest, "abc");
  // A later fill-up to the same node promotes that learner: no new replica.
  const MoveId promote = Start(cluster_.Intent(kShard, ReplicaId{}, two_));
  EXPECT_EQ(cluster_.state.Move(promote)->target.replica, ReplicaId{2});
}

TEST_F(PlacementMovesTest, NoFillUpAboveTheWantedCopies) {
  TestCluster one(1, 1);
  const NodeId two = one.Join(2);
  EXPECT_EQ(one.Do(one.Intent(ShardId{0}, ReplicaId{}, two)).code, Errc::kImpossible);
  EXPECT_EQ(one.Do(one.Intent(kPlacementShard, ReplicaId{}, two)).code, Errc::kOk)
      << "the placement group wants three whatever the shards want";
}

TEST_F(PlacementMovesTest, RollingBackFreesTheShardAndKeepsTheReason) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.Do(CancelMove{id, "changed my mind"}).code, Errc::kOk);
  EXPECT_TRUE(cluster_.state.Move(id)->cancelled);
  EXPECT_EQ(cluster_.To(id, Stage::kRolledBack).code, Errc::kOk);
  EXPECT_EQ(cluster_.state.Move(id)->error, "changed my mind");
  EXPECT_FALSE(cluster_.state.Shard(kShard)->active_move);
  EXPECT_EQ(cluster_.state.Shard(kShard)->entry.epoch, Epoch{1});
  EXPECT_EQ(cluster_.Do(CancelMove{id, ""}).code, Errc::kOk) << "a repeat";
  const MoveId next = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.state.Move(next)->target.replica, ReplicaId{3}) << "ids are never reused";
}

TEST_F(PlacementMovesTest, CancelIsTooLateOnceTheSwitchIsDecided) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  for (const Stage stage :
       {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify, Stage::kSeal}) {
    cluster_.To(id, stage);
  }
  EXPECT_EQ(cluster_.Do(CancelMove{id, "late"}).code, Errc::kOk) << "the log decides";
  cluster_.To(id, Stage::kActivate);
  EXPECT_FALSE(cluster_.state.Move(id)->cancelled) << "it decided for the move";
  EXPECT_EQ(cluster_.Do(CancelMove{id, "later"}).code, Errc::kConflict);
}

TEST_F(PlacementMovesTest, APausedMoveTakesNoFurtherStepUntilItIsResumed) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  EXPECT_EQ(cluster_.Do(PauseMove{id, true, "asked for"}).code, Errc::kOk);
  EXPECT_EQ(cluster_.LastDecree().kind, "move_pause");
  EXPECT_EQ(cluster_.LastDecree().move, id);
  EXPECT_EQ(cluster_.Do(PauseMove{id, true, ""}).code, Errc::kOk) << "a repeat";
  EXPECT_EQ(cluster_.To(id, Stage::kAddLearner).code, Errc::kConflict);
  EXPECT_EQ(cluster_.state.Move(id)->stage, Stage::kIntent);
  EXPECT_EQ(cluster_.Do(PauseMove{id, false, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster_.LastDecree().kind, "move_resume");
  EXPECT_EQ(cluster_.To(id, Stage::kAddLearner).code, Errc::kOk);
}

TEST_F(PlacementMovesTest, APausedMoveMayBeCancelled) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  cluster_.Do(PauseMove{id, true, ""});
  EXPECT_EQ(cluster_.Do(CancelMove{id, "changed my mind"}).code, Errc::kOk);
  EXPECT_FALSE(cluster_.state.Move(id)->paused);
  EXPECT_EQ(cluster_.Do(PauseMove{id, true, ""}).code, Errc::kConflict) << "it goes back now";
  EXPECT_EQ(cluster_.To(id, Stage::kRolledBack).code, Errc::kOk);
  EXPECT_EQ(cluster_.Do(PauseMove{id, false, ""}).code, Errc::kConflict) << "it has ended";
  EXPECT_EQ(cluster_.Do(PauseMove{MoveId{99}, true, ""}).code, Errc::kNotFound);
}

// At seal the shard's log may have chosen the Seal already; then the move goes on.
TEST_F(PlacementMovesTest, ASwitchThatCameFirstEndsThePause) {
  const MoveId id = Start(cluster_.Intent(kShard, ReplicaId{1}, two_));
  for (const Stage stage :
       {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify, Stage::kSeal}) {
    cluster_.To(id, stage);
  }
  EXPECT_EQ(cluster_.Do(PauseMove{id, true, ""}).code, Errc::kOk);
  EXPECT_EQ(cluster_.To(id, Stage::kActivate).code, Errc::kOk);
  EXPECT_FALSE(cluster_.state.Move(id)->paused);
  EXPECT_EQ(cluster_.Do(PauseMove{id, true, ""}).code, Errc::kConflict);
}

TEST_F(PlacementMovesTest, OldMovesAreForgottenButActiveOnesAreKept) {
  const MoveId kept = Start(cluster_.Intent(ShardId{0}, ReplicaId{1}, two_));
  MoveId last;
  for (std::size_t i = 0; i < kKeptMoves + 5; ++i) {
    last = MoveId{cluster_.Do(cluster_.Intent(kShard, ReplicaId{1}, two_)).version};
    cluster_.To(last, Stage::kRolledBack);
  }
  EXPECT_EQ(cluster_.state.moves().size(), kKeptMoves);
  EXPECT_NE(cluster_.state.Move(kept), nullptr);
  EXPECT_EQ(cluster_.state.Move(kept.Next()), nullptr);
  EXPECT_NE(cluster_.state.Move(last), nullptr);
  auto reborn = PlacementState::FromRows({cluster_.rows.begin(), cluster_.rows.end()});
  ASSERT_TRUE(reborn);
  EXPECT_EQ(reborn->moves().size(), kKeptMoves);
}

}  // namespace
}  // namespace decree::rebalance
