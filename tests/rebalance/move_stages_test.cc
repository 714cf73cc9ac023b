// NextAction, stage by stage: what is done in which situation (MOVES.md).
#include <gmock/gmock.h>

#include "rebalance/move.h"
#include "rebalance/move_members.h"

namespace decree::rebalance {
namespace {

using consensus::Config;
using consensus::Member;

constexpr Member kSource{ReplicaId{1}, NodeId{1}};
constexpr Member kSecond{ReplicaId{2}, NodeId{2}};
constexpr Member kThird{ReplicaId{3}, NodeId{3}};
constexpr Member kTarget{ReplicaId{4}, NodeId{4}};
constexpr Member kFifth{ReplicaId{5}, NodeId{5}};
constexpr MoveId kMove{9};

// A shard of three voters on nodes 1 to 3 in epoch 1; the move replaces replica 1 by replica 4.
class MoveStagesTest : public ::testing::Test {
 protected:
  MoveStagesTest() {
    move_.id = kMove;
    move_.shard = ShardId{7};
    move_.epoch = Epoch{1};
    move_.source = {kSource.id, kSource.node, Incarnation{10}, true};
    move_.target = {kTarget.id, kTarget.node, Incarnation{40}, true};
    config_.epoch = Epoch{1};
    config_.voters = {kSource, kSecond, kThird};
    Refresh();
    view_.target = ReplicaStatus{};
  }
  ReplicaStatus Member(std::uint64_t chosen = 1000) const {
    ReplicaStatus status;
    status.exists = true;
    status.config = config_;
    status.chosen = status.durable_chosen = status.applied = Slot{chosen};
    status.epoch_started = true;
    status.has_snapshot = true;
    return status;
  }
  // Source, leader (replica 2) and the third voter answer with the present configuration.
  void Refresh() {
    view_.source = Member();
    view_.leader = Member();
    view_.leader->leader = true;
    view_.leader_member = kSecond;
    view_.others = {{kSecond.id, *view_.leader}, {kThird.id, Member()}};
  }
  void AddLearner() {
    config_.learners = {kTarget};
    config_.open_move = kMove;
    Refresh();
    view_.target = Member();
  }
  void RemoveLearner() {
    config_.learners.clear();
    config_.ended_move = kMove;
    config_.open_move = {};
    Refresh();
  }
  void Seal() {
    config_.epoch = Epoch{2};
    config_.learners.clear();
    config_.voters = {kSecond, kThird, kTarget};
    config_.ended_move = kMove;
    config_.open_move = {};
    Refresh();
    view_.target = Member();
  }
  void Digest(std::optional<ReplicaStatus>& status, std::string digest) {
    status->digests = {{view_.mark, std::move(digest)}};
  }
  void MakeFillUp() { move_.source = {}; }
  Action At(Stage stage) {
    move_.stage = stage;
    Action first = NextAction(move_, view_);
    const Action again = NextAction(move_, view_);
    EXPECT_EQ(first.kind, again.kind) << "the same situation, the same answer";
    return first;
  }
  void ExpectAdvance(Stage from, Stage to) {
    const Action action = At(from);
    EXPECT_EQ(action.kind, ActionKind::kAdvance) << action.why;
    EXPECT_EQ(action.advance.stage, to);
    EXPECT_EQ(action.advance.move, kMove);
    MoveRecord before = move_;
    before.stage = from;
    EXPECT_TRUE(IsLegalSuccessor(before, action.advance.stage));
  }

