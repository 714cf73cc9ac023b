// Scenarios of leases (tests/README.md): who may read locally, and what grants forbid.
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

constexpr Duration kLease = 200ms;

// 1 leads three voters and holds a lease.
class LeaseScenarioTest : public ::testing::Test {
 protected:
  explicit LeaseScenarioTest(const Config& genesis = GenesisOf({1, 2, 3})) : c(genesis) {
    c.Elect(1);
    c.Put(1, "old");
    c.Advance(120ms);
    EXPECT_TRUE(c[1].replica().LeaseUntil());
  }
  ~LeaseScenarioTest() override {
    EXPECT_TRUE(c.invariants.ok()) << c.invariants.violations().front();
  }
  // Whether a read at `id` is answered by that replica alone, at once.
  bool ReadsLocally(std::uint64_t id) {
    c[id].reads.clear();
    c[id].Read(c.now(), 7);
    return !c[id].reads.empty() && c[id].reads[0].ok;
  }
  ManualCluster c;
};

TEST_F(LeaseScenarioTest, Scenario25_AHolderStoppedPastItsLeaseServesNoLaterRead) {
  EXPECT_TRUE(ReadsLocally(1));
  const std::size_t sent = c[1].outbox.size();
  EXPECT_EQ(sent, 0u) << "it asked nobody";
  c.Isolate(1);  // stopped: from here on it neither ticks nor hears
  c.Elect(2);
  ASSERT_NE(c.Put(2, "new"), Slot{});
  ASSERT_EQ(c[1].replica().role(), Role::kLeader) << "it has not noticed";
  EXPECT_FALSE(c[1].replica().ChosenAt(c[2].replica().chosen()));
  EXPECT_FALSE(ReadsLocally(1)) << "its clock is read after the request came";
  c.Mend();
  c.Advance(200ms);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_FALSE(c[1].reads[0].ok);
  EXPECT_TRUE(ReadsLocally(2)) << "who leads now has the lease";
}

// The holder's clock is as slow and the grantor's as fast as rho allows; the message took no time.
TEST(LeaseClockScenarioTest, Scenario27_DriftAtTheLimitLetsNoReadOutliveTheGrant) {
  const Options options;
  const std::int64_t half_ppm = options.lease_drift_ppm / 2;
  OneReplica holder;
  holder.Lead();
  holder.Get(2, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{1}, {}});
  OneReplica grantor(GenesisOf({1, 2, 3}), {}, 2);
  grantor.now = Instant{77'000'000'000};  // clocks of two machines have nothing in common
  holder.Forget();
  holder.Wait(options.heartbeat);
  ASSERT_TRUE(holder.Last<Heartbeat>());
  grantor.Get(1, *holder.Last<Heartbeat>());
  grantor.Durable();
  ASSERT_TRUE(grantor.Last<HeartbeatReply>());
  holder.Get(2, *grantor.Last<HeartbeatReply>());
  ASSERT_TRUE(holder.replica().LeaseUntil());
  const Instant holder_start = holder.now;
  const Instant grantor_start = grantor.now;
  std::optional<Duration> last_read;
  std::optional<Duration> first_promise;
  for (Duration real{}; real <= 2 * kLease; real += 50us) {
    const auto drifted = [&](std::int64_t ppm) { return real + real * ppm / 1'000'000; };
    Replica reader = holder.replica();
    reader.RequestRead(holder_start + drifted(-half_ppm), 7);
    if (!reader.TakeOutput().reads.empty()) last_read = real;
    Replica acceptor = grantor.replica();
    acceptor.Receive(grantor_start + drifted(half_ppm), MemberOf(3), Prepare{B(1, 5, 3), Slot{1}});
    if (acceptor.promised() == B(1, 5, 3) && !first_promise) first_promise = real;
  }
  ASSERT_TRUE(last_read && first_promise);
  EXPECT_LT(*last_read, *first_promise);
  EXPECT_GT(*last_read, kLease - 10ms) << "the lease is not given away either";
}

TEST_F(LeaseScenarioTest, Scenario30_TheOldLeaderComesBackWithoutItsRevokedLease) {
  c.Crash(2);
  c[1].Transfer(c.now(), ReplicaId{2});
  EXPECT_FALSE(c[1].replica().LeaseUntil()) << "given up before the target hears of it";
  EXPECT_FALSE(ReadsLocally(1));
  c.Advance(600ms);
  EXPECT_NE(c.Put(1, "goes on"), Slot{});
  c.Advance(1s);
  EXPECT_FALSE(c[1].replica().LeaseUntil()) << "for good in this ballot";
  EXPECT_FALSE(ReadsLocally(1));
  c.Settle();
  ASSERT_EQ(c[1].reads.size(), 1u) << "but by a round";
  EXPECT_TRUE(c[1].reads[0].ok);
  c.Restart(2);
  c.Crash(1);
  c.Elect(2);
  c.Advance(200ms);
  EXPECT_TRUE(c[2].replica().LeaseUntil()) << "another ballot has its own";
}

