#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

TEST(ReadsTest, Scenario28_ANewLeaderLetsReadsWaitForItsBarrier) {
  OneReplica r;
  r.Lead();
  ASSERT_FALSE(r.replica().ReadyLeader());
  r->Read(r.now, 7);
  r.Get(2, HeartbeatReply{B(1, 1, 1), B(1, 1, 1), 1, {}, {}});
  EXPECT_TRUE(r->reads.empty());
  r.Get(2, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{1}, {}});
  ASSERT_TRUE(r.replica().ReadyLeader());
  EXPECT_TRUE(r->reads.empty()) << "its round began with the barrier: the old answer is too old";
  const auto round = r.Last<Heartbeat>();
  ASSERT_TRUE(round);
  r.Get(2, HeartbeatReply{B(1, 1, 1), B(1, 1, 1), 2, {}, {}});
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_TRUE(r->reads[0].ok);
}

class ReadyLeaderTest : public ::testing::Test {
 protected:
  ReadyLeaderTest() {
    r.Lead();
    r.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
    EXPECT_TRUE(r.replica().ReadyLeader());
    r.Forget();
  }
  std::uint64_t RoundSent() {
    std::uint64_t round = 0;
    for (const Outgoing& out : r->outbox) {
      if (const auto* m = std::get_if<Heartbeat>(&out.message)) round = std::max(round, m->round);
    }
    return round;
  }
  void Answer(std::uint64_t from, std::uint64_t round, const Ballot& promised) {
    r.Get(from, HeartbeatReply{ballot, promised, round, {}, {}});
  }
  const Ballot ballot = B(1, 1, 1);
  OneReplica r;
};

TEST_F(ReadyLeaderTest, Scenario29_AnswersToEarlierRoundsOrOtherBallotsDoNotCount) {
  r->Read(r.now, 7);
  const std::uint64_t round = RoundSent();
  ASSERT_GT(round, 0u);
  Answer(2, round - 1, ballot);
  Answer(2, round, B(1, 0, 2));
  r.Get(2, HeartbeatReply{B(1, 0, 1), B(1, 0, 1), round, {}, {}});
  EXPECT_TRUE(r->reads.empty());
  Answer(2, round, ballot);
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_TRUE(r->reads[0].ok);
}

TEST_F(ReadyLeaderTest, ReadsThatComeDuringARoundWaitForTheNext) {
  r->Read(r.now, 7);
  const std::uint64_t first = RoundSent();
  r->Read(r.now, 8);
  r->Read(r.now, 9);
  EXPECT_EQ(RoundSent(), first) << "one round at a time";
  Answer(2, first, ballot);
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_EQ(r->reads[0].id, 7u);
  EXPECT_EQ(RoundSent(), first + 1);
  Answer(3, first + 1, ballot);
  EXPECT_EQ(r->reads.size(), 3u);
}

TEST_F(ReadyLeaderTest, AReadWaitsUntilItsIndexIsApplied) {
  r->apply_at_once = false;
  ASSERT_EQ(r->Propose(r.now, Command("a")).code, ProposeCode::kProposed);
  r.Durable();
  r.Get(2, Accepted{ballot, ballot, Slot{2}, {}});
  r->Read(r.now, 7);
  Answer(2, RoundSent(), ballot);
  EXPECT_TRUE(r->reads.empty());
  r->Apply(r.now);
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_TRUE(r->reads[0].ok);
}

TEST_F(ReadyLeaderTest, LearnersDoNotCountInARound) {
  OneReplica four(GenesisOf({1, 2, 3}, {4}));
  four.Lead();
  four.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
  four->Read(four.now, 7);
  four.Get(4, HeartbeatReply{ballot, ballot, 100, {}, {}});
  EXPECT_TRUE(four->reads.empty());
}

TEST_F(ReadyLeaderTest, SteppingDownFailsTheReadsThatWait) {
  r->Read(r.now, 7);
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_FALSE(r->reads[0].ok);
}