  MoveRecord move_;
  Config config_;
  MoveView view_;
};

constexpr Stage kBeforeSwitch[] = {Stage::kIntent,  Stage::kAddLearner, Stage::kSnapshot,
                                   Stage::kCatchUp, Stage::kVerify,     Stage::kSeal};

// ---- the way forward ----

TEST_F(MoveStagesTest, IntentCreatesTheShellFirst) {
  EXPECT_EQ(At(Stage::kIntent).kind, ActionKind::kCreateTarget);
  view_.target->exists = true;
  ExpectAdvance(Stage::kIntent, Stage::kAddLearner);
}

TEST_F(MoveStagesTest, IntentWaitsForASilentTarget) {
  view_.target.reset();
  EXPECT_EQ(At(Stage::kIntent).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, AddLearnerIsProposedAtTheLeader) {
  view_.target->exists = true;
  const Action action = At(Stage::kAddLearner);
  EXPECT_EQ(action.kind, ActionKind::kAddLearner);
  EXPECT_EQ(action.to, kTarget);
  view_.leader.reset();
  EXPECT_EQ(At(Stage::kAddLearner).kind, ActionKind::kWait);
  AddLearner();
  ExpectAdvance(Stage::kAddLearner, Stage::kSnapshot);
}

TEST_F(MoveStagesTest, SnapshotWaitsForRows) {
  AddLearner();
  view_.target->has_snapshot = false;
  EXPECT_EQ(At(Stage::kSnapshot).kind, ActionKind::kWait);
  view_.target->has_snapshot = true;
  view_.target->data_bytes = 55;
  ExpectAdvance(Stage::kSnapshot, Stage::kCatchUp);
  EXPECT_EQ(At(Stage::kSnapshot).advance.bytes_total, 55u);
}

TEST_F(MoveStagesTest, CatchUpGoesByWhatIsDurableAtTheTarget) {
  AddLearner();
  view_.target->durable_chosen = Slot{1000 - kCatchUpGap - 1};
  EXPECT_EQ(At(Stage::kCatchUp).kind, ActionKind::kWait);
  view_.target->durable_chosen = Slot{1000 - kCatchUpGap};
  ExpectAdvance(Stage::kCatchUp, Stage::kVerify);
}

TEST_F(MoveStagesTest, VerifyComparesDigestsAtOneMark) {
  AddLearner();
  EXPECT_EQ(At(Stage::kVerify).kind, ActionKind::kMark);
  view_.mark = Slot{900};
  EXPECT_EQ(At(Stage::kVerify).kind, ActionKind::kWait);
  Digest(view_.target, "abc");
  EXPECT_EQ(At(Stage::kVerify).kind, ActionKind::kWait) << "nothing to compare with";
  Digest(view_.leader, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kSeal);
  EXPECT_EQ(At(Stage::kVerify).advance.note, "abc");
  Digest(view_.source, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kSeal);
}

TEST_F(MoveStagesTest, ADigestOfAnotherSlotDoesNotCount) {
  AddLearner();
  view_.mark = Slot{800};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  view_.mark = Slot{900};
  EXPECT_EQ(At(Stage::kVerify).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, DifferentDigestsCancelWithBothNamed) {
  AddLearner();
  view_.mark = Slot{900};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  Digest(view_.source, "xyz");
  const Action action = At(Stage::kVerify);
  EXPECT_EQ(action.kind, ActionKind::kCancel);
  EXPECT_THAT(action.why, ::testing::AllOf(::testing::HasSubstr("abc"), ::testing::HasSubstr("xyz"),
                                           ::testing::HasSubstr("slot 900")));
}

TEST_F(MoveStagesTest, SealNamesTheNewSet) {
  AddLearner();
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kSeal);
  EXPECT_THAT(action.next_voters, ::testing::ElementsAre(kSecond, kThird, kTarget));
  EXPECT_TRUE(action.next_learners.empty());
}

TEST_F(MoveStagesTest, SealWaitsForALaggingTarget) {
  AddLearner();
  view_.target->durable_chosen = Slot{1};
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait);
  view_.target.reset();
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, SealWaitsUntilEveryVoterOfTheNewSetIsCaughtUp) {
  AddLearner();
  view_.others[kThird.id].durable_chosen = Slot{1};
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait);
  view_.others.erase(kThird.id);
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, ADeadVoterThatStaysMakesTheMoveGiveWayToItsRepair) {
  AddLearner();
  view_.others.erase(kThird.id);
  view_.others_gone[kThird.id] = "node 3 is dead";
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kCancel);
  EXPECT_THAT(action.why, ::testing::HasSubstr("node 3 is dead"));
}

TEST_F(MoveStagesTest, ARepairWithAnotherDeadVoterOfFiveSealsWithTheLivingMajority) {
  const consensus::Member fifth{ReplicaId{5}, NodeId{5}}, sixth{ReplicaId{6}, NodeId{6}};
  config_.voters = {kSource, kSecond, kThird, fifth, sixth};
  AddLearner();
  view_.replicas_wanted = 5;
  view_.others[fifth.id] = Member();
  view_.source.reset();
  view_.source_gone = "node 1 is dead";
  view_.others_gone = {{kSource.id, "node 1 is dead"}, {sixth.id, "node 6 is dead"}};
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kSeal) << action.why;
  EXPECT_THAT(action.next_voters, ::testing::ElementsAre(kSecond, kThird, fifth));
  EXPECT_THAT(action.next_learners, ::testing::ElementsAre(kTarget, sixth));
  view_.source_gone.clear();
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kCancel) << "no repair: the dead voter goes first";
}

