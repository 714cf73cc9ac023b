// Sleep: when a shard falls silent, what wakes it, and what a sleeping one must not do.
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

constexpr Duration kSleepAfter = 1s;

Options Sleepy() {
  Options options;
  options.sleep_after = kSleepAfter;
  return options;
}

// 1 leads three voters, and nobody has asked for anything since `a`.
class SleepTest : public ::testing::Test {
 protected:
  explicit SleepTest(const Options& options = Sleepy()) : c(GenesisOf({1, 2, 3}), options) {
    c.Elect(1);
    c.Put(1, "a");
  }
  ~SleepTest() override { EXPECT_TRUE(c.invariants.ok()) << c.invariants.violations().front(); }
  void FallAsleep() {
    c.Advance(kSleepAfter + 200ms);
    ASSERT_EQ(Asleep(), "1 2 3 ");
  }
  std::string Asleep() {
    std::string ids;
    for (const std::uint64_t id : {1, 2, 3}) {
      if (c[id].up() && c[id].replica().asleep()) ids += std::to_string(id) + " ";
    }
    return ids;
  }
  // How many messages are sent while the time passes.
  std::size_t MessagesIn(Duration duration) {
    std::size_t count = 0;
    c.capture = [&count](const Packet&) {
      ++count;
      return false;
    };
    c.Advance(duration);
    c.capture = nullptr;
    return count;
  }
  // Whether a read at `id` is answered by that replica alone, at once.
  bool ReadsLocally(std::uint64_t id) {
    c[id].reads.clear();
    c[id].Read(c.now(), 7);
    return !c[id].reads.empty() && c[id].reads[0].ok;
  }
  void ExpectAwakeUnder(std::uint64_t leader, const Ballot& ballot) {
    EXPECT_EQ(Asleep(), "");
    EXPECT_EQ(c.Leaders(), std::vector<std::uint64_t>{leader});
    EXPECT_EQ(c[leader].replica().promised(), ballot);
  }
  ManualCluster c;
};

// ---- falling asleep ----

TEST_F(SleepTest, AQuietShardSendsNothingAndWaitsForNothing) {
  c.Advance(kSleepAfter - 100ms);
  EXPECT_EQ(Asleep(), "") << "not before";
  FallAsleep();
  for (const std::uint64_t id : {1, 2, 3}) EXPECT_EQ(c[id].wake_at, kNever) << id;
  EXPECT_EQ(MessagesIn(1h), 0u);
  EXPECT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_FALSE(c[1].replica().LeaseUntil());
}

TEST_F(SleepTest, ItSleepsAgainAfterEachUse) {
  for (int i = 0; i < 3; ++i) {
    FallAsleep();
    ASSERT_NE(c.Put(1, "again"), Slot{});
    EXPECT_EQ(Asleep(), "");
    EXPECT_EQ(c[3].replica().chosen(), c[1].replica().chosen());
  }
}

TEST_F(SleepTest, WhoeverAsksKeepsItAwake) {
  for (int i = 0; i < 10; ++i) {
    c.Advance(kSleepAfter / 2);
    if (i % 2 == 0) {
      EXPECT_TRUE(ReadsLocally(1)) << "by its lease, which nobody else hears of";
    } else {
      EXPECT_NE(c.Put(1, "b"), Slot{});
    }
    EXPECT_EQ(Asleep(), "");
  }
}

TEST_F(SleepTest, NobodySleepsWithoutOneWhoIsAway) {
  c.Crash(3);
  c.Advance(1min);
  EXPECT_EQ(Asleep(), "") << "with it, who is left would be no majority to wake up by itself";
  c.Restart(3);
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "1 2 3 ");
}

TEST_F(SleepTest, NobodySleepsWhileAVoterLags) {
  c.capture = [](const Packet& p) { return p.to.id == ReplicaId{3} && As<Accept>(p) != nullptr; };
  c.CutOneWay(3, 1);
  c.CutOneWay(3, 2);
  ASSERT_NE(c.Put(1, "b"), Slot{});
  c.Advance(100ms);
  c.Mend();  // 3 answers again, but every Accept for it is lost
  c.capture = [](const Packet& p) {
    return p.to.id == ReplicaId{3} && (As<Accept>(p) != nullptr || As<Learned>(p) != nullptr);
  };
  c.Advance(5s);
  EXPECT_EQ(Asleep(), "");
  c.capture = nullptr;
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "1 2 3 ");
}

TEST_F(SleepTest, NobodySleepsWithALearner) {
  c.AddShell(4);
  c.Propose(1, AddLearnerOf(MoveId{1}, 4));
  c.Snapshot(1, 4);
  c.Advance(10s);
  EXPECT_EQ(Asleep(), "");
  c.Propose(1, RemoveLearnerOf(MoveId{1}, 4));
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "1 2 3 ");
}