TEST_F(ReadyLeaderTest, Scenario57_ProposingTheSealEndsReadsOfTheBallot) {
  r.Get(2, HeartbeatReply{ballot, ballot, 1, Slot{1}, Slot{1}});
  r.Get(3, HeartbeatReply{ballot, ballot, 1, Slot{1}, Slot{1}});
  r->Read(r.now, 7);
  const std::uint64_t round = RoundSent();
  r->replica().HoldProposals();
  ASSERT_EQ(r->Propose(r.now, SealOf(MoveId{1}, {1, 2, 3})).code, ProposeCode::kProposed);
  Answer(2, round, ballot);
  Answer(3, round + 50, ballot);
  EXPECT_TRUE(r->reads.empty());
  r->Read(r.now, 8);
  Answer(2, round + 50, ballot);
  EXPECT_TRUE(r->reads.empty());
}

// The round of e was sent, then e+1 begins, under the same leader: answers that come now say
// nothing of what e+1 has chosen meanwhile, whatever their number.
TEST_F(ReadyLeaderTest, Scenario57_AnswersOfTheSealedEpochAreTooLate) {
  r.Get(2, HeartbeatReply{ballot, ballot, 1, Slot{1}, Slot{1}});
  r.Get(3, HeartbeatReply{ballot, ballot, 1, Slot{1}, Slot{1}});
  r->Read(r.now, 7);
  const std::uint64_t old_round = RoundSent();
  ASSERT_GT(old_round, 1u);
  ASSERT_EQ(r->Propose(r.now, SealOf(MoveId{1}, {1, 2, 3})).slot, Slot{2});
  r.Durable();
  r.Get(2, Accepted{ballot, ballot, Slot{2}, {}});
  ASSERT_EQ(r.replica().config().epoch, Epoch{2});
  for (const std::uint64_t voter : {2, 3}) Answer(voter, old_round, ballot);
  EXPECT_TRUE(r->reads.empty()) << "while it takes the next epoch over";
  const Ballot next = B(2, 1, 1);
  r.Durable();
  r.Get(2, Promise{next, next, Slot{2}, {}, 0, 1, {}});
  ASSERT_EQ(r.replica().role(), Role::kLeader);
  for (const std::uint64_t voter : {2, 3}) Answer(voter, old_round, ballot);
  EXPECT_TRUE(r->reads.empty()) << "before EpochStart is chosen";
  r.Durable();
  r.Forget();
  r.Get(2, Accepted{next, next, Slot{3}, {}});
  ASSERT_TRUE(r.replica().ReadyLeader());
  const std::uint64_t round = RoundSent();
  ASSERT_GT(round, old_round) << "the read runs again";
  for (const std::uint64_t voter : {2, 3}) Answer(voter, old_round, ballot);
  for (const std::uint64_t voter : {2, 3}) Answer(voter, round, ballot);
  EXPECT_TRUE(r->reads.empty());
  r.Get(3, HeartbeatReply{next, next, round, {}, {}});
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_TRUE(r->reads[0].ok);
}

TEST(ReadsTest, Scenario57_ARestartedLeaderDoesNotResumeItsBallot) {
  OneReplica r;
  r.Lead();
  r.Get(2, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{1}, {}});
  ASSERT_TRUE(r.replica().ReadyLeader());
  r.Restart();
  EXPECT_EQ(r.replica().role(), Role::kFollower);
  r->Read(r.now, 7);
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_FALSE(r->reads[0].ok);
}

TEST(ReadsTest, AFollowerRefusesAReadAtOnce) {
  OneReplica r;
  r->Read(r.now, 7);
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_FALSE(r->reads[0].ok);
}

TEST(ReadsTest, ALoneReplicaAnswersAtOnce) {
  ManualCluster c(GenesisOf({1}));
  c.Advance(1ms);
  ASSERT_TRUE(c[1].replica().ReadyLeader()) << "it waits for nobody";
  c[1].Read(c.now(), 7);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_TRUE(c[1].reads[0].ok);
}

}  // namespace
}  // namespace decree::consensus::testing