TEST_F(MoveStagesTest, ThreeVotersOfWhichTwoAreGoneNeverBecomeOne) {
  AddLearner();
  view_.source_gone = "node 1 is dead";
  view_.others.erase(kThird.id);
  view_.others_gone[kThird.id] = "the disk of node 3 has failed";
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kCancel);
}

TEST_F(MoveStagesTest, ALeadingSourceHandsOverToTheMostAdvancedVoterFirst) {
  AddLearner();
  view_.leader_member = kSource;
  view_.leader = view_.source;
  view_.others[kSecond.id].durable_chosen = Slot{999};
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kTransfer);
  EXPECT_EQ(action.to, kThird);
  view_.others.clear();
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait) << "never to one that does not answer";
}

TEST_F(MoveStagesTest, TheOnlyVoterSealsItselfOut) {
  config_.voters = {kSource};
  AddLearner();
  view_.others.clear();
  view_.leader_member = kSource;
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kSeal);
  EXPECT_THAT(action.next_voters, ::testing::ElementsAre(kTarget));
}

TEST_F(MoveStagesTest, AChosenSealIsReadFromAnyReplica) {
  AddLearner();
  const MoveView before = view_;
  Seal();
  const ReplicaStatus sealed = Member();
  view_ = before;
  view_.others[kThird.id] = sealed;  // the leader has not heard, or does not answer
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
  view_.leader.reset();
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
}

TEST_F(MoveStagesTest, Scenario40_ActivateWaitsForEpochStartAtALeaderOfTheNewEpoch) {
  AddLearner();
  EXPECT_EQ(At(Stage::kActivate).kind, ActionKind::kWait) << "a leader of the old epoch";
  Seal();
  view_.leader->epoch_started = false;
  EXPECT_EQ(At(Stage::kActivate).kind, ActionKind::kWait);
  view_.leader->epoch_started = true;
  view_.leader->switch_pause_ms = 3;
  view_.leader->switch_epoch = config_.epoch;
  ExpectAdvance(Stage::kActivate, Stage::kPublish);
  const Action action = At(Stage::kActivate);
  EXPECT_EQ(action.advance.members, config_);
  EXPECT_EQ(action.advance.switch_pause_ms, 3u);
  view_.leader->switch_epoch = Epoch{1};
  EXPECT_FALSE(At(Stage::kActivate).advance.switch_pause_ms) << "of an older switch";
  view_.leader.reset();
  EXPECT_EQ(At(Stage::kActivate).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, CleanUpDestroysTheSourceUntilItsTombstoneIsThere) {
  Seal();
  ExpectAdvance(Stage::kPublish, Stage::kCleanUp);
  EXPECT_EQ(At(Stage::kCleanUp).kind, ActionKind::kDestroySource);
  view_.source->exists = false;
  EXPECT_EQ(At(Stage::kCleanUp).kind, ActionKind::kDestroySource) << "no tombstone yet";
  view_.source->tombstone = kSource.id;
  ExpectAdvance(Stage::kCleanUp, Stage::kDone);
  view_.source.reset();
  EXPECT_EQ(At(Stage::kCleanUp).kind, ActionKind::kWait);
}

TEST_F(MoveStagesTest, ADeadSourceDoesNotBlockTheShard) {
  Seal();
  view_.source.reset();
  view_.source_gone = "node 1 is dead";
  ExpectAdvance(Stage::kCleanUp, Stage::kDone);
  EXPECT_THAT(At(Stage::kCleanUp).advance.note, ::testing::HasSubstr("node 1 is dead"));
}

TEST_F(MoveStagesTest, ADeadSourceDoesNotHinderItsReplacement) {
  AddLearner();
  view_.source.reset();
  view_.source_gone = "node 1 is dead";
  view_.mark = Slot{900};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kSeal);
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kSeal);
}

// ---- fill-ups ----

