// Scenarios of leases (tests/README.md) with whole nodes: clocks that stop, jump and drift.
#include <algorithm>
#include <map>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class LeaseScenarioTest : public ScenarioTest {
 protected:
  // Reads at a machine one after another, and remembers when each began.
  void ReadOn(MachineId at, const std::string& key, Nanos until) {
    if (world_.now() >= until || !cluster_->node(at).up()) return;
    Operation get;
    get.key = key;
    get.timeout = 100ms;
    const Nanos begun = world_.now();
    cluster_->Start(at, get, [=, this](const OperationResult& result) {
      if (result.code == Errc::kOk) reads_.emplace_back(begun, result.read.value);
    });
    world_.After(3 * kMillis, [=, this] { ReadOn(at, key, until); });
  }
  // A lease is held by the shard's leader, and serves reads.
  void ExpectLocalReads(std::uint32_t shard) {
    const MachineId leader = AwaitLeader(shard);
    const std::string key = cluster_->KeyOf(ShardId{shard}, "mine");
    ASSERT_EQ(cluster_->Put(leader, key, "old").code, Errc::kOk);
    cluster_->network().core_checker().on_step = [this, shard](ReplicaKey id,
                                                               const consensus::Replica& replica,
                                                               const consensus::Output& o) {
      if (id.shard != ShardId{shard}) return;
      if (!replica.LeaseUntil()) return;
      by_lease_ += std::count_if(o.reads.begin(), o.reads.end(),
                                 [](const consensus::ReadReady& r) { return r.ok; });
    };
    world_.RunFor(300 * kMillis);
    EXPECT_EQ(cluster_->Get(leader, key).read.value, "old");
    EXPECT_GT(by_lease_, 0) << "no lease";
  }
  // The first machine but `former` that leads shard 0 from now on, ready to serve.
  MachineId AwaitNextLeader(ReplicaId former, const std::function<void()>& wait) {
    MachineId next = 0;
    cluster_->network().core_checker().on_step =
        [&](ReplicaKey key, const consensus::Replica& replica, const consensus::Output&) {
          if (key.shard != ShardId{0} || key.replica == former || !replica.ReadyLeader()) return;
          next = replica.config().Find(key.replica)->node.value;
        };
    for (int i = 0; i < 500 && next == 0; ++i) wait();
    cluster_->network().core_checker().on_step = nullptr;
    EXPECT_NE(next, 0u) << "no other leader";
    return next;
  }
  // Past what doors believe about the leader.
  void WriteAt(MachineId leader, const std::string& key, const std::string& value) {
    Command command;
    command.key = key;
    command.value = value;
    const auto put = cluster_->Ask(leader, {Method::kWrite, ShardId{0}, 1000, Encode(command)});
    ASSERT_TRUE(put && put->code == Errc::kOk);
  }
  std::vector<std::pair<Nanos, std::string>> reads_;
  std::ptrdiff_t by_lease_ = 0;
};

// The others decide while it stands still. What it finds first when it goes on is a read that came
// meanwhile; it has not noticed anything, and its own last word was that it holds a lease.
TEST_F(LeaseScenarioTest, Scenario25_AHolderStoppedPastItsLeaseServesNoLaterRead) {
  Form(3);
  Patch(R"({"rebalance":"off"})");  // no leader is handed over for balance
  ExpectLocalReads(0);
  const MachineId holder = AwaitLeader(0);
  const ReplicaId held = ReplicaOn(holder, 0);
  Machine& machine = cluster_->node(holder);
  const MachineId next = AwaitNextLeader(held, [&] {
    machine.Pause(5 * kMillis);
    world_.RunFor(4 * kMillis);
  });
  ASSERT_NE(next, 0u);
  const std::string key = cluster_->KeyOf(ShardId{0}, "mine");
  machine.Pause(20 * kMillis);
  WriteAt(next, key, "new");
  ASSERT_TRUE(machine.paused());
  const OperationResult later = cluster_->Get(holder, key, 10s);
  EXPECT_EQ(later.code, Errc::kOk) << later.detail;
  EXPECT_EQ(later.read.value, "new");
  ExpectAllIsWell();
}

