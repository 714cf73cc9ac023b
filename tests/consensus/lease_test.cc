// Leases: who may read without asking, until when, and what a grantor owes for it.
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

constexpr Duration kLease = 200ms;
constexpr Duration kHolds = 197ms;  // less 1 % of drift and the margin of 1 ms
const Ballot kOwn = B(1, 1, 1);

std::uint64_t Ns(Duration duration) { return static_cast<std::uint64_t>(duration.count()); }

// ---- the holder: replica 1 leads, 2 and 3 grant ----

class HolderTest : public ::testing::Test {
 protected:
  explicit HolderTest(const Options& options = {}, const Config& genesis = GenesisOf({1, 2, 3}))
      : r(genesis, options) {
    r.Lead();
    r.Get(2, Accepted{kOwn, kOwn, Slot{1}, Slot{1}});
    r.Get(3, Accepted{kOwn, kOwn, Slot{1}, Slot{1}});
    EXPECT_TRUE(r.replica().ReadyLeader());
  }
  // Sends a heartbeat and says which round it began.
  Heartbeat Beat() {
    r.Forget();
    r.Wait(50ms);
    const auto beat = r.Last<Heartbeat>();
    EXPECT_TRUE(beat);
    return *beat;
  }
  void Grant(std::uint64_t from, std::uint64_t round, bool granted = true) {
    r.Get(from, HeartbeatReply{kOwn, kOwn, round, Slot{1}, Slot{1}, granted});
  }
  bool ReadsAtOnce() {
    r->reads.clear();
    r->Read(r.now, ++last_read);
    return !r->reads.empty() && r->reads.back().id == last_read && r->reads.back().ok;
  }
  OneReplica r;
  ReadId last_read = 0;
};

TEST_F(HolderTest, AMajorityOfGrantsServesReadsWithoutARound) {
  const Heartbeat beat = Beat();
  EXPECT_EQ(beat.lease_ns, Ns(kLease));
  EXPECT_FALSE(ReadsAtOnce());
  Grant(3, beat.round);
  EXPECT_TRUE(ReadsAtOnce());
}

TEST_F(HolderTest, AnAnswerThatGrantsNothingGivesNoLease) {
  const Heartbeat beat = Beat();
  Grant(2, beat.round, false);
  EXPECT_FALSE(ReadsAtOnce());
}

TEST_F(HolderTest, TheLeaseRunsFromTheSendingLessDriftAndMargin) {
  const Heartbeat beat = Beat();
  const Instant sent = r.now;
  r.now = sent + 40ms;  // the answer took its time
  Grant(2, beat.round);
  EXPECT_EQ(r.replica().LeaseUntil(), sent + kHolds);
  r.now = sent + kHolds - 1ns;
  EXPECT_TRUE(ReadsAtOnce());
}

// Nobody ticks it meanwhile: the process was stopped, and the clock is read after the request came.
TEST_F(HolderTest, Scenario25_AHolderStoppedPastItsLeaseAsksForARound) {
  Grant(2, Beat().round);
  ASSERT_TRUE(ReadsAtOnce());
  r.now = r.now + kHolds;
  r.Forget();
  EXPECT_FALSE(ReadsAtOnce());
  EXPECT_TRUE(r.Last<Heartbeat>()) << "read index instead";
}

TEST_F(HolderTest, GrantsOfALaterRoundCountFromTheLastHeartbeatBeforeIt) {
  const Heartbeat beat = Beat();
  const Instant sent = r.now;
  r.now = sent + 20ms;
  EXPECT_FALSE(ReadsAtOnce());  // begins a round of its own
  const auto round = r.Last<Heartbeat>();
  ASSERT_GT(round->round, beat.round);
  EXPECT_EQ(round->lease_ns, Ns(kLease));
  Grant(2, round->round);
  EXPECT_EQ(r.replica().LeaseUntil(), sent + kHolds);
}

TEST_F(HolderTest, ALateAnswerToAnOldRoundDoesNotRenew) {
  const Heartbeat old = Beat();
  const Instant sent = r.now;
  for (int i = 0; i < 3; ++i) Grant(2, Beat().round, false);
  Grant(2, old.round);
  EXPECT_EQ(r.replica().LeaseUntil(), sent + kHolds);
  for (int i = 0; i < 2; ++i) Grant(2, Beat().round, false);
  Grant(2, old.round);
  EXPECT_FALSE(r.replica().LeaseUntil()) << "it was granted long ago";
}

