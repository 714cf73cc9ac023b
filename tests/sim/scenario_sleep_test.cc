// Scenarios of sleep (tests/README.md) with whole nodes: shards that nobody asks for anything.
#include <algorithm>
#include <map>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class SleepScenarioTest : public ScenarioTest {
 protected:
  // Three machines whose shards sleep after a second without use.
  void FormSleepy(MachineId machines = 3) {
    ClusterOptions options;
    options.consensus.sleep_after = 1s;
    Form(machines, options);
    Patch(R"({"rebalance":"off"})");  // nobody hands leaders over, which would wake shards
    Watch();
    // Some may sleep already: a read wakes them, and leaves no session that would expire.
    for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
      EXPECT_EQ(cluster_->Get(1, cluster_->KeyOf(ShardId{shard})).code, Errc::kNotFound);
    }
  }
  // From here on the replicas of numbered shards are looked at after each of their steps. Those of
  // the placement group, who notice lost nodes for the others, must stay awake.
  void Watch() {
    cluster_->network().core_checker().on_step =
        [this](ReplicaKey key, const consensus::Replica& replica, const consensus::Output&) {
          if (key.shard == kPlacementShard) {
            EXPECT_FALSE(replica.asleep()) << ToString(key);
            return;
          }
          ++steps_;
          asleep_[key] = replica.asleep();
        };
  }
  bool AllAsleep() {
    const std::size_t replicas = std::size_t{3} * cluster_->options().shards;
    return asleep_.size() >= replicas &&
           std::all_of(asleep_.begin(), asleep_.end(), [](const auto& one) { return one.second; });
  }
  void FallAsleep() {
    ASSERT_TRUE(world_.RunUntil([this] { return AllAsleep(); }, 10 * kSeconds));
  }
  // Who leads each shard, if somebody other than `lost` does.
  bool AllLedWithout(MachineId lost) {
    for (std::uint32_t shard = 0; shard < cluster_->options().shards; ++shard) {
      bool led = false;
      for (const MachineId id : cluster_->Up()) {
        if (id == lost) continue;
        const auto status = cluster_->Status(id, ShardId{shard});
        led = led || (status && status->leader);
      }
      if (!led) return false;
    }
    return true;
  }

  std::map<ReplicaKey, bool> asleep_;
  std::uint64_t steps_ = 0;
};

TEST_F(SleepScenarioTest, Scenario31_AnIdleShardSendsNothingAndNeedsNoTimer) {
  FormSleepy();
  FallAsleep();
  steps_ = 0;
  world_.RunFor(60 * kSeconds);
  EXPECT_EQ(steps_, 0u) << "a message or a timer of a sleeping shard";
  const auto put = cluster_->Put(1, cluster_->KeyOf(ShardId{0}), "v");
  EXPECT_EQ(put.code, Errc::kOk) << put.detail;
  EXPECT_GT(steps_, 0u);
  ExpectAllIsWell();
}

// Nobody asks for anything: the others miss it by their links, before its reports are missed.
TEST_F(SleepScenarioTest, Scenario31_ACrashedMachinesShardsElectWithoutARequest) {
  FormSleepy();
  const MachineId lost = AwaitLeader(0);
  const std::string key = cluster_->KeyOf(ShardId{0});
  ASSERT_EQ(cluster_->Put(lost, key, "old").code, Errc::kOk);
  FallAsleep();
  cluster_->node(lost).Crash();
  EXPECT_TRUE(WaitUntil([&] { return AllLedWithout(lost); }, 2500 * kMillis));
  const MachineId next = OthersThan(lost)[0];
  EXPECT_EQ(cluster_->Put(next, key, "new").code, Errc::kOk);
  cluster_->node(lost).Boot();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  const auto get = cluster_->Get(lost, key);
  EXPECT_EQ(get.read.value, "new") << get.detail;
  ExpectAllIsWell();  // INV-11: no second lease at any moment
}

// No link goes down, no frame passes: the first request, through whatever node, finds out. The old
// leader sleeps through it all.
TEST_F(SleepScenarioTest, Scenario31_ALeaderThatIsCutOffAsleepIsMissedByARequest) {
  for (const std::size_t through : {0, 1}) {
    if (through == 0) FormSleepy();
    const MachineId lost = AwaitLeader(0);
    const std::string key = cluster_->KeyOf(ShardId{0});
    ASSERT_EQ(cluster_->Put(lost, key, "old").code, Errc::kOk);
    FallAsleep();
    const std::vector<MachineId> others = OthersThan(lost);
    cluster_->network().CutBothWays({lost}, others);
    const auto put = cluster_->Put(others[through], key, "new", 4s);
    EXPECT_EQ(put.code, Errc::kOk) << put.detail;
    const auto status = cluster_->Status(lost, ShardId{0});
    EXPECT_TRUE(status && status->leader) << "in its own eyes it leads";
    const auto stale = cluster_->Get(lost, key, 1s);
    EXPECT_NE(stale.code, Errc::kOk) << "it read '" << stale.read.value << "' all alone";
    cluster_->network().HealAll();
    EXPECT_TRUE(
        WaitUntil([&] { return cluster_->Get(lost, key).read.value == "new"; }, 5 * kSeconds));
  }
  ExpectAllIsWell();
}