TEST_F(SleepTest, NobodySleepsWhileSomethingIsOpen) {
  c.frozen_disks = {2, 3};
  ASSERT_NE(c.Put(1, "b"), Slot{});
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "") << "a proposal";
  c.frozen_disks.clear();
  c.Settle();
  c[2].apply_at_once = false;
  ASSERT_NE(c.Put(1, "c"), Slot{});
  c.Advance(2s);
  EXPECT_EQ(c[2].replica().applied().Next(), c[2].replica().chosen());
  EXPECT_EQ(Asleep().find('1'), std::string::npos) << "a follower has yet to apply";
  c[2].apply_at_once = true;
  c[2].Apply(c.now());
  c[1].replica().HoldProposals();
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "") << "a Seal is being prepared";
  c[1].replica().ResumeProposals();
  FallAsleep();
}

TEST_F(SleepTest, OneVoterThatNeverSleepsKeepsAllAwake) {
  Options never = Sleepy();
  never.sleep_after = Duration{};
  OneReplica r(GenesisOf({1, 2, 3}), never, 3);
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 1});
  r.Durable();
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 2, 0, 0, true});
  ASSERT_TRUE(r.Last<HeartbeatReply>());
  EXPECT_FALSE(r.Last<HeartbeatReply>()->asleep);
  EXPECT_FALSE(r.replica().asleep());
  ManualCluster awake(GenesisOf({1, 2, 3}), never);
  awake.Elect(1);
  awake.Advance(1h);
  EXPECT_FALSE(awake[1].replica().asleep());
}

// The leader's clock runs on until the last voter said that its own has stopped.
TEST_F(SleepTest, ALostHeartbeatOrAnswerKeepsTheLeaderAwake) {
  for (const bool answers : {false, true}) {
    c.capture = [answers](const Packet& p) {
      const auto* beat = As<Heartbeat>(p);
      const auto* reply = As<HeartbeatReply>(p);
      if (answers) return p.from.id == ReplicaId{3} && reply != nullptr && reply->asleep;
      return p.to.id == ReplicaId{3} && beat != nullptr && beat->sleep;
    };
    c.Advance(kSleepAfter + 300ms);
    EXPECT_FALSE(c[1].replica().asleep());
    EXPECT_TRUE(c[2].replica().asleep()) << "it agreed, and is told again and again";
    EXPECT_EQ(c[3].replica().asleep(), answers);
    c.capture = nullptr;
    c.Advance(100ms);
    EXPECT_EQ(Asleep(), "1 2 3 ");
    ASSERT_NE(c.Put(1, "b"), Slot{});
  }
}

// An answer given before a request came must not put to sleep whom the request woke.
TEST_F(SleepTest, AnswersOfAnEarlierAttemptDoNotCount) {
  c.capture = [](const Packet& p) {
    const auto* reply = As<HeartbeatReply>(p);
    return p.from.id == ReplicaId{3} && reply != nullptr && reply->asleep;
  };
  c.Advance(kSleepAfter + 200ms);
  ASSERT_EQ(Asleep(), "2 3 ");
  EXPECT_TRUE(ReadsLocally(1)) << "it has its lease to the end";
  c.capture = nullptr;
  for (const Packet& late : c.captured) c.Deliver(late);
  EXPECT_FALSE(c[1].replica().asleep());
  c.Advance(100ms);
  EXPECT_EQ(Asleep(), "") << "the next heartbeat says so";
}

// ---- waking up ----

TEST_F(SleepTest, AProposalWakesAllAndIsChosenAtOnce) {
  FallAsleep();
  const Ballot ballot = c[1].replica().promised();
  const Instant asked = c.now();
  const Slot slot = c.Put(1, "b");
  EXPECT_EQ(c.now(), asked);
  for (const std::uint64_t id : {1, 2, 3}) EXPECT_EQ(c[id].replica().chosen(), slot) << id;
  ExpectAwakeUnder(1, ballot);
  EXPECT_TRUE(c[1].replica().LeaseUntil()) << "its first heartbeat renewed it";
  c.Advance(500ms);
  ExpectAwakeUnder(1, ballot);
}

TEST_F(SleepTest, AReadWakesAllAndIsAnsweredByARoundFirst) {
  FallAsleep();
  const Ballot ballot = c[1].replica().promised();
  EXPECT_FALSE(ReadsLocally(1)) << "no lease outlived the sleep";
  c.Settle();
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_TRUE(c[1].reads[0].ok);
  ExpectAwakeUnder(1, ballot);
  EXPECT_TRUE(ReadsLocally(1)) << "by the lease that was renewed with it";
}

