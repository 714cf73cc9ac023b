// The checker itself: each invariant, broken once, is reported.
#include "consensus/invariants.h"

#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

class InvariantsTest : public ::testing::Test {
 protected:
  InvariantsTest() : invariants(GenesisOf({1, 2, 3}, {4})) {}
  void Vote(std::uint64_t replica, const Ballot& ballot, std::uint64_t slot, const Decree& decree) {
    Persist record;
    record.votes.push_back({Slot{slot}, ballot, decree});
    invariants.Durable(ReplicaId{replica}, record);
  }
  void Promised(std::uint64_t replica, const Ballot& ballot) {
    Persist record;
    record.promised = ballot;
    invariants.Durable(ReplicaId{replica}, record);
  }
  // The leader asks, and a voter's answer grants it from now on.
  void Granted(const Replica& leader, std::uint64_t voter, std::uint64_t lease_ns = 100) {
    const Ballot& ballot = leader.promised();
    Promised(voter, ballot);
    invariants.Sent(leader.self(), Heartbeat{ballot, {}, 1, 0, lease_ns});
    invariants.Sent(ReplicaId{voter}, HeartbeatReply{ballot, ballot, 1, {}, {}, true});
  }
  bool Reported(const std::string& name) {
    for (const std::string& v : invariants.violations()) {
      if (v.find(name) != std::string::npos) return true;
    }
    return false;
  }
  Invariants invariants;
};

TEST_F(InvariantsTest, Inv1TwoValuesChosenInASlot) {
  for (std::uint64_t replica : {1, 2}) Vote(replica, B(1, 1, 1), 1, Command("a"));
  EXPECT_NE(invariants.ChosenHash(Slot{1}), 0u);
  Vote(2, B(1, 2, 2), 1, Command("b"));
  EXPECT_TRUE(invariants.ok()) << "one vote chooses nothing";
  Vote(3, B(1, 2, 2), 1, Command("b"));
  EXPECT_TRUE(Reported("INV-1"));
}

TEST_F(InvariantsTest, Inv2TwoValuesInABallot) {
  Vote(1, B(1, 1, 1), 1, Command("a"));
  Vote(2, B(1, 1, 1), 1, Command("b"));
  EXPECT_TRUE(Reported("INV-2"));
}

TEST_F(InvariantsTest, Inv2AVoteForWhatItsLeaderDidNotPropose) {
  OneReplica leader;
  leader.Lead();
  Output proposed;
  proposed.persist.emplace();
  proposed.persist->votes.push_back({Slot{1}, B(1, 1, 1), Command("a")});
  invariants.Stepped(leader.replica(), proposed);
  Vote(2, B(1, 1, 1), 1, Command("a"));
  EXPECT_TRUE(invariants.ok());
  Vote(2, B(1, 1, 1), 2, Command("b"));
  EXPECT_TRUE(Reported("INV-2 its leader did not propose 1.1.1 at slot 2"));
}

TEST_F(InvariantsTest, Inv3AForgottenPromise) {
  Promised(1, B(1, 5, 2));
  OneReplica fresh;
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-3"));
}

TEST_F(InvariantsTest, Inv20ALeaseHeldAsleep) {
  Options options;
  options.sleep_after = 1s;
  ManualCluster c(GenesisOf({1, 2, 3}), options);
  c.Elect(1);
  c.Advance(2s);
  ASSERT_TRUE(c[1].replica().asleep());
  invariants.Lease(c[1].replica(), std::nullopt);
  EXPECT_TRUE(invariants.ok());
  invariants.Lease(c[1].replica(), Instant{200});
  EXPECT_TRUE(Reported("INV-20"));
}

class InvariantsOfLeasesTest : public InvariantsTest {
 protected:
  InvariantsOfLeasesTest() {
    c.Elect(1);
    invariants.At(Instant{100});
    Granted(c[1].replica(), 2);
  }
  void Lease(std::uint64_t holder, std::int64_t until) {
    invariants.Lease(c[holder].replica(), Instant{until});
  }
  ManualCluster c{GenesisOf({1, 2, 3})};
};

TEST_F(InvariantsOfLeasesTest, Inv11AnotherBallotChoosesOrLeasesUnderALease) {
  Lease(1, 200);
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 0, 3), 1, Command("a"));
  EXPECT_FALSE(Reported("INV-11")) << "a lower ballot's votes are known to the holder";
  c.Elect(2);
  invariants.At(Instant{199});
  Lease(2, 300);
  EXPECT_TRUE(Reported("INV-11 a second lease"));
  Lease(1, 200);
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 9, 3), 2, Command("b"));
  EXPECT_TRUE(Reported("INV-11 1.9.3 chooses"));
}

