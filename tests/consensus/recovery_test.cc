// A leader's first phase (P2) and the counting of votes (P4).
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

PromisedSlot Voted(std::uint64_t slot, const Ballot& ballot, const std::string& payload) {
  return PromisedSlot{Slot{slot}, false, ballot, Command(payload)};
}
PromisedSlot ChosenSlot(std::uint64_t slot, const std::string& payload) {
  return PromisedSlot{Slot{slot}, true, {}, Command(payload)};
}

// Five voters, so that two promises besides its own are a quorum.
class RecoveryTest : public ::testing::Test {
 protected:
  RecoveryTest() : r(GenesisOf({1, 2, 3, 4, 5})) {
    r.Wait(1s);
    r.Get(2, PreVoteReply{ballot, true, {}, {}});
    r.Get(3, PreVoteReply{ballot, true, {}, {}});
    r.Durable();
    EXPECT_EQ(r.replica().role(), Role::kCandidate);
  }
  Promise Page(std::vector<PromisedSlot> slots, std::uint64_t chosen = 0, std::uint64_t trimmed = 0,
               std::uint32_t page = 0, std::uint32_t pages = 1) {
    return Promise{ballot, ballot, Slot{chosen}, Slot{trimmed}, page, pages, std::move(slots)};
  }
  const Ballot ballot = B(1, 1, 1);
  OneReplica r;
};

TEST_F(RecoveryTest, Scenario01_AnAcceptedValueIsProposedAgain) {
  r.Get(2, Page({Voted(1, B(1, 0, 2), "a")}));
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
  r.Get(3, Page({}));
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.VoteAt(1), "1.1.1 a");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 noop");  // the barrier
}

TEST_F(RecoveryTest, Scenario03_TheHighestBallotWins) {
  r.Get(2, Page({Voted(1, B(1, 0, 2), "low")}));
  r.Get(3, Page({Voted(1, B(1, 0, 4), "high")}));
  EXPECT_EQ(r.VoteAt(1), "1.1.1 high");
}

TEST_F(RecoveryTest, Scenario07_AHoleBelowAVoteBecomesANoOp) {
  r.Get(2, Page({Voted(2, B(1, 0, 2), "b")}));
  r.Get(3, Page({}));
  EXPECT_EQ(r.VoteAt(1), "1.1.1 noop");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 b");
}

TEST_F(RecoveryTest, Scenario08_NoNoOpOverASlotThatAnotherChoseAndTrimmed) {
  r.Get(2, Page({}, 7, 7));
  r.Get(3, Page({}));
  EXPECT_EQ(r.replica().role(), Role::kCandidate);  // slots up to base are learned, never proposed
  EXPECT_EQ(r.VoteAt(1), "none");
  ASSERT_TRUE(r.Last<Learn>());
  r.Get(2, Learned{Slot{7}, Slot{7}, Slot{1}, {}});
  ASSERT_TRUE(r->snapshot);
  EXPECT_EQ(r->snapshot->at_least, Slot{7});
  r->InstallSnapshot(r.now, Slot{7}, GenesisOf({1, 2, 3, 4, 5}));
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.VoteAt(8), "1.1.1 noop");
}

TEST_F(RecoveryTest, Scenario56_AChosenValueComesWithThePromise) {
  r.Get(2, Page({ChosenSlot(1, "a")}, 1));
  r.Get(3, Page({Voted(1, B(1, 0, 9), "never")}));
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.replica().chosen(), Slot{1});
  EXPECT_EQ(Describe(r.replica().ChosenAt(Slot{1})->decree), "a");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 noop");
}

TEST_F(RecoveryTest, Scenario56_ALeaderThatCannotFetchUpToBasePreparesAHigherBallot) {
  r.Get(2, Page({}, 7, 7));
  r.Get(3, Page({}));
  r.Wait(1s);
  r.Durable();
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
  EXPECT_EQ(r.replica().promised(), B(1, 2, 1));
}

TEST_F(RecoveryTest, Scenario10_RepeatedAndReorderedPagesChangeNothing) {
  r.Get(2, Page({Voted(2, B(1, 0, 2), "b")}, 0, 0, 1, 2));
  r.Get(3, Page({}));
  r.Get(2, Page({Voted(2, B(1, 0, 2), "b")}, 0, 0, 1, 2));
  EXPECT_EQ(r.replica().role(), Role::kCandidate) << "a promise counts when all its pages are here";
  r.Get(2, Page({Voted(1, B(1, 0, 2), "a")}, 0, 0, 0, 2));
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.VoteAt(1), "1.1.1 a");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 b");
  const std::uint64_t before = r.replica().StateHash();
  r.Get(2, Page({Voted(1, B(1, 0, 2), "a")}, 0, 0, 0, 2));
  r.Get(4, Page({Voted(1, B(1, 0, 5), "late")}));
  EXPECT_EQ(r.replica().StateHash(), before) << "pages after the quorum is fixed are ignored";
}

