#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

TEST(LearnerTest, Scenario09_P5AWatermarkOfANewBallotDoesNotChooseAnOldVote) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("old")}));
  r.Get(3, Heartbeat{B(1, 2, 3), Slot{1}, 0});
  EXPECT_EQ(r.replica().chosen(), Slot{0});
  r.now = r.now + 60ms;
  r.Get(3, Heartbeat{B(1, 2, 3), Slot{1}, 0});
  ASSERT_TRUE(r.Last<Learn>()) << "the value is fetched";
  r.Get(3, Learned{Slot{0}, Slot{1}, Slot{1}, {Command("new")}});
  EXPECT_EQ(Describe(r.replica().ChosenAt(Slot{1})->decree), "new");
}

TEST(LearnerTest, P11ServesChosenSlotsOnlyAndSaysWhatIsTrimmed) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a"), Command("b"), Command("c")}, 0));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{2}, 0});
  r.Get(3, Learn{Slot{1}});
  ASSERT_TRUE(r.Last<Learned>());
  EXPECT_EQ(r.Last<Learned>()->decrees.size(), 2u);
  r.Durable();
  r->Flush();
  r->TrimLog();
  r.Get(3, Learn{Slot{1}});
  EXPECT_EQ(r.Last<Learned>()->trimmed, Slot{2});
  EXPECT_TRUE(r.Last<Learned>()->decrees.empty());
}

TEST(LearnerTest, LearnedValuesAreStoredAsChosenAndBeatVotesAfterARestart) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("mine")}));
  r.Get(3, Learned{Slot{0}, Slot{1}, Slot{1}, {Command("chosen")}});
  ASSERT_EQ(r.replica().chosen(), Slot{1});
  EXPECT_EQ(r.replica().durable_chosen(), Slot{0});
  r.Durable();
  EXPECT_EQ(r.replica().durable_chosen(), Slot{1});
  r.Restart();
  EXPECT_EQ(r.replica().chosen(), Slot{1});
  EXPECT_EQ(Describe(r.replica().ChosenAt(Slot{1})->decree), "chosen");
}

TEST(LearnerTest, GapsAndStrangersTeachNothing) {
  OneReplica r;
  r.Get(2, Learned{Slot{0}, Slot{9}, Slot{5}, {Command("gap")}});
  r.Get(77, Learned{Slot{0}, Slot{9}, Slot{1}, {Command("stranger")}});
  EXPECT_EQ(r.replica().chosen(), Slot{0});
}

TEST(LearnerTest, Scenario14_ASnapshotBehindWhatIsChosenIsIgnored) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a"), Command("b")}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{2}, 0});
  r->replica().InstalledSnapshot(r.now, Slot{1}, GenesisOf({7, 8, 9}));
  EXPECT_EQ(r.replica().chosen(), Slot{2});
  EXPECT_TRUE(r.replica().config().IsVoter(ReplicaId{1}));
}

TEST(LearnerTest, Scenario14_PromiseAndVotesAboveSurviveASnapshot) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 6, 7, {Command("above")}));
  r.Get(3, Prepare{B(1, 4, 3), Slot{1}});
  r.Durable();
  r->InstallSnapshot(r.now, Slot{6}, GenesisOf({1, 2, 3}));
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    if (restarted) r.Restart();  // from the rows of the snapshot and the log of before
    EXPECT_EQ(r.replica().chosen(), Slot{6});
    EXPECT_EQ(r.replica().promised(), B(1, 4, 3));
    EXPECT_EQ(r.VoteAt(7), "1.1.2 above");
    r.Forget();
    r.Get(2, r.AcceptOf(B(1, 3, 2), 6, 7, {Command("below the promise")}));
    r.Durable();
    ASSERT_TRUE(r.Last<Accepted>());
    EXPECT_EQ(r.Last<Accepted>()->promised, B(1, 4, 3));
    EXPECT_EQ(r.VoteAt(7), "1.1.2 above");
  }
}

TEST(LearnerTest, ALeadersHeartbeatMakesAShellAskForASnapshot) {
  OneReplica r(Config{}, {}, 4);
  EXPECT_EQ(r->wake_at, kNever);
  r.Get(1, Heartbeat{B(1, 1, 1), Slot{10}, 1});
  ASSERT_TRUE(r->snapshot);
  EXPECT_EQ(r->snapshot->from, MemberOf(1));
  r.Get(1, Prepare{B(1, 1, 1), Slot{1}});
  r.Get(1, r.AcceptOf(B(1, 1, 1), 0, 1, {Command("a")}));
  r.Durable();
  EXPECT_FALSE(r.Last<Promise>());
  EXPECT_FALSE(r.Last<Accepted>());
  r->InstallSnapshot(r.now, Slot{5}, GenesisOf({1, 2, 3}, {4}));
  EXPECT_TRUE(r.replica().config().IsLearner(ReplicaId{4}));
  EXPECT_EQ(r.replica().chosen(), Slot{5});
}

TEST(LearnerTest, ALearnerAtTheTipIsToldOfTheNextSlotAtOnce) {
  ManualCluster c(GenesisOf({1, 2, 3}, {4}));
  c.Elect(1);
  c.Snapshot(1, 4);
  c.Put(1, "a");
  c.Advance(60ms);  // a heartbeat finds it behind; from here on it waits at the leader
  ASSERT_EQ(c[4].replica().chosen(), c[1].replica().chosen());
  c.Put(1, "b");
  EXPECT_EQ(c[4].replica().chosen(), c[1].replica().chosen());
  EXPECT_EQ(c[1].replica().DurableChosenOf(ReplicaId{4}), c[1].replica().chosen());
}

TEST(LearnerTest, ALaggingVoterBelowTrimmedAsksForASnapshot) {
  ManualCluster c(GenesisOf({1, 2, 3}));
  c.Elect(1);
  c.Crash(3);
  for (int i = 0; i < 5; ++i) c.Put(1, "x");
  c[1].Flush();
  c[1].TrimLog();
  c.Restart(3);
  c.Advance(200ms);
  ASSERT_TRUE(c[3].snapshot);
  EXPECT_EQ(c[3].snapshot->at_least, c[1].replica().trimmed());
  c.Snapshot(1, 3);
  c.Advance(200ms);
  c.Put(1, "y");
  EXPECT_EQ(c[3].replica().chosen(), c[1].replica().chosen());
  EXPECT_TRUE(c.invariants.ok());
}

TEST(LearnerTest, ALongLogIsLearnedInPagesWithoutWaitingForHeartbeats) {
  Options options;
  options.max_page_bytes = 300;
  ManualCluster c(GenesisOf({1, 2, 3}), options);
  c.Elect(1);
  c.Crash(3);
  for (int i = 0; i < 200; ++i) c.Put(1, "value");
  c.Restart(3);
  c.Advance(120ms);
  EXPECT_EQ(c[3].replica().chosen(), c[1].replica().chosen());
}

}  // namespace
}  // namespace decree::consensus::testing