TEST_F(InvariantsOfLeasesTest, ALeaseThatIsOverOrGivenUpBindsNobody) {
  Lease(1, 200);
  invariants.At(Instant{200});
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 8, 3), 1, Command("a"));
  Granted(c[1].replica(), 2);
  Lease(1, 300);
  invariants.Lease(c[1].replica(), std::nullopt);
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 9, 3), 2, Command("b"));
  EXPECT_TRUE(invariants.ok());
}

// A process that was paused still shows its old lease until it reads the clock (a seed that failed:
// 5827278312133).
TEST_F(InvariantsOfLeasesTest, ALeaseThatIsOverIsNoSecondOneAndHidesNone) {
  Lease(1, 101);
  invariants.At(Instant{150});
  c.Elect(2);
  Granted(c[2].replica(), 3);
  Lease(2, 250);
  Lease(1, 101);
  EXPECT_TRUE(invariants.ok());
  for (std::uint64_t replica : {1, 3}) Vote(replica, B(1, 9, 3), 2, Command("b"));
  EXPECT_TRUE(Reported("INV-11 1.9.3 chooses"));
}

TEST_F(InvariantsOfLeasesTest, Inv11AReadIsAnsweredByALeaseThatIsOver) {
  Output answers;
  answers.reads.push_back({7, true});
  invariants.Stepped(c[1].replica(), answers);
  Lease(1, 200);
  invariants.At(Instant{200});
  invariants.Stepped(c[1].replica(), {});
  Lease(1, 200);
  EXPECT_TRUE(invariants.ok()) << "it read no clock";
  invariants.Stepped(c[1].replica(), answers);
  Lease(1, 200);
  EXPECT_TRUE(Reported("INV-11 answers a read"));
}

TEST_F(InvariantsOfLeasesTest, Inv17ALeaseWithASealProposed) {
  const Ballot own = c[1].replica().promised();
  const auto step_with_a_seal_of = [&](const Ballot& ballot) {
    Output output;
    output.persist.emplace();
    output.persist->votes.push_back({Slot{1}, ballot, SealOf(MoveId{1}, {1, 2, 3})});
    output.send.push_back({MemberOf(2), Heartbeat{own, {}, 2, 0, 100}});  // from before the Seal
    invariants.Stepped(c[1].replica(), output);
  };
  step_with_a_seal_of(B(1, 0, 1));
  Lease(1, 200);
  EXPECT_TRUE(invariants.ok()) << "a Seal of another ballot";
  step_with_a_seal_of(own);
  EXPECT_TRUE(invariants.ok()) << invariants.violations().front();
  Lease(1, 200);
  EXPECT_TRUE(Reported("INV-17 holds a lease"));
  Output renewal;
  renewal.send.push_back({MemberOf(2), Heartbeat{own, {}, 3, 0, 100}});
  invariants.Stepped(c[1].replica(), renewal);
  EXPECT_TRUE(Reported("INV-17 asks for a lease"));
}

TEST_F(InvariantsOfLeasesTest, Inv18ALeaseOutlastsTheGrantsBehindIt) {
  Lease(1, 200);
  EXPECT_TRUE(invariants.ok());
  Lease(1, 201);
  EXPECT_TRUE(Reported("INV-18"));
}

TEST_F(InvariantsOfLeasesTest, Inv18TheGrantsWereGivenInAnotherBallot) {
  c.Elect(2);
  c.Elect(1);
  Lease(1, 150);
  EXPECT_TRUE(Reported("INV-18"));
}

TEST_F(InvariantsTest, Inv4AVoteBelowAPromiseOrOfALearner) {
  Promised(1, B(1, 5, 2));
  Vote(1, B(1, 4, 3), 1, Command("a"));
  EXPECT_TRUE(Reported("INV-4 vote below promise"));
  Vote(4, B(1, 5, 2), 1, Command("b"));
  EXPECT_TRUE(Reported("INV-4 not a voter"));
}

TEST_F(InvariantsTest, Inv5WhatIsSaidIsDurable) {
  Promised(1, B(1, 5, 2));
  invariants.Sent(ReplicaId{1}, Promise{B(1, 5, 2), B(1, 5, 2), {}, {}, 0, 1, {}});
  EXPECT_TRUE(invariants.ok());
  invariants.Sent(ReplicaId{1}, Accepted{B(1, 5, 2), B(1, 5, 2), Slot{1}, {}});
  EXPECT_TRUE(Reported("INV-5 vote"));
  invariants.Sent(ReplicaId{2}, Promise{B(1, 5, 2), B(1, 5, 2), {}, {}, 0, 1, {}});
  EXPECT_TRUE(Reported("INV-5 promise"));
}