TEST_F(RecoveryTest, PagesOfTwoRenderingsDoNotMix) {
  r.Get(3, Page({}));
  r.Get(2, Page({Voted(1, B(1, 0, 2), "a")}, 0, 0, 0, 2));
  r.Get(2, Page({Voted(3, B(1, 0, 2), "c")}, 1, 0, 1, 2));  // cut at another chosen
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
}

TEST_F(RecoveryTest, Scenario11_PromisesOfOtherBallotsDoNotCount) {
  Promise old = Page({});
  old.ballot = old.promised = B(1, 0, 1);
  r.Get(2, old);
  r.Get(3, old);
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
}

TEST_F(RecoveryTest, ARejectionEndsTheCampaignAndTheNextBallotIsHigher) {
  r.Get(2, Promise{ballot, B(1, 9, 5), {}, {}, 0, 1, {}});
  EXPECT_EQ(r.replica().role(), Role::kFollower);
  r.Wait(1s);
  ASSERT_TRUE(r.Last<PreVote>());
  EXPECT_EQ(r.Last<PreVote>()->ballot, B(1, 10, 1));
}

TEST_F(RecoveryTest, Scenario51_ARecoveredSealEndsRecovery) {
  r.Get(2, Page({PromisedSlot{Slot{1}, false, B(1, 0, 2), SealOf(MoveId{1}, {1, 2, 3})},
                 Voted(2, B(1, 0, 2), "above")}));
  r.Get(3, Page({}));
  EXPECT_EQ(r.VoteAt(1), "1.1.1 seal(1,2,3)");
  EXPECT_EQ(r.VoteAt(2), "none") << "no barrier, nothing above";
  EXPECT_FALSE(r.replica().ReadyLeader());
  EXPECT_EQ(r->Propose(r.now, Command("x")).code, ProposeCode::kNotReady);
  r->Read(r.now, 1);
  r.Get(2, HeartbeatReply{ballot, ballot, 100, {}, {}});
  r.Get(3, HeartbeatReply{ballot, ballot, 100, {}, {}});
  EXPECT_TRUE(r->reads.empty()) << "no reads in this ballot";
}

TEST_F(RecoveryTest, P4TheOwnVoteCountsOnlyWhenDurable) {
  r.Get(2, Page({}));
  r.Get(3, Page({}));
  r.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
  r.Get(3, Accepted{ballot, ballot, Slot{1}, {}});
  EXPECT_EQ(r.replica().chosen(), Slot{0});
  r.Durable();
  EXPECT_EQ(r.replica().chosen(), Slot{1});
}

TEST_F(RecoveryTest, Scenario10_P4AcknowledgementsOfAnotherBallotOrRepeatedOnesDoNotCount) {
  r.Get(2, Page({}));
  r.Get(3, Page({}));
  r.Durable();
  r.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
  r.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
  r.Get(3, Accepted{B(1, 0, 1), B(1, 0, 1), Slot{1}, {}});
  EXPECT_EQ(r.replica().chosen(), Slot{0});
  r.Get(3, Accepted{ballot, ballot, Slot{1}, {}});
  EXPECT_EQ(r.replica().chosen(), Slot{1});
}

TEST_F(RecoveryTest, Scenario12_NoBallotIsUsedTwice) {
  // It crashed while its next ballot was on the way to the disk: nobody may have heard of it.
  r.Get(2, Promise{ballot, B(1, 9, 5), {}, {}, 0, 1, {}});
  r.Forget();
  r.Wait(1s);
  r.Get(2, PreVoteReply{B(1, 10, 1), true, {}, {}});
  r.Get(3, PreVoteReply{B(1, 10, 1), true, {}, {}});
  EXPECT_EQ(r.replica().promised(), B(1, 10, 1));
  EXPECT_FALSE(r.Last<Prepare>());
  r.Durable();
  EXPECT_TRUE(r.Last<Prepare>());
  r.Restart();
  r.Wait(1s);
  EXPECT_GT(r.Last<PreVote>()->ballot, B(1, 10, 1));
}

}  // namespace
}  // namespace decree::consensus::testing