TEST_F(MoveStagesTest, AFillUpThatDoesNotCompleteTheSetStaysALearner) {
  MakeFillUp();
  config_.voters = {kSecond};
  AddLearner();
  view_.source.reset();
  view_.others = {{kSecond.id, *view_.leader}};
  view_.mark = Slot{900};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kPublish);
  EXPECT_EQ(At(Stage::kVerify).advance.members, config_);
  EXPECT_EQ(At(Stage::kVerify).advance.note, "abc");
  ExpectAdvance(Stage::kPublish, Stage::kDone);
}

TEST_F(MoveStagesTest, TheFillUpThatCompletesTheSetSealsFromOneToThree) {
  MakeFillUp();
  config_.voters = {kSecond};
  AddLearner();
  config_.learners = {kThird, kTarget};
  Refresh();
  view_.source.reset();
  view_.mark = Slot{900};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kSeal);
  const Action action = At(Stage::kSeal);
  EXPECT_EQ(action.kind, ActionKind::kSeal);
  EXPECT_THAT(action.next_voters, ::testing::ElementsAre(kSecond, kThird, kTarget));
  view_.others[kThird.id].durable_chosen = Slot{1};
  EXPECT_EQ(At(Stage::kVerify).kind, ActionKind::kWait) << "the other learner must catch up";
  view_.others.erase(kThird.id);
  ExpectAdvance(Stage::kVerify, Stage::kPublish);  // it does not answer: do not wait for it
}

TEST_F(MoveStagesTest, NoMoreVotersThanWanted) {
  MakeFillUp();
  config_.voters = {kSecond};
  AddLearner();
  config_.learners = {kThird, kTarget};
  Refresh();
  view_.source.reset();
  view_.replicas_wanted = 2;  // one voter and a learner
  view_.mark = Slot{900};
  Digest(view_.target, "abc");
  Digest(view_.leader, "abc");
  ExpectAdvance(Stage::kVerify, Stage::kPublish);
}

TEST(MembersAfterTest, AMovedLearnerLeavesTheVotersAlone) {
  MoveRecord move;
  move.source.replica = kThird.id;
  move.target = {kTarget.id, kTarget.node, Incarnation{1}, true};
  Config config;
  config.voters = {kSource};
  config.learners = {kThird, kTarget};
  const NextMembers next = MembersAfter(move, config, {{kTarget.id}, {}, {}, 3});
  EXPECT_THAT(next.voters, ::testing::ElementsAre(kSource));
  EXPECT_THAT(next.learners, ::testing::ElementsAre(kTarget));
}

TEST(MembersAfterTest, ReplacingAVoterNeverShrinksTheSet) {
  MoveRecord move;
  move.source.replica = kSource.id;
  move.target = {kTarget.id, kTarget.node, Incarnation{1}, true};
  Config config;
  config.voters = {kSource, kSecond, kThird};
  config.learners = {kTarget};
  EXPECT_EQ(MembersAfter(move, config, {{kTarget.id}, {}, {}, 1}).voters.size(), 3u);
}

// ---- a copy too many ----

class SheddingTest : public MoveStagesTest {
 protected:
  SheddingTest() {
    move_.target = {};
    view_.target.reset();
    view_.replicas_wanted = 1;
  }
};

TEST_F(SheddingTest, NothingIsBroughtSoTheSealComesFirst) {
  ExpectAdvance(Stage::kIntent, Stage::kSeal);
  const Action seal = At(Stage::kSeal);
  EXPECT_EQ(seal.kind, ActionKind::kSeal);
  EXPECT_THAT(seal.next_voters, ::testing::ElementsAre(kSecond)) << "the leader keeps its vote";
  EXPECT_THAT(seal.next_learners, ::testing::ElementsAre(kThird));
}

TEST_F(SheddingTest, TheCopyIsDestroyedAfterTheNewEpochHasStarted) {
  config_.voters = {kSecond};
  config_.learners = {kThird};
  config_.epoch = Epoch{2};
  config_.ended_move = kMove;
  Refresh();
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
  view_.leader->epoch_started = false;
  EXPECT_EQ(At(Stage::kActivate).kind, ActionKind::kWait);
  view_.leader->epoch_started = true;
  ExpectAdvance(Stage::kActivate, Stage::kPublish);
  ExpectAdvance(Stage::kPublish, Stage::kCleanUp);
  EXPECT_EQ(At(Stage::kCleanUp).kind, ActionKind::kDestroySource);
}

TEST_F(SheddingTest, ALeaderThatGoesHandsOverFirst) {
  view_.leader_member = kSource;
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kTransfer);
}

