// Who has a vote after a move, and moves that take a copy away and bring none (MOVES.md).
#include "move_fixture.h"

namespace decree::rebalance {
namespace {

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

// Three voters and a learner, three wanted: without its vote there must be three votes left.
TEST_F(SheddingTest, TheVoteThatGoesIsTakenOverOrTheMoveGivesWay) {
  view_.replicas_wanted = 3;
  AddLearner();
  move_.target = {};
  view_.target.reset();
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait) << "the learner did not answer";
  view_.others[kTarget.id] = Member(10);
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kWait) << "it lags";
  view_.others[kTarget.id] = Member();
  EXPECT_THAT(At(Stage::kSeal).next_voters, ::testing::ElementsAre(kSecond, kThird, kTarget));
  view_.others.erase(kTarget.id);
  view_.others_gone[kTarget.id] = "node 4 is dead";
  EXPECT_EQ(At(Stage::kSeal).kind, ActionKind::kCancel);
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

}  // namespace
}  // namespace decree::rebalance