// It fell asleep a moment ago: by the clock its lease would still hold.
TEST_F(SleepTest, TheLeaseEndsWithTheStepIntoSleep) {
  c.capture = [](const Packet& p) {
    const auto* reply = As<HeartbeatReply>(p);
    return p.from.id == ReplicaId{3} && reply != nullptr && reply->asleep;
  };
  c.Advance(kSleepAfter + 200ms);
  ASSERT_TRUE(c[1].replica().LeaseUntil());
  c.Deliver(c.captured.back());
  ASSERT_TRUE(c[1].replica().asleep());
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  c.capture = nullptr;
  c.Deliver(c.captured.back());
  EXPECT_TRUE(c[1].replica().asleep()) << "late answers wake nobody";
  EXPECT_FALSE(c[1].replica().LeaseUntil()) << "nor do they renew anything";
}

TEST_F(SleepTest, AChangeOfLeaderOrOfMembersWakesAll) {
  FallAsleep();
  c[1].Transfer(c.now(), ReplicaId{2});
  c.Settle();
  EXPECT_EQ(c.Leaders(), std::vector<std::uint64_t>{2});
  FallAsleep();
  c.AddShell(4);
  EXPECT_EQ(c.Propose(2, AddLearnerOf(MoveId{1}, 4)).code, ProposeCode::kProposed);
  EXPECT_EQ(Asleep(), "");
}

TEST_F(SleepTest, AFollowersHostWakesTheLeaderThroughIt) {
  FallAsleep();
  const Ballot ballot = c[1].replica().promised();
  c[2].Wake(c.now());
  EXPECT_FALSE(c[2].replica().asleep());
  c.Settle();
  ExpectAwakeUnder(1, ballot);
  c.Advance(500ms);
  ExpectAwakeUnder(1, ballot);
  c.Advance(1h);
  EXPECT_EQ(Asleep(), "1 2 3 ") << "nobody asked for anything after all";
}

TEST_F(SleepTest, WakingOneThatIsAwakeDoesNothing) {
  c[2].Wake(c.now());
  c[1].Wake(c.now());
  EXPECT_TRUE(c[2].outbox.empty());
  EXPECT_TRUE(c[1].outbox.empty());
}

// Scenario 24 for sleepers: who comes back polls, finds the others asleep, and deposes nobody.
TEST_F(SleepTest, Scenario24_OneThatRestartsWakesTheLeaderAndDoesNotDeposeIt) {
  FallAsleep();
  const Ballot ballot = c[1].replica().promised();
  c.Crash(3);
  c.Restart(3);
  c.Advance(600ms);
  ExpectAwakeUnder(1, ballot);
  c.Advance(2s);
  EXPECT_EQ(Asleep(), "1 2 3 ");
  EXPECT_EQ(c[3].replica().promised(), ballot);
}

TEST_F(SleepTest, TheLeaderThatRestartedIsNotWaitedFor) {
  FallAsleep();
  c.Crash(1);
  c.Restart(1);
  c.Advance(600ms);  // its own timer, and the poll is granted at once
  EXPECT_EQ(c.Leaders(), std::vector<std::uint64_t>{1});
}

// Woken by the answer of a follower, the leader has heard nobody for hours.
TEST_F(SleepTest, ASleepingLeaderIsNotDeposedByItsOwnCheckQuorum) {
  FallAsleep();
  c.Advance(1h);
  const Ballot ballot = c[1].replica().promised();
  c[1].Wake(c.now());
  c[1].Tick(c.now() + 60ms);  // nobody has answered yet
  EXPECT_EQ(c[1].replica().role(), Role::kLeader);
  c.Settle();
  ExpectAwakeUnder(1, ballot);
}

TEST_F(SleepTest, ALeaderThatWakesUpAloneStepsDown) {
  FallAsleep();
  c.Isolate(1);
  c[1].Read(c.now(), 7);
  c.Advance(600ms);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_FALSE(c[1].reads[0].ok);
  EXPECT_NE(c[1].replica().role(), Role::kLeader);
  EXPECT_EQ(Asleep(), "2 3 ") << "which nobody has told";
}

// ---- late messages ----

// The heartbeat that allowed sleep arrives after the one that ended it.
TEST_F(SleepTest, AHeartbeatThatWasOvertakenPutsNobodyToSleep) {
  OneReplica r(GenesisOf({1, 2, 3}), Sleepy(), 2);
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 1});
  r.Durable();
  const Heartbeat sleep{B(1, 1, 1), {}, 2, 0, 0, true};
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 3});
  r.Get(1, sleep);
  EXPECT_FALSE(r.replica().asleep());
  EXPECT_FALSE(r.Last<HeartbeatReply>()->asleep);
  // In order it does, and the later one wakes it. A repeated one changes nothing.
  OneReplica s(GenesisOf({1, 2, 3}), Sleepy(), 2);
  s.Get(1, Heartbeat{B(1, 1, 1), {}, 1});
  s.Durable();
  s.Get(1, sleep);
  s.Get(1, sleep);
  EXPECT_TRUE(s.replica().asleep());
  EXPECT_EQ(s->wake_at, kNever);
  s.Get(1, Heartbeat{B(1, 1, 1), {}, 3});
  EXPECT_FALSE(s.replica().asleep());
  EXPECT_NE(s->wake_at, kNever);
}