TEST_F(SheddingTest, AVoterThatStaysMustBeCaughtUp) {
  view_.replicas_wanted = 3;
  config_.voters = {kSource, kSecond, kThird, kTarget, kFifth};
  Refresh();
  view_.others[kTarget.id] = Member();
  view_.others[kFifth.id] = Member();
  const Action seal = At(Stage::kSeal);
  EXPECT_THAT(seal.next_voters, ::testing::ElementsAre(kSecond, kThird, kTarget));
  EXPECT_THAT(seal.next_learners, ::testing::ElementsAre(kFifth));
  view_.others[kThird.id] = Member(10);
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait);
}

TEST_F(SheddingTest, CancelledBeforeItsSealItIsEndedByTheLog) {
  move_.cancelled = true;
  ExpectAdvance(Stage::kIntent, Stage::kRolledBack);
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kRemoveLearner) << "a late Seal must find it ended";
  config_.ended_move = kMove;
  Refresh();
  ExpectAdvance(Stage::kSeal, Stage::kRolledBack);
}

TEST(MembersAfterTest, AShedLearnerCostsNoVote) {
  MoveRecord move;
  move.source.replica = kTarget.id;
  Config config;
  config.voters = {kSource, kSecond, kThird};
  config.learners = {kTarget};
  const NextMembers next = MembersAfter(move, config, {{}, {}, {}, 3});
  EXPECT_EQ(next.voters.size(), 3u);
  EXPECT_TRUE(next.learners.empty());
}

TEST(MembersAfterTest, ALearnerTakesTheVoteThatIsShed) {
  MoveRecord move;
  move.source.replica = kThird.id;
  Config config;
  config.voters = {kSource, kSecond, kThird};
  config.learners = {kTarget};
  const NextMembers next = MembersAfter(move, config, {{kTarget.id}, {}, {}, 3});
  EXPECT_THAT(next.voters, ::testing::ElementsAre(kSource, kSecond, kTarget));
}

// ---- the way back ----

TEST_F(MoveStagesTest, ACancelledMoveRemovesTheLearnerBeforeItDestroysTheTarget) {
  AddLearner();
  move_.cancelled = true;
  move_.error = "why";
  for (const Stage stage : kBeforeSwitch) {
    EXPECT_EQ(At(stage).kind, ActionKind::kRemoveLearner) << StageName(stage);
  }
  RemoveLearner();
  for (const Stage stage : kBeforeSwitch) {
    EXPECT_EQ(At(stage).kind, ActionKind::kDestroyTarget) << StageName(stage);
  }
  view_.target->exists = false;
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kDestroyTarget) << "no tombstone yet";
  view_.target->tombstone = kTarget.id;
  for (const Stage stage : kBeforeSwitch) ExpectAdvance(stage, Stage::kRolledBack);
  EXPECT_EQ(At(Stage::kSeal).advance.note, "why");
}

TEST_F(MoveStagesTest, RollbackWaitsForALeaderAndForTheTarget) {
  AddLearner();
  move_.cancelled = true;
  view_.leader.reset();
  EXPECT_EQ(At(Stage::kCatchUp).kind, ActionKind::kWait);
  RemoveLearner();
  view_.target.reset();
  EXPECT_EQ(At(Stage::kCatchUp).kind, ActionKind::kWait);
  view_.target_gone = "node 4 is dead";
  ExpectAdvance(Stage::kCatchUp, Stage::kRolledBack);
}

TEST_F(MoveStagesTest, AtIntentThereIsNoLearnerToRemove) {
  move_.cancelled = true;
  view_.target->exists = true;
  EXPECT_EQ(At(Stage::kIntent).kind, ActionKind::kDestroyTarget);
}

TEST_F(MoveStagesTest, AfterAddLearnerWasPossibleOnlyTheLogMayEndTheMove) {
  move_.cancelled = true;
  view_.target->exists = true;
  EXPECT_EQ(At(Stage::kAddLearner).kind, ActionKind::kRemoveLearner)
      << "a late AddLearner must find the move ended";
}

TEST_F(MoveStagesTest, AChosenSealBeatsTheWishToCancel) {
  Seal();
  move_.cancelled = true;
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
}