// What the holder hears comes steadily and late, so that it stays in office; then nothing that it
// says arrives. The others wait for what they granted, not for what it makes of their answers.
TEST_F(LeaseScenarioTest, ALeaseIsNoLongerForAnswersThatComeLate) {
  ClusterOptions options;
  options.consensus.election_max = 350ms;
  options.consensus.lease = 240ms;
  Form(3, options);
  Patch(R"({"rebalance":"off"})");  // no leader is handed over for balance
  ExpectLocalReads(0);
  const MachineId holder = AwaitLeader(0);
  const ReplicaId held = ReplicaOn(holder, 0);
  const std::string key = cluster_->KeyOf(ShardId{0}, "mine");
  const Links to_it = LinksOf(holder, true, false, 3);
  const Links from_it = LinksOf(holder, false, true, 3);
  cluster_->network().Slow(to_it, 220 * kMillis);
  world_.RunFor(1 * kSeconds);
  ASSERT_EQ(AwaitLeader(0), holder);
  ReadOn(holder, key, world_.now() + 2 * kSeconds);
  cluster_->network().Cut(from_it);
  const MachineId next = AwaitNextLeader(held, [&] { world_.RunFor(1 * kMillis); });
  ASSERT_NE(next, 0u);
  WriteAt(next, key, "new");
  const Nanos written = world_.now();
  world_.RunFor(2 * kSeconds);
  EXPECT_GT(reads_.size(), 5u) << "it served until its lease was over";
  for (const auto& [begun, value] : reads_) {
    if (begun <= written) continue;
    EXPECT_EQ(value, "new") << (begun - written) / kMicros << " us later";
  }
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// The machines' clocks run as far apart as two may, and all wall clocks jump, while the holder is
// cut off and read from.
TEST_F(LeaseScenarioTest, Scenario27_JumpsOfAnHourAndDriftAtTheLimitGiveNoStaleRead) {
  Form(3);
  Patch(R"({"rebalance":"off"})");  // no leader is handed over for balance
  StartLoad();
  const std::string key = cluster_->KeyOf(ShardId{0}, "mine");
  for (const bool holder_is_slow : {true, false}) {
    ExpectLocalReads(0);
    const MachineId holder = AwaitLeader(0);
    const std::int64_t rho = cluster_->options().consensus.lease_drift_ppm;
    for (MachineId id = 1; id <= 3; ++id) {
      const bool slow = (id == holder) == holder_is_slow;
      cluster_->node(id).SetDrift(slow ? -rho / 2 : rho / 2);
    }
    world_.RunFor(1 * kSeconds);
    const auto leaders = Leaders();
    for (const std::int64_t jump : {3'600'000, -7'200'000, 3'600'000}) {
      for (MachineId id = 1; id <= 3; ++id) cluster_->node(id).JumpWall(jump);
      world_.RunFor(2 * kSeconds);
      EXPECT_EQ(Leaders(), leaders) << "a jump of the wall clock has no effect";
    }
    const std::vector<MachineId> others = OthersThan(holder);
    reads_.clear();
    ReadOn(holder, key, world_.now() + 4 * kSeconds);
    world_.RunFor(50 * kMillis);
    cluster_->network().CutBothWays({holder}, others);
    const auto put = cluster_->Put(others[0], key, "new", 5s);
    EXPECT_EQ(put.code, Errc::kOk) << put.detail;
    const Nanos written = world_.now();
    world_.RunFor(4 * kSeconds);
    std::size_t before = 0;
    for (const auto& [begun, value] : reads_) {
      if (begun <= written) {
        ++before;
      } else {
        EXPECT_EQ(value, "new") << (begun - written) / kMicros << " us later";
      }
    }
    EXPECT_GT(before, 10u) << "it served until its lease was over";
    cluster_->network().HealAll();
    world_.RunFor(2 * kSeconds);
  }
  StopLoad();
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