TEST_F(SleepTest, NobodySleepsWhoVotedForMoreThanIsChosen) {
  OneReplica r(GenesisOf({1, 2, 3}), Sleepy(), 2);
  r.Get(1, r.AcceptOf(B(1, 1, 1), 0, 1, {Command("a")}));
  r.Durable();
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 2, 0, 0, true});
  EXPECT_FALSE(r.replica().asleep());
  r.Get(1, Heartbeat{B(1, 1, 1), Slot{1}, 3, 0, 0, true});
  r.Get(1, Heartbeat{B(1, 1, 1), Slot{1}, 4, 0, 0, true});
  EXPECT_TRUE(r.replica().asleep());
}

TEST_F(SleepTest, AnotherBallotCountsItsRoundsAnew) {
  OneReplica r(GenesisOf({1, 2, 3}), Sleepy(), 2);
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 50});
  r.Durable();
  r.Get(3, Heartbeat{B(1, 2, 3), {}, 1});
  r.Durable();
  r.Get(3, Heartbeat{B(1, 2, 3), {}, 2, 0, 0, true});
  EXPECT_TRUE(r.replica().asleep());
  r.Get(1, Heartbeat{B(1, 1, 1), {}, 51});
  EXPECT_TRUE(r.replica().asleep() || r->wake_at != kNever) << "awake or not, never half";
}

TEST_F(SleepTest, ASleeperCopiesItsWholeStateIntoTheHash) {
  FallAsleep();
  const std::uint64_t before = c[2].replica().StateHash();
  Replica copy = c[2].replica();
  EXPECT_EQ(copy.StateHash(), before);
  copy.Wake(c.now());
  EXPECT_NE(copy.StateHash(), before);
}

// ---- the leader died in its sleep ----

TEST_F(SleepTest, Scenario31_AShardWhoseLeaderDiedAsleepElectsOnceAnybodyIsWoken) {
  FallAsleep();
  c.Crash(1);
  c.Advance(1min);
  EXPECT_EQ(c.Leaders().size(), 0u) << "nobody noticed yet";
  c[3].Wake(c.now());
  c.Advance(1500ms);
  ASSERT_EQ(c.Leaders().size(), 1u);
  const std::uint64_t leader = c.Leaders().front();
  ASSERT_NE(c.Put(leader, "new"), Slot{});
  c.Restart(1);
  EXPECT_FALSE(c[1].replica().asleep());
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  EXPECT_FALSE(ReadsLocally(1));
  c.Advance(500ms);
  EXPECT_TRUE(ReadsLocally(leader));
  EXPECT_FALSE(ReadsLocally(1));
}

// Cut off asleep, the old leader knows of nothing. It still counts itself the leader, and must not
// read as one.
TEST_F(SleepTest, Scenario31_ALeaderThatSleptThroughAnElectionHasNoStaleLease) {
  FallAsleep();
  c.Isolate(1);
  c[2].Wake(c.now());
  c.Advance(1500ms);
  ASSERT_EQ(c[1].replica().role(), Role::kLeader) << "in its own eyes";
  std::vector<std::uint64_t> leaders = c.Leaders();
  std::erase(leaders, 1u);
  ASSERT_EQ(leaders.size(), 1u);
  ASSERT_NE(c.Put(leaders.front(), "new"), Slot{});
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  EXPECT_FALSE(ReadsLocally(1));
  c.Mend();
  c.Advance(200ms);
  EXPECT_EQ(c[1].replica().role(), Role::kFollower);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_FALSE(c[1].reads[0].ok);
  EXPECT_TRUE(ReadsLocally(leaders.front()));
}

// The call that is to wake the leader is lost on its way: it costs an election, nothing else.
TEST_F(SleepTest, ACallThatIsLostCostsAnElection) {
  FallAsleep();
  c.Isolate(1);
  c[2].Wake(c.now());
  c.Settle();
  EXPECT_EQ(Asleep(), "1 3 ");
  c.Advance(2s);
  c.Mend();
  c.Advance(500ms);
  EXPECT_EQ(c.Leaders().size(), 1u);
  EXPECT_NE(c.Leaders().front(), 1u);
}

}  // namespace
}  // namespace decree::consensus::testing