TEST_F(InvariantsTest, Inv6AForgottenVote) {
  Vote(1, B(1, 1, 1), 1, Command("a"));
  OneReplica fresh;
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-6"));
}

TEST_F(InvariantsTest, Inv7ACommandAfterTheSeal) {
  for (std::uint64_t replica : {1, 2}) {
    Vote(replica, B(1, 1, 1), 1, SealOf(MoveId{1}, {1, 2, 3}));
    Vote(replica, B(1, 1, 1), 2, Command("after"));
  }
  EXPECT_TRUE(Reported("INV-7 no EpochStart"));
}

TEST_F(InvariantsTest, Inv7ACommandTwoSlotsAfterTheSealThatWasSeenFirst) {
  for (std::uint64_t replica : {1, 2}) Vote(replica, B(1, 1, 1), 3, Command("after"));
  EXPECT_FALSE(Reported("INV-7"));
  for (std::uint64_t replica : {1, 2}) Vote(replica, B(1, 2, 2), 1, SealOf(MoveId{1}, {1, 2, 3}));
  EXPECT_TRUE(Reported("INV-7 chosen after the Seal"));
}

TEST_F(InvariantsTest, Inv7AnEpochStartWithoutASeal) {
  Decree start;
  start.kind = DecreeKind::kEpochStart;
  for (std::uint64_t replica : {1, 2}) {
    Vote(replica, B(1, 1, 1), 1, Command("a"));
    Vote(replica, B(1, 1, 1), 2, start);
  }
  EXPECT_TRUE(Reported("INV-7 EpochStart without"));
}

TEST_F(InvariantsTest, Inv8WhatWasKnownToBeChosenIsForgotten) {
  Persist record;
  record.chosen.push_back({Slot{1}, Command("a")});
  invariants.Durable(ReplicaId{1}, record);
  OneReplica fresh;
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-8 forgot"));
}

TEST_F(InvariantsTest, Inv8WhatOnlyTheRowsToldGoesWithOldRowsAndNothingElse) {
  Persist record;
  record.chosen.push_back({Slot{1}, Command("a")});
  invariants.Durable(ReplicaId{1}, record);
  OneReplica fresh;
  invariants.RowsPutBack(ReplicaId{1});
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(invariants.ok());
  record.watermark = Slot{1};
  invariants.Durable(ReplicaId{1}, record);
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-8 forgot"));
}

TEST_F(InvariantsTest, Inv8OldRowsOfAnotherReplicaExcuseNothing) {
  Persist record;
  record.chosen.push_back({Slot{1}, Command("a")});
  invariants.Durable(ReplicaId{1}, record);
  invariants.RowsPutBack(ReplicaId{2});
  OneReplica fresh;
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-8 forgot"));
}

TEST_F(InvariantsTest, Inv12OnlyAVoterOfTheEpochUsesItsOwnBallot) {
  invariants.Sent(ReplicaId{2}, Prepare{B(1, 3, 2), Slot{1}});
  EXPECT_FALSE(Reported("INV-12"));
  invariants.Sent(ReplicaId{3}, Prepare{B(1, 3, 2), Slot{1}});
  EXPECT_TRUE(Reported("INV-12 not its ballot"));
  invariants.Sent(ReplicaId{4}, Heartbeat{B(1, 4, 4), Slot{0}});
  EXPECT_TRUE(Reported("INV-12 not a voter: 1.4.4"));
  invariants.Sent(ReplicaId{1}, Accept{B(2, 1, 1), Slot{0}, Slot{1}, {Command("a")}, Slot{0}});
  EXPECT_TRUE(Reported("INV-12 not a voter: 2.1.1")) << "nobody has begun that epoch";
}

// A voter of epoch 1 that epoch 2 leaves out, as replica 2 of a cluster sees it.
class InvariantsOfASealTest : public InvariantsTest {
 protected:
  void Seal(bool begun) {
    for (std::uint64_t replica : {2, 3}) {
      Vote(replica, B(1, 1, 2), 1, SealOf(MoveId{1}, {2, 3, 4}));
    }
    OneReplica sealed(GenesisOf({1, 2, 3}, {4}), {}, 2);
    sealed.Get(3, Learned{Slot{}, Slot{1}, Slot{1}, {SealOf(MoveId{1}, {2, 3, 4})}});
    sealed.Durable();
    ASSERT_EQ(sealed.replica().config().epoch, Epoch{2});
    invariants.Stepped(sealed.replica(), {});
    Decree start;
    start.kind = DecreeKind::kEpochStart;
    for (std::uint64_t replica : {2, 3}) {
      if (begun) Vote(replica, B(2, 1, 3), 2, start);
    }
    ASSERT_TRUE(invariants.ok()) << invariants.violations().front();
  }
};

