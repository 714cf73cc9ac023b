#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

bool OneLeads(ManualCluster& c) { return c.Leaders().size() == 1; }

TEST(ElectionTest, PreVoteIsRefusedWhileALeaderIsHeard) {
  OneReplica r;
  r.Get(2, Heartbeat{B(1, 1, 2), {}, 1});
  r.Get(3, PreVote{B(1, 9, 3)});
  r.Durable();
  EXPECT_FALSE(r.Last<PreVoteReply>()->granted);
  r.now = r.now + 251ms;
  r.Get(3, PreVote{B(1, 9, 3)});
  EXPECT_TRUE(r.Last<PreVoteReply>()->granted);
}

TEST(ElectionTest, PreVoteIsVolatileAndRaisesNoPromise) {
  OneReplica r;
  r.Get(3, PreVote{B(1, 9, 3)});
  EXPECT_EQ(r.replica().promised(), Ballot{});
  EXPECT_TRUE(r->writes.empty());
}

TEST(ElectionTest, ALeaderWithoutAQuorumOfAnswersStepsDown) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  c.Isolate(1);
  c.Advance(700ms);
  EXPECT_NE(c[1].replica().role(), Role::kLeader);
}

TEST(ElectionTest, Scenario20_ALeaderThatCannotSyncStepsDown) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.frozen_disks.insert(1);
  c.Propose(1, Command("stuck"));
  c.Advance(1s);
  EXPECT_NE(c[1].replica().role(), Role::kLeader);
  EXPECT_EQ(c.Leaders().size(), 1u);
  EXPECT_NE(c.Leaders().front(), 1u);
}

TEST(ElectionTest, Scenario04_AnOldLeaderWithAStaleBallotIsRejectedAndStepsDown) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Isolate(1);
  c.Elect(2);
  ASSERT_EQ(c[1].replica().role(), Role::kLeader) << "it has not noticed yet";
  c.Mend();
  EXPECT_EQ(c.Propose(1, Command("stale")).code, ProposeCode::kProposed);
  EXPECT_EQ(c[1].replica().role(), Role::kFollower);
  c.Advance(200ms);
  EXPECT_EQ(c.LogOf(1), c.LogOf(2));
  EXPECT_EQ(c.LogOf(1).find("stale"), std::string::npos);
}

TEST(ElectionTest, Scenario02_AChosenValueThatNobodyHeardOfIsChosenAgain) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Cut(1, 3);
  c.capture = [](const Packet& p) { return As<Heartbeat>(p) != nullptr; };  // nobody is told
  c.Put(1, "chosen");
  ASSERT_EQ(c[1].replica().chosen(), Slot{2});
  c.capture = nullptr;
  c.Crash(1);
  c.Elect(3);
  EXPECT_EQ(c.LogOf(3), "1:noop 2:chosen 3:noop");
  EXPECT_TRUE(c.invariants.ok());
}

TEST(ElectionTest, Scenario22_QuorumLoss) {
  // 3 hears everybody; all others hear only 3. 1 leads at first and loses its quorum.
  ManualCluster c(GenesisOf({1, 2, 3, 4, 5}));
  c.Elect(1);
  for (int a : {1, 2, 4, 5}) {
    for (int b : {1, 2, 4, 5}) {
      if (a < b) c.Cut(a, b);
    }
  }
  c.Advance(10s);
  ASSERT_TRUE(OneLeads(c));
  EXPECT_EQ(c.Leaders().front(), 3u);
  EXPECT_NE(c.Put(3, "on"), Slot{});
}

TEST(ElectionTest, Scenario22_ConstrainedElection) {
  // Only 3 can win, and it has missed slots: nobody vetoes it for that.
  ManualCluster c(GenesisOf({1, 2, 3, 4, 5}));
  c.Elect(1);
  c.Isolate(3);
  for (int i = 0; i < 5; ++i) c.Put(1, "x");
  c.Mend();
  c.Isolate(1);
  for (int a : {2, 4, 5}) {
    for (int b : {2, 4, 5}) {
      if (a < b) c.Cut(a, b);
    }
  }
  c.Advance(10s);
  ASSERT_TRUE(c[3].replica().ReadyLeader());
  EXPECT_NE(c.Put(3, "on"), Slot{});
  EXPECT_TRUE(c.invariants.ok());
}