TEST_F(MoveStagesTest, TroubleBeforeTheSealIsCancelledByDecree) {
  AddLearner();
  view_.target_gone = "node 4 is dead";
  for (const Stage stage : kBeforeSwitch) {
    EXPECT_EQ(At(stage).kind, ActionKind::kCancel) << StageName(stage);
    EXPECT_FALSE(At(stage).why.empty());
  }
  view_.target_gone.clear();
  view_.target->exists = false;
  for (const Stage stage : {Stage::kAddLearner, Stage::kSnapshot, Stage::kSeal}) {
    EXPECT_EQ(At(stage).kind, ActionKind::kCancel) << StageName(stage);
  }
  view_.target->tombstone = kTarget.id;
  EXPECT_EQ(At(Stage::kIntent).kind, ActionKind::kCancel) << "destroyed before";
}

TEST_F(MoveStagesTest, APausedMoveRestsUnlessItCannotSucceedOrItsSealIsChosen) {
  AddLearner();
  move_.paused = true;
  for (const Stage stage : kBeforeSwitch) {
    EXPECT_EQ(At(stage).kind, ActionKind::kWait) << StageName(stage);
  }
  view_.target_gone = "node 4 is dead";
  EXPECT_EQ(At(Stage::kSnapshot).kind, ActionKind::kCancel);
  view_.target_gone.clear();
  Seal();
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
}

TEST_F(MoveStagesTest, APausedMoveMakesWayForTheRepairOfItsShard) {
  AddLearner();
  move_.paused = true;
  view_.others_gone[kSource.id] = view_.source_gone = "node 1 is dead";
  move_.cause = MoveCause::kRepair;
  EXPECT_EQ(At(Stage::kSnapshot).kind, ActionKind::kWait) << "it is the repair";
  move_.cause = MoveCause::kBalance;
  EXPECT_EQ(At(Stage::kSnapshot).kind, ActionKind::kCancel);
  view_.others_gone = {{kThird.id, "node 3 is dead"}};
  EXPECT_EQ(At(Stage::kIntent).kind, ActionKind::kCancel);
  EXPECT_NE(At(Stage::kIntent).why.find("node 3 is dead"), std::string::npos);
}

TEST_F(MoveStagesTest, AStallBeforeTheSealIsAnAbort) {
  AddLearner();
  view_.stalled = "no progress for 60 s: the disk is full";
  for (const Stage stage : kBeforeSwitch) {
    EXPECT_EQ(At(stage).kind, ActionKind::kCancel) << StageName(stage);
    EXPECT_EQ(At(stage).why, view_.stalled);
  }
}

TEST_F(MoveStagesTest, AStalledRollbackStillGoesThroughTheLogButLeavesTheTargetBehind) {
  AddLearner();
  move_.cancelled = true;
  view_.stalled = "no progress for 60 s";
  EXPECT_EQ(At(Stage::kCatchUp).kind, ActionKind::kRemoveLearner);
  RemoveLearner();
  view_.target.reset();
  ExpectAdvance(Stage::kCatchUp, Stage::kRolledBack);
}

TEST_F(MoveStagesTest, AStallAfterTheSealOnlyEndsTheCleanUp) {
  Seal();
  view_.stalled = "no progress for 60 s";
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
  view_.leader->epoch_started = false;
  EXPECT_EQ(At(Stage::kActivate).kind, ActionKind::kWait);
  ExpectAdvance(Stage::kCleanUp, Stage::kDone);
  EXPECT_THAT(At(Stage::kCleanUp).advance.note, ::testing::HasSubstr("no progress for 60 s"));
}

TEST_F(MoveStagesTest, ADestroyedVoterThatStaysMakesTheMoveGiveWay) {
  AddLearner();
  view_.others[kThird.id] = ReplicaStatus{};
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait) << "its node may be starting";
  view_.others[kThird.id].tombstone = kThird.id;
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kCancel);
}

TEST_F(MoveStagesTest, TroubleAfterTheSealChangesNothing) {
  Seal();
  view_.target.reset();
  view_.target_gone = "node 4 is dead";
  ExpectAdvance(Stage::kSeal, Stage::kActivate);
  ExpectAdvance(Stage::kActivate, Stage::kPublish);
  ExpectAdvance(Stage::kPublish, Stage::kCleanUp);
}

TEST_F(MoveStagesTest, AnEndedMoveDoesNothing) {
  Seal();
  EXPECT_EQ(At(Stage::kDone).kind, ActionKind::kWait);
  EXPECT_EQ(At(Stage::kRolledBack).kind, ActionKind::kWait);
}

}  // namespace
}  // namespace decree::rebalance