TEST_F(InvariantsOfASealTest, Inv7AnEpochBeginsWithEpochStartAlone) {
  Seal(true);
  Vote(3, B(2, 2, 3), 2, Command("void"));
  EXPECT_TRUE(Reported("INV-7 EpochStart and nothing else begins an epoch: 2.2.3 at slot 2"));
  Vote(3, B(2, 2, 3), 1, Command("below"));
  EXPECT_TRUE(Reported("INV-7 a vote before its epoch: 2.2.3 at slot 1"));
}

TEST_F(InvariantsOfASealTest, Inv13TheOldVoterGoesOnceTheEpochHasBegun) {
  Seal(true);
  invariants.Buried(ReplicaId{1});
  EXPECT_TRUE(invariants.ok());
}

TEST_F(InvariantsOfASealTest, Inv13TheOldVoterGoesTooEarly) {
  Seal(false);
  invariants.Buried(ReplicaId{1});
  EXPECT_TRUE(Reported("INV-13 a voter was destroyed before"));
}

TEST_F(InvariantsOfASealTest, Inv13AMemberGoes) {
  Seal(true);
  invariants.Buried(ReplicaId{4});
  EXPECT_TRUE(Reported("INV-13 a member was destroyed"));
}

TEST_F(InvariantsTest, Inv14ADestroyedReplicaIsHeardOrSeen) {
  invariants.Buried(ReplicaId{9});
  invariants.Sent(ReplicaId{9}, PreVote{B(1, 1, 9)});
  EXPECT_TRUE(invariants.ok()) << "it may still be stopping";
  invariants.Destroyed(ReplicaId{9});
  invariants.Sent(ReplicaId{9}, PreVote{B(1, 1, 9)});
  EXPECT_TRUE(Reported("INV-14 sends"));
  OneReplica again(GenesisOf({1, 2, 3}), {}, 9);
  invariants.Stepped(again.replica(), {});
  EXPECT_TRUE(Reported("INV-14 works on"));
  invariants.Restarted(again.replica());
  EXPECT_TRUE(Reported("INV-14 opened"));
}

TEST_F(InvariantsTest, Inv15AVoteAboveAHole) {
  Vote(1, B(1, 1, 1), 1, Command("a"));
  Vote(1, B(1, 1, 1), 2, Command("b"));
  EXPECT_TRUE(invariants.ok()) << "voted below in the same ballot";
  Vote(1, B(1, 2, 2), 2, Command("b"));
  EXPECT_TRUE(Reported("INV-15")) << "slot 1 is not chosen, and voted in another ballot";
}

TEST_F(InvariantsTest, Inv16APrepareBeforeItsBallotIsDurable) {
  invariants.Sent(ReplicaId{1}, Prepare{B(1, 5, 1), Slot{1}});
  EXPECT_TRUE(Reported("INV-16 Prepare"));
}

TEST_F(InvariantsTest, Inv16AnAcceptWithoutAPromiseQuorum) {
  for (std::uint64_t replica : {1, 2}) Promised(replica, B(1, 5, 1));
  invariants.Sent(ReplicaId{1}, Accept{B(1, 5, 1), {}, Slot{1}, {}, {}});
  EXPECT_TRUE(invariants.ok());
  invariants.Sent(ReplicaId{1}, Accept{B(1, 6, 1), {}, Slot{1}, {}, {}});
  EXPECT_TRUE(Reported("INV-16 Accept"));
}

TEST_F(InvariantsTest, Inv16APromiseOfAnotherBallotDoesNotCount) {
  Promised(1, B(1, 6, 1));
  Promised(2, B(1, 7, 3));
  invariants.Sent(ReplicaId{1}, Accept{B(1, 6, 1), {}, Slot{1}, {}, {}});
  EXPECT_TRUE(Reported("INV-16 Accept"));
}

TEST_F(InvariantsTest, Inv19AnEpochWhoseSealIsNotKnown) {
  Config later = GenesisOf({1, 2, 3});
  later.epoch = Epoch{2};
  later.start = Slot{5};
  OneReplica early(later);
  invariants.Stepped(early.replica(), {});
  EXPECT_TRUE(Reported("INV-19"));
}