TEST(LeaseTest, NoReadIsServedByALeaseBeforeTheBarrierIsChosen) {
  OneReplica r;
  r.Lead();
  r.Get(2, HeartbeatReply{kOwn, kOwn, 1, Slot{0}, Slot{0}, true});
  r->Read(r.now, 7);
  EXPECT_TRUE(r->reads.empty());
}

class HolderWithLearnerTest : public HolderTest {
 protected:
  HolderWithLearnerTest() : HolderTest({}, GenesisOf({1, 2, 3}, {4})) {}
};

TEST_F(HolderWithLearnerTest, ALearnersGrantDoesNotCount) {
  Grant(4, Beat().round);
  EXPECT_FALSE(ReadsAtOnce());
}

TEST_F(HolderTest, AHigherPromiseEndsTheLease) {
  Grant(2, Beat().round);
  ASSERT_TRUE(r.replica().LeaseUntil());
  r.Get(3, HeartbeatReply{kOwn, B(1, 9, 3), 2, Slot{0}, Slot{0}, false});
  EXPECT_FALSE(r.replica().LeaseUntil());
  EXPECT_FALSE(ReadsAtOnce());
}

TEST_F(HolderTest, ProposingTheSealEndsTheLeaseAndItsRenewalForGood) {
  const Heartbeat beat = Beat();
  Grant(2, beat.round);
  Grant(3, beat.round);
  ASSERT_TRUE(ReadsAtOnce());
  ASSERT_EQ(r->Propose(r.now, SealOf(MoveId{1}, {1, 2, 3})).code, ProposeCode::kProposed);
  EXPECT_FALSE(ReadsAtOnce());
  const Heartbeat later = Beat();
  EXPECT_EQ(later.lease_ns, 0u);
  Grant(2, later.round);
  EXPECT_FALSE(ReadsAtOnce());
}

// The lease goes before the order leaves: the target's ballot needs no grantor's patience.
TEST_F(HolderTest, Scenario30_AGivenUpTransferBringsTheLeaderBackWithoutItsLease) {
  const Heartbeat beat = Beat();
  Grant(2, beat.round);
  Grant(3, beat.round);
  ASSERT_TRUE(ReadsAtOnce());
  r->Transfer(r.now, ReplicaId{2});
  ASSERT_TRUE(r.Last<TransferNow>());
  EXPECT_FALSE(ReadsAtOnce());
  for (int i = 0; i < 11; ++i) {  // the target died, replica 3 answers
    const Heartbeat asks_nothing = Beat();
    EXPECT_EQ(asks_nothing.lease_ns, 0u);
    Grant(3, asks_nothing.round);
  }
  EXPECT_FALSE(r->replica().HandingOver());
  ASSERT_TRUE(r.replica().ReadyLeader()) << "it goes on";
  EXPECT_FALSE(ReadsAtOnce());
  const auto round = r.Last<Heartbeat>();
  Grant(3, round->round);
  ASSERT_FALSE(r->reads.empty());
  EXPECT_TRUE(r->reads.back().ok) << "read index serves";
}

// ---- the grantor: replica 1 follows 2 ----

class GrantorTest : public ::testing::Test {
 protected:
  explicit GrantorTest(const Options& options = {}) : r(GenesisOf({1, 2, 3}), options) {}
  // A heartbeat of `ballot` that asks for a lease; whether it was granted.
  bool Asked(const Ballot& ballot, Duration lease = kLease) {
    r.Forget();
    r.Get(ballot.replica.value, Heartbeat{ballot, Slot{0}, ++round, 0, Ns(lease)});
    r.Durable();
    const auto reply = r.Last<HeartbeatReply>();
    EXPECT_TRUE(reply);
    return reply && reply->granted && reply->promised == ballot;
  }
  bool Promises(const Prepare& prepare) {
    r.Forget();
    r.Get(prepare.ballot.replica.value, prepare);
    r.Durable();
    const auto promise = r.Last<Promise>();
    return promise && promise->promised == prepare.ballot;
  }
  bool Promises(const Ballot& ballot) { return Promises(Prepare{ballot, Slot{1}, {}}); }
  bool GrantsPreVote(const Ballot& ballot) {
    r.Forget();
    r.Get(ballot.replica.value, PreVote{ballot});
    const auto reply = r.Last<PreVoteReply>();
    return reply && reply->granted;
  }
  const Ballot leader = B(1, 1, 2);
  const Ballot rival = B(1, 2, 3);
  OneReplica r;
  std::uint64_t round = 0;
};