TEST(ElectionTest, Scenario22_Chained) {
  // 1 - 2 - 3 in a chain: the ends do not depose each other for ever.
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Cut(1, 3);
  c.Advance(2s);
  const Ballot settled = c[2].replica().promised();
  c.Advance(10s);
  ASSERT_TRUE(OneLeads(c));
  EXPECT_EQ(c[2].replica().promised(), settled);
  EXPECT_NE(c.Put(c.Leaders().front(), "on"), Slot{});
}

TEST(ElectionTest, Scenario23_ADeafReplicaDoesNotDeposeALeader) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.CutOneWay(1, 3);
  c.CutOneWay(2, 3);
  c.Advance(10s);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_EQ(c[1].replica().promised(), B(1, 1, 1));
}

TEST(ElectionTest, Scenario24_ARejoiningReplicaInflatesNoBallots) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Isolate(3);
  c.Advance(30s);
  c.Mend();
  c.Advance(2s);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_EQ(c[3].replica().promised(), B(1, 1, 1));
}

TEST(ElectionTest, ALoneReplicaCampaignsAtOnceAlsoAfterARestart) {
  ManualCluster c(GenesisOf({1}));
  c.Advance(1ms);
  for (int i = 0; i < 10; ++i) EXPECT_NE(c.Put(1, "x"), Slot{});
  c.Crash(1, 99);
  c.Restart(1);
  c.Advance(1ms);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_EQ(c[1].replica().chosen(), Slot{12});
  EXPECT_EQ(c[1].wake_at, kNever) << "alone it has no heart to beat";
}

TEST(TransferTest, TheTargetTakesOverWithoutWaiting) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Put(1, "a");
  c[1].Transfer(c.now(), ReplicaId{2});
  c.Settle();
  ASSERT_TRUE(c[2].replica().ReadyLeader());
  EXPECT_EQ(c[1].replica().role(), Role::kFollower);
}

TEST(TransferTest, TheTargetIsBroughtToTheTipFirst) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Isolate(2);
  c.Put(1, "a");
  c.Mend();
  c[1].Transfer(c.now(), ReplicaId{2});
  c.Settle();
  EXPECT_FALSE(c[2].replica().ReadyLeader());
  EXPECT_EQ(c.Propose(1, Command("b")).code, ProposeCode::kNotReady);
  c.Advance(200ms);
  EXPECT_TRUE(c[2].replica().ReadyLeader());
}

TEST(TransferTest, Scenario30_TheOldLeaderGoesOnWhenTheTargetIsDead) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Crash(2);
  c[1].Transfer(c.now(), ReplicaId{2});
  c.Settle();
  EXPECT_EQ(c.Propose(1, Command("b")).code, ProposeCode::kNotReady);
  c.Advance(600ms);
  EXPECT_NE(c.Put(1, "b"), Slot{});
}

TEST(TransferTest, AskingAgainDoesNotPutTheEndOff) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Advance(100ms);
  c.Crash(2);
  EXPECT_FALSE(c[1].replica().HandingOver());
  for (int i = 0; i < 40; ++i) {
    c[1].Transfer(c.now(), ReplicaId{2});
    EXPECT_TRUE(c[1].replica().HandingOver());
    c.Advance(10ms);
  }
  c.Advance(110ms);
  EXPECT_FALSE(c[1].replica().HandingOver());
  EXPECT_NE(c.Put(1, "b"), Slot{});
}

TEST(TransferTest, ALeaderSaysWhomItHearsAndWhen) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Crash(2);
  const Instant cut = c.now();
  c.Advance(300ms);
  ASSERT_TRUE(c[1].replica().HeardAt(ReplicaId{3}));
  EXPECT_GT(*c[1].replica().HeardAt(ReplicaId{3}), cut);
  EXPECT_LE(c[1].replica().HeardAt(ReplicaId{2}).value_or(cut), cut);
  EXPECT_EQ(c[3].replica().HeardAt(ReplicaId{1}), std::nullopt) << "only a leader knows";
}

TEST(TransferTest, ALateOrderOfAnEarlierBallotDoesNothing) {
  OneReplica r;
  r.Get(2, Heartbeat{B(1, 1, 2), {}, 1});
  r.Get(3, Heartbeat{B(1, 2, 3), {}, 1});
  r.Durable();
  r.Get(2, TransferNow{B(1, 1, 2)});
  EXPECT_EQ(r.replica().role(), Role::kFollower);
  r.Get(3, TransferNow{B(1, 2, 3)});
  EXPECT_EQ(r.replica().role(), Role::kCandidate);
}

}  // namespace
}  // namespace decree::consensus::testing
