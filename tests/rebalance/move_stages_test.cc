// NextAction, stage by stage: what is done in which situation (MOVES.md).
#include "move_fixture.h"

namespace decree::rebalance {
namespace {

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