// The same without a request. Its links stay up, but it reports to nobody any more.
TEST_F(SleepScenarioTest, Scenario31_ALeaderThatIsCutOffAsleepIsMissedByItsReports) {
  FormSleepy();
  const MachineId lost = AwaitLeader(0);
  FallAsleep();
  cluster_->network().CutBothWays({lost}, OthersThan(lost));
  EXPECT_TRUE(WaitUntil([&] { return AllLedWithout(lost); }, 10 * kSeconds));
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// ---- what works on sleeping shards ----

TEST_F(SleepScenarioTest, AKeyThatFallsDueWakesItsShard) {
  FormSleepy();
  Operation put;
  put.kind = OperationKind::kPut;
  put.key = cluster_->KeyOf(ShardId{0});
  put.value = "v";
  put.ttl_ms = 5'000;
  ASSERT_EQ(cluster_->Do(1, put).code, Errc::kOk);
  FallAsleep();
  const CoreChecker& checker = cluster_->network().core_checker();
  const std::uint64_t decided = checker.Decided(ShardId{0});
  world_.RunFor(1 * kSeconds);
  ASSERT_EQ(checker.Decided(ShardId{0}), decided);
  world_.RunFor(5 * kSeconds);
  EXPECT_GT(checker.Decided(ShardId{0}), decided) << "nobody asked, and it expired";
  EXPECT_EQ(cluster_->Get(1, put.key).code, Errc::kNotFound);
  EXPECT_TRUE(world_.RunUntil([this] { return AllAsleep(); }, 10 * kSeconds)) << "again";
  ExpectAllIsWell();
}

TEST_F(SleepScenarioTest, ACleanStopHandsSleepingShardsOver) {
  FormSleepy();
  const MachineId leaving = AwaitLeader(0);
  FallAsleep();
  cluster_->node(leaving).StopCleanly(3 * kSeconds);
  ASSERT_TRUE(world_.RunUntil([&] { return !cluster_->node(leaving).up(); }, 1 * kSeconds));
  EXPECT_TRUE(AllLedWithout(leaving)) << "before it was gone";
  cluster_->node(leaving).Boot();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  ExpectAllIsWell();
}

TEST_F(SleepScenarioTest, ASleepingShardIsMoved) {
  FormSleepy(4);
  FallAsleep();
  const MachineId to = MachineWithout(0);
  const std::string move = StartMove(0, OthersThan(to)[0], to);
  EXPECT_TRUE(WaitUntil([&] { return StageOf(move) == "done"; }, 30 * kSeconds)) << StageOf(move);
  ExpectAllIsWell();
}

// It sends its reports but hears nobody. The placement leader asks the others of the shard.
TEST_F(SleepScenarioTest, AMoveFindsOutThatASleepingLeaderHearsNobody) {
  FormSleepy(4);
  FallAsleep();
  const MachineId deaf = AwaitLeader(0);
  const MachineId to = MachineWithout(0);
  MachineId from = 1;
  while (from == to || from == deaf) ++from;
  cluster_->network().Isolate(deaf, true, false, 4);
  const std::string body =
      "{\"shard\":0,\"from\":" + std::to_string(from) + ",\"to\":" + std::to_string(to) + "}";
  EXPECT_TRUE(WaitUntil(
      [&] {
        const auto answer = cluster_->Admin(to, "POST", "/v1/admin/moves", body);
        return answer && answer->status == 202;
      },
      5 * kSeconds));
  bool led = false;
  cluster_->network().core_checker().on_step =
      [&](ReplicaKey key, const consensus::Replica& replica, const consensus::Output&) {
        if (key.shard != ShardId{0} || !replica.ReadyLeader()) return;
        led = led || replica.config().Find(key.replica)->node.value != deaf;
      };
  EXPECT_TRUE(world_.RunUntil([&] { return led; }, 10 * kSeconds));
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// A machine that comes back finds its shards asleep: it wakes them, and takes none from its leader.
TEST_F(SleepScenarioTest, Scenario24_AMachineThatComesBackDeposesNoSleepingLeader) {
  FormSleepy();
  FallAsleep();
  const auto before = Leaders();
  std::map<MachineId, int> led;
  for (const auto& [shard, leader] : before) ++led[leader];
  MachineId idle = 1;  // leads the fewest
  for (const MachineId id : {2, 3}) {
    if (led[id] < led[idle]) idle = id;
  }
  cluster_->node(idle).Crash();
  cluster_->node(idle).Boot();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  world_.RunFor(3 * kSeconds);
  for (const auto& [shard, leader] : Leaders()) {
    if (before.at(shard) == idle) continue;
    EXPECT_EQ(leader, before.at(shard)) << "shard " << shard;
  }
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