TEST_F(GrantorTest, RefusesOtherBallotsUntilReceivedPlusTheLease) {
  ASSERT_TRUE(Asked(leader));
  r.now = r.now + kLease - 1ns;
  EXPECT_FALSE(GrantsPreVote(rival));
  EXPECT_FALSE(Promises(rival));
  EXPECT_EQ(r.replica().promised(), leader);
  r.now = r.now + 1ns;
  EXPECT_TRUE(Promises(rival));
}

TEST_F(GrantorTest, TheLeadersOwnPrepareIsAnsweredAgain) {
  ASSERT_TRUE(Promises(leader));
  ASSERT_TRUE(Asked(leader));
  EXPECT_TRUE(Promises(leader));
}

TEST_F(GrantorTest, ARenewalMovesTheEnd) {
  ASSERT_TRUE(Asked(leader));
  r.now = r.now + 150ms;
  ASSERT_TRUE(Asked(leader));
  r.now = r.now + 150ms;
  EXPECT_FALSE(Promises(rival));
  r.now = r.now + 50ms;
  EXPECT_TRUE(Promises(rival));
}

// That ballot has a majority of promises, and each of them waited: the grant is of no use any more.
TEST_F(GrantorTest, AGrantDoesNotKeepItFromVotingInAHigherBallot) {
  ASSERT_TRUE(Asked(leader));
  r.Get(3, r.AcceptOf(rival, 0, 1, {Command("a")}));
  r.Durable();
  EXPECT_EQ(r.VoteAt(1), "1.2.3 a");
  EXPECT_TRUE(Promises(B(1, 3, 3)));
}

TEST_F(GrantorTest, AReleasedLeaseBindsNobody) {
  ASSERT_TRUE(Asked(leader));
  EXPECT_FALSE(Promises(Prepare{rival, Slot{1}, B(1, 0, 2)})) << "another ballot's release";
  EXPECT_TRUE(Promises(Prepare{rival, Slot{1}, leader}));
}

TEST_F(GrantorTest, TheTargetOfATransferCampaignsAtOnceAndTellsWhoReleasedIt) {
  ASSERT_TRUE(Asked(leader));
  r.Forget();
  r.Get(2, TransferNow{leader});
  r.Durable();
  const auto prepare = r.Last<Prepare>();
  ASSERT_TRUE(prepare);
  EXPECT_EQ(prepare->released, leader);
}

TEST_F(GrantorTest, Scenario26_ARestartedGrantorRefusesOtherBallotsForAWholeLease) {
  ASSERT_TRUE(Asked(leader));
  r.Restart();
  EXPECT_FALSE(GrantsPreVote(rival));
  EXPECT_FALSE(Promises(rival));
  r.now = r.now + kLease - 1ns;
  EXPECT_FALSE(Promises(rival));
  r.now = r.now + 1ns;
  EXPECT_TRUE(Promises(rival));
}

TEST_F(GrantorTest, ANewReplicaHasNothingToWaitFor) { EXPECT_TRUE(Promises(rival)); }

TEST_F(GrantorTest, AKnownSealVoidsTheGrantsOfItsEpoch) {
  r.Get(2, r.AcceptOf(leader, 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
  r.Durable();
  ASSERT_TRUE(Asked(leader));
  r.Get(2, Heartbeat{leader, Slot{1}, 0, 0, 0});  // the watermark chooses the Seal here
  r.Durable();
  ASSERT_EQ(r.replica().config().epoch, Epoch{2});
  EXPECT_TRUE(Promises(Prepare{B(2, 1, 3), Slot{2}, {}}));
}

TEST_F(GrantorTest, NobodyGrantsLongerThanItsOwnRestartWouldWait) {
  EXPECT_FALSE(Asked(leader, kLease + 1ns));
  EXPECT_TRUE(Promises(rival));
}

TEST_F(GrantorTest, LeasesOfAHundredMillisecondsAreGrantedForAHundred) {
  ASSERT_TRUE(Asked(leader, 100ms));
  r.now = r.now + 100ms;
  EXPECT_TRUE(Promises(rival));
}

// ---- the switch ----

Options Off() {
  Options options;
  options.leases = false;
  return options;
}

class HolderOffTest : public HolderTest {
 protected:
  HolderOffTest() : HolderTest(Off()) {}
};

TEST_F(HolderOffTest, AsksForNothingAndReadsByRounds) {
  const Heartbeat beat = Beat();
  EXPECT_EQ(beat.lease_ns, 0u);
  Grant(2, beat.round);
  Grant(3, beat.round);
  EXPECT_FALSE(ReadsAtOnce());
}

class GrantorOffTest : public GrantorTest {
 protected:
  GrantorOffTest() : GrantorTest(Off()) {}
};

TEST_F(GrantorOffTest, GrantsNothing) {
  EXPECT_FALSE(Asked(leader));
  EXPECT_TRUE(Promises(rival));
}

// In a rolling restart that turns leases off, the life before may have granted one.
TEST_F(GrantorOffTest, WaitsAfterARestartAllTheSame) {
  ASSERT_TRUE(Promises(leader));
  r.Restart();
  EXPECT_FALSE(Promises(rival));
  r.now = r.now + kLease;
  EXPECT_TRUE(Promises(rival));
}

TEST(LeaseTest, ALeaseNotShorterThanTheElectionTimeoutIsNotUsed) {
  Options options;
  options.lease = options.election_min;
  OneReplica r(GenesisOf({1, 2, 3}), options);
  r.Lead();
  const auto beat = r.Last<Heartbeat>();
  ASSERT_TRUE(beat);
  EXPECT_EQ(beat->lease_ns, 0u);
}

// ---- together ----

TEST(LeaseTest, AClusterReadsLocallyWhileItsLeaderIsHeard) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  ASSERT_NE(c.Put(1, "a"), Slot{});
  c.Advance(100ms);
  c[1].reads.clear();
  c[1].Read(c.now(), 7);
  ASSERT_EQ(c[1].reads.size(), 1u) << "no message was needed";
  EXPECT_TRUE(c[1].reads[0].ok);
}

TEST(LeaseTest, ATransferNeedsNobodyToWaitForTheLease) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Advance(100ms);
  ASSERT_TRUE(c[1].replica().LeaseUntil());
  c[1].Transfer(c.now(), ReplicaId{2});
  c.Settle();
  EXPECT_EQ(c.Leaders(), std::vector<std::uint64_t>{2}) << "no time passed\n" << c.Status();
  EXPECT_TRUE(c.invariants.ok());
}