TEST_F(InvariantsTest, Inv22ASealAboveWhatIsNotChosen) {
  OneReplica leader;
  leader.Lead();
  const Decree seal = SealOf(MoveId{1}, {1, 2, 3});
  const auto proposes_it_at = [&](Slot slot) {
    Output output;
    output.persist.emplace();
    output.persist->votes.push_back({slot, leader.replica().promised(), seal});
    invariants.Stepped(leader.replica(), output);
  };
  proposes_it_at(Slot{1});
  for (const std::uint64_t slot : {1, 2}) Vote(3, B(1, 1, 3), slot, Command("open"));
  Vote(3, B(1, 1, 3), 3, seal);
  proposes_it_at(Slot{3});
  EXPECT_TRUE(invariants.ok()) << invariants.violations().front() << ": it was found there";
  proposes_it_at(Slot{2});
  EXPECT_TRUE(Reported("INV-22 proposes a Seal above"));
}

// Replica 1 leads, its barrier at slot 1 is chosen, and it has sent round 7.
class InvariantsOfReadsTest : public InvariantsTest {
 protected:
  void SetUp() override {
    cluster.Elect(1);
    for (std::uint64_t id : {1, 2, 3}) {
      for (std::uint64_t slot = 1; slot <= cluster[id].replica().chosen().value; ++slot) {
        Vote(id, cluster[1].replica().promised(), slot, Decree{});
      }
    }
    invariants.Stepped(cluster[1].replica(), {});
    invariants.Sent(ReplicaId{1}, Heartbeat{Ballot(), Slot{}, 7});
  }
  decree::consensus::Ballot Ballot() { return cluster[1].replica().promised(); }
  void Answers(std::uint64_t voter, std::uint64_t round) {
    Promised(voter, Ballot());
    invariants.Sent(ReplicaId{voter}, HeartbeatReply{Ballot(), Ballot(), round, Slot{}, Slot{}});
  }
  void Ask(ReadId read) { invariants.Asked(cluster[1].replica(), read); }
  void Answered(ReadId read) {
    Output output;
    output.reads.push_back({read, true});
    invariants.Stepped(cluster[1].replica(), output);
  }
  ManualCluster cluster{GenesisOf({1, 2, 3})};
};

TEST_F(InvariantsOfReadsTest, Inv21ARoundMustBeginAfterTheReadCame) {
  Answers(2, 7);
  Ask(1);
  Answers(2, 8);
  Answered(1);
  EXPECT_TRUE(invariants.ok()) << invariants.violations().front();
  invariants.Sent(ReplicaId{1}, Heartbeat{Ballot(), Slot{}, 8});
  Ask(2);
  Answered(2);
  EXPECT_TRUE(Reported("INV-21 a read without a lease or a round of its own"));
}

TEST_F(InvariantsOfReadsTest, Inv21AReadByLeaseNeedsTheLeaseWhenItComes) {
  invariants.At(Instant{100});
  Promised(2, Ballot());
  invariants.Sent(ReplicaId{1}, Heartbeat{Ballot(), Slot{}, 7, 0, 100});
  invariants.Sent(ReplicaId{2}, HeartbeatReply{Ballot(), Ballot(), 7, Slot{}, Slot{}, true});
  invariants.Lease(cluster[1].replica(), Instant{200});
  Ask(1);
  Answered(1);
  EXPECT_TRUE(invariants.ok()) << invariants.violations().front();
  invariants.At(Instant{200});
  Ask(2);
  Answered(2);
  EXPECT_TRUE(Reported("INV-21 a read without a lease"));
}

TEST_F(InvariantsOfReadsTest, Inv21AReadShowsWhatWasKnownWhenItWasAsked) {
  Ask(1);
  ManualCluster ahead(GenesisOf({1, 2, 3}));
  ahead.Elect(2);
  ahead.Put(2, "later");
  invariants.Stepped(ahead[2].replica(), {});
  Answers(2, 8);
  Answered(1);
  EXPECT_FALSE(Reported("INV-21")) << "it was chosen after the read came";
  Ask(2);
  Answers(2, 9);
  Answered(2);
  EXPECT_TRUE(Reported("INV-21 a stale read"));
}

TEST_F(InvariantsTest, Inv21AReadBeforeTheBarrier) {
  OneReplica leader;
  leader.Lead();
  ASSERT_FALSE(leader.replica().ReadyLeader());
  invariants.Asked(leader.replica(), 1);
  Output output;
  output.reads.push_back({1, true});
  invariants.Stepped(leader.replica(), output);
  EXPECT_TRUE(Reported("INV-21 a read before the barrier"));
}

}  // namespace
}  // namespace decree::consensus::testing
