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

TEST_F(InvariantsTest, Inv3AForgottenPromise) {
  Promised(1, B(1, 5, 2));
  OneReplica fresh;
  invariants.Restarted(fresh.replica());
  EXPECT_TRUE(Reported("INV-3"));
}

TEST_F(InvariantsTest, Inv11AnotherBallotChoosesOrLeasesUnderALease) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  Invariants& watch = invariants;
  watch.At(Instant{100});
  watch.Lease(c[1].replica(), Instant{200});
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 0, 3), 1, Command("a"));
  EXPECT_TRUE(watch.ok()) << "a lower ballot's votes are known to the holder";
  c.Elect(2);
  watch.At(Instant{199});
  watch.Lease(c[2].replica(), Instant{300});
  EXPECT_TRUE(Reported("INV-11 a second lease"));
  watch.Lease(c[1].replica(), Instant{200});
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 9, 3), 2, Command("b"));
  EXPECT_TRUE(Reported("INV-11 1.9.3 chooses"));
}

TEST_F(InvariantsTest, ALeaseThatIsOverOrGivenUpBindsNobody) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  invariants.At(Instant{100});
  invariants.Lease(c[1].replica(), Instant{200});
  invariants.At(Instant{200});
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 8, 3), 1, Command("a"));
  invariants.Lease(c[1].replica(), Instant{300});
  invariants.Lease(c[1].replica(), std::nullopt);
  for (std::uint64_t replica : {2, 3}) Vote(replica, B(1, 9, 3), 2, Command("b"));
  EXPECT_TRUE(invariants.ok());
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
      if (begun) Vote(replica, B(2, 1, 2), 2, start);
    }
    ASSERT_TRUE(invariants.ok()) << invariants.violations().front();
  }
};

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

}  // namespace
}  // namespace decree::consensus::testing
