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

TEST(OwnVoteTest, Scenario03_TheOwnVoteWinsIfItsBallotIsTheHighest) {
  for (const bool own_is_higher : {true, false}) {
    OneReplica r;
    r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 1, {Command("own")}));
    r.Durable();
    r.Wait(1s);
    r.Get(2, PreVoteReply{B(1, 3, 1), true, {}, {}});
    r.Durable();
    const Ballot other = own_is_higher ? B(1, 1, 2) : B(1, 2, 4);
    r.Get(2, Promise{B(1, 3, 1), B(1, 3, 1), {}, {}, 0, 1, {Voted(1, other, "other")}});
    ASSERT_EQ(r.replica().role(), Role::kLeader);
    EXPECT_EQ(r.VoteAt(1), own_is_higher ? "1.3.1 own" : "1.3.1 other");
  }
}

TEST_F(RecoveryTest, Scenario07_AHoleBelowAVoteBecomesANoOp) {
  r.Get(2, Page({Voted(2, B(1, 0, 2), "b")}));
  r.Get(3, Page({}));
  EXPECT_EQ(r.VoteAt(1), "1.1.1 noop");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 b");
  EXPECT_EQ(r.VoteAt(3), "1.1.1 noop") << "the barrier";
  r.Durable();
  for (const std::uint64_t voter : {2, 3}) r.Get(voter, Accepted{ballot, ballot, Slot{3}, {}});
  std::string chosen;
  for (const ChosenDecree& c : r->chosen) chosen += Describe(c.decree) + " ";
  EXPECT_EQ(chosen, "noop b noop ") << "the command once, at its own slot";
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
  // One page of an earlier ballot and one of this one are no promise either.
  Promise first = Page({Voted(1, B(1, 0, 2), "old")}, 0, 0, 0, 2);
  first.ballot = first.promised = B(1, 0, 1);
  r.Get(2, first);
  r.Get(2, Page({Voted(2, B(1, 0, 3), "b")}, 0, 0, 1, 2));
  r.Get(3, Page({}));
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
  r.Get(2, Page({Voted(1, B(1, 0, 3), "a")}, 0, 0, 0, 2));
  ASSERT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.VoteAt(1), "1.1.1 a");
  EXPECT_EQ(r.VoteAt(2), "1.1.1 b");
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

TEST_F(RecoveryTest, Scenario10_P4AnAcknowledgementThatIsOvertakenTakesNothingBack) {
  r.Get(2, Page({Voted(1, B(1, 0, 2), "a"), Voted(2, B(1, 0, 2), "b")}));
  r.Get(3, Page({}));
  r.Durable();
  r.Get(2, Accepted{ballot, ballot, Slot{3}, {}});
  r.Forget();
  std::uint64_t before = r.replica().StateHash();
  r.Get(2, Accepted{ballot, ballot, Slot{1}, {}});
  EXPECT_EQ(r.replica().StateHash(), before);
  r.Get(3, Accepted{ballot, ballot, Slot{3}, Slot{2}});
  EXPECT_EQ(r.replica().chosen(), Slot{3}) << "the barrier, by 1, 2 and 3";
  EXPECT_EQ(r.replica().DurableChosenOf(ReplicaId{3}), Slot{2});
  r.Durable();
  r.Forget();
  before = r.replica().StateHash();
  for (const std::uint64_t voter : {3, 2}) r.Get(voter, Accepted{ballot, ballot, Slot{1}, {}});
  EXPECT_EQ(r.replica().StateHash(), before);
  EXPECT_EQ(r.replica().DurableChosenOf(ReplicaId{3}), Slot{2});
  EXPECT_TRUE(r->outbox.empty() && r->writes.empty()) << "nothing is sent again for it";
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

TEST(RestartedLeaderTest, Scenario12_NeverTwoValuesInOneBallotAndSlot) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.capture = [](const Packet& p) { return As<Accept>(p) != nullptr; };
  c.frozen_disks = {1};
  ASSERT_EQ(c.Put(1, "first"), Slot{2});
  const std::vector<Packet> late = c.captured;
  ASSERT_EQ(late.size(), 2u) << "sent in parallel with the own write";
  c.capture = nullptr;
  c.Crash(1);  // its own vote is forgotten, its promise is not
  c.frozen_disks.clear();
  c.Restart(1);
  c.Elect(1);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_GT(c[1].replica().promised(), B(1, 1, 1));
  const Slot second = c.Put(1, "second");
  for (const Packet& packet : late) c.Deliver(packet);
  c.Settle();
  c.Advance(200ms);
  EXPECT_EQ(c.LogOf(1), "1:noop 2:noop 3:second");
  EXPECT_EQ(second, Slot{3});
  for (const std::uint64_t id : {2, 3}) EXPECT_EQ(c.LogOf(id), c.LogOf(1));
  EXPECT_TRUE(c.invariants.ok()) << c.invariants.violations().front();
}

}  // namespace
}  // namespace decree::consensus::testing