// Two of five grants are no majority.
TEST(LeaseTest, OfFiveVotersThreeMustGrant) {
  OneReplica r(GenesisOf({1, 2, 3, 4, 5}));
  r.Wait(1s);
  for (const std::uint64_t from : {2, 3}) r.Get(from, PreVoteReply{kOwn, true, {}, {}});
  r.Durable();
  for (const std::uint64_t from : {2, 3}) r.Get(from, Promise{kOwn, kOwn, {}, {}, 0, 1, {}});
  r.Durable();
  for (const std::uint64_t from : {2, 3}) r.Get(from, Accepted{kOwn, kOwn, Slot{1}, Slot{1}});
  ASSERT_TRUE(r.replica().ReadyLeader());
  r.Forget();
  r.Wait(50ms);
  const auto beat = r.Last<Heartbeat>();
  ASSERT_TRUE(beat);
  r.Get(4, HeartbeatReply{kOwn, kOwn, beat->round, Slot{1}, Slot{1}, true});
  EXPECT_FALSE(r.replica().LeaseUntil());
  r.Get(5, HeartbeatReply{kOwn, kOwn, beat->round, Slot{1}, Slot{1}, true});
  EXPECT_TRUE(r.replica().LeaseUntil());
}

// A lease longer than the election timeout is not used, but a restart waits for it: who is bound
// must not campaign (a CHECK would end the process).
TEST(LeaseTest, WhoIsBoundForLongerThanAnElectionTimeoutDoesNotCampaign) {
  Options options;
  options.lease = 2s;
  OneReplica r(GenesisOf({1, 2, 3}), options);
  r.Get(2, Prepare{B(1, 1, 2), Slot{1}, {}});
  r.Durable();
  r.Restart();
  r.Wait(600ms);
  EXPECT_EQ(r.replica().role(), Role::kFollower);
  r.Get(3, PreVoteReply{B(1, 2, 1), true, {}, {}});
  EXPECT_EQ(r.replica().promised(), B(1, 1, 2));
  r.Wait(1400ms);
  EXPECT_EQ(r.replica().role(), Role::kPreCandidate);
}

TEST(LeaseTest, ARestartInALaterEpochThanThePromiseWaitsForNobody) {
  OneReplica r;
  const Ballot leader = B(1, 1, 2);
  r.Get(2, r.AcceptOf(leader, 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
  r.Durable();
  r.Get(2, Heartbeat{leader, Slot{1}, 0, 0, 0});
  r.Durable();
  r->Flush();
  r.Restart();
  ASSERT_EQ(r.replica().config().epoch, Epoch{2});
  r.Get(3, Prepare{B(2, 1, 3), Slot{2}, {}});
  EXPECT_EQ(r.replica().promised(), B(2, 1, 3));
}

}  // namespace
}  // namespace decree::consensus::testing