// A lone voter sleeps when nothing is to be done; how several do it is in sleep_test.cc.
TEST(SleepScenarioTest, Scenario31_ALoneVoterThatSleptThroughItsCrashLeadsWithoutAnOldLease) {
  ManualCluster c(GenesisOf({1}));
  c.Advance(1ms);
  ASSERT_NE(c.Put(1, "a"), Slot{});
  ASSERT_EQ(c[1].wake_at, kNever) << "it sleeps";
  const Ballot before = c[1].replica().promised();
  c.Crash(1);
  c.Restart(1);
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  c[1].Read(c.now(), 7);
  for (const ReadReady& read : c[1].reads) EXPECT_FALSE(read.ok) << "it does not lead yet";
  c.Advance(1s);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_GT(c[1].replica().promised(), before);
  c[1].reads.clear();
  c[1].Read(c.now(), 8);
  c.Settle();
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_TRUE(c[1].reads[0].ok);
  EXPECT_EQ(c[1].wake_at, kNever) << "and sleeps again";
}

// {1, 2, 3} become {1, 2, 4}. 1 has its grant of epoch 1 from 3 alone.
class LeaseHandOverTest : public LeaseScenarioTest {
 protected:
  LeaseHandOverTest() {
    c.AddShell(4);
    c.Propose(1, AddLearnerOf(MoveId{1}, 4));
    c.Snapshot(1, 4);
    c.Advance(60ms);
    c.Cut(1, 2);
    c.Advance(300ms);  // what 2 granted is over
    EXPECT_TRUE(c[1].replica().LeaseUntil());
    c[1].replica().HoldProposals();
  }
};

TEST_F(LeaseHandOverTest, Scenario36_ALeaseOfTheOldEpochServesNoReadWhileTheNextOneDecides) {
  EXPECT_TRUE(ReadsLocally(1));
  c.Cut(1, 4);
  ASSERT_EQ(c[1].Propose(c.now(), SealOf(MoveId{1}, {1, 2, 4})).code, ProposeCode::kProposed);
  EXPECT_FALSE(c[1].replica().LeaseUntil()) << "with the proposal, not with the choice";
  EXPECT_FALSE(ReadsLocally(1));
  c.Settle();
  ASSERT_EQ(c[3].replica().config().epoch, Epoch{2}) << "1 and 3 chose the Seal";
  c.Isolate(1);
  const Instant sealed = c.now();
  while (c.Leaders().empty() && c.now() < sealed + 5s) c.Advance(10ms);
  ASSERT_EQ(c.Leaders().size(), 1u);
  const std::uint64_t next = c.Leaders().front();
  ASSERT_NE(next, 1u) << "2 and 4 decide, and granted nothing";
  ASSERT_NE(c.Put(next, "new"), Slot{});
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  EXPECT_FALSE(ReadsLocally(1));
  EXPECT_FALSE(ReadsLocally(3)) << "it left";
  c.Mend();
  c.Advance(500ms);
  EXPECT_EQ(c[1].replica().chosen(), c[2].replica().chosen());
  EXPECT_TRUE(ReadsLocally(next));
}

TEST_F(LeaseHandOverTest, Scenario36_AKnownSealVoidsTheGrantsOfItsEpoch) {
  c.Mend();
  c.Advance(100ms);
  const Instant before = c.now();
  ASSERT_EQ(c.Propose(1, SealOf(MoveId{1}, {1, 2, 4})).code, ProposeCode::kProposed);
  EXPECT_EQ(c.now(), before);
  EXPECT_EQ(c[2].replica().promised().epoch, Epoch{2})
      << "at once: the hand-over waits for no lease";
  EXPECT_TRUE(c[1].replica().ReadyLeader());
}

TEST_F(LeaseScenarioTest, Scenario57_ARestartedLeaderHasNeitherItsBallotNorItsLease) {
  EXPECT_TRUE(ReadsLocally(1));
  c.Crash(1);
  c.Restart(1);
  EXPECT_FALSE(c[1].replica().LeaseUntil());
  EXPECT_FALSE(ReadsLocally(1));
  EXPECT_EQ(c[1].replica().role(), Role::kFollower);
  c.Advance(3s);
  EXPECT_EQ(c.Leaders().size(), 1u);
}

}  // namespace
}  // namespace decree::consensus::testing
