// Stories with a known course: partition, request, expect.
#include <set>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

TEST_F(ScenarioTest, ASingleNodeServesAtOnce) {
  Form(1);
  EXPECT_LT(world_.now(), 3 * kSeconds);
  EXPECT_EQ(cluster_->Put(1, "a", "1").code, Errc::kOk);
  EXPECT_EQ(cluster_->Get(1, "a").read.value, "1");
  EXPECT_EQ(cluster_->Get(1, "b").code, Errc::kNotFound);
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, ShardsGrowToThreeVotersWhenTwoNodesJoin) {
  Form(1);
  ASSERT_EQ(cluster_->Put(1, "before", "1").code, Errc::kOk);
  cluster_->Add();
  cluster_->Add();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  std::string problem;
  ASSERT_TRUE(cluster_->WaitSettled(60 * kSeconds, &problem)) << problem;
  for (std::uint32_t shard = 0; shard < cluster_->options().shards; ++shard) {
    const auto status = cluster_->Status(1, ShardId{shard});
    ASSERT_TRUE(status) << "shard " << shard;
    EXPECT_EQ(status->config.voters.size(), 3u) << "shard " << shard;
  }
  for (MachineId at = 1; at <= 3; ++at) EXPECT_EQ(cluster_->Get(at, "before").read.value, "1");
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, Scenario45_ALeadersCrashUnderLoadLosesNothingAndWritesGoOnWithinTwoSeconds) {
  Form(3);
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const auto leader = cluster_->LeaderOf(ShardId{0});
  ASSERT_TRUE(leader);
  cluster_->node(*leader).Crash();
  const MachineId other = OthersThan(*leader).front();
  const OperationResult put = cluster_->Put(other, cluster_->KeyOf(ShardId{0}, "x"), "1");
  EXPECT_EQ(put.code, Errc::kOk) << put.detail;
  world_.RunFor(2 * kSeconds);
  cluster_->node(*leader).Boot();
  world_.RunFor(2 * kSeconds);
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, Scenario05_PowerLossOfAllMachinesKeepsAcknowledgedWrites) {
  Form(3);
  StartLoad();
  world_.RunFor(3 * kSeconds);
  for (MachineId id = 1; id <= 3; ++id) cluster_->node(id).Crash();
  world_.RunFor(1 * kSeconds);
  cluster_->BootAll();
  world_.RunFor(2 * kSeconds);
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, ACleanStopAndRestartOfEachNodeInTurnLosesNothing) {
  Form(3);
  StartLoad();
  for (MachineId id = 1; id <= 3; ++id) {
    world_.RunFor(1 * kSeconds);
    cluster_->node(id).StopCleanly(1 * kSeconds);
    ASSERT_TRUE(world_.RunUntil([&] { return !cluster_->node(id).up(); }, 5 * kSeconds)) << id;
    cluster_->node(id).Boot();
    ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds)) << id;
  }
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, AMoveUnderLoadKeepsEverything) {
  Form(4);
  StartLoad();
  world_.RunFor(1 * kSeconds);
  const MachineId leader = AwaitLeader(1);
  const MachineId without = MachineWithout(1);
  StartMove(1, leader, without);
  world_.RunFor(2 * kSeconds);
  std::string problem;
  ASSERT_TRUE(cluster_->WaitSettled(30 * kSeconds, &problem)) << problem;
  const auto moved = cluster_->Status(without, ShardId{1});
  ASSERT_TRUE(moved);
  EXPECT_TRUE(moved->exists);
  const auto left = cluster_->Status(leader, ShardId{1});
  EXPECT_TRUE(!left || !left->exists);
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, ADrainOfADeadMachineGoesOnToItsEnd) {
  Form(4);
  Patch(R"({"dead_node_delay_s":20})");
  cluster_->node(2).Crash();
  ASSERT_TRUE(WaitUntil([&] { return StateOf(2) == "dead"; }, 30 * kSeconds));
  const auto drain = cluster_->Admin(1, "POST", "/v1/admin/nodes/2:drain");
  ASSERT_TRUE(drain);
  ASSERT_EQ(drain->status, 202u) << drain->body;
  EXPECT_TRUE(WaitUntil([&] { return StateOf(2) == "drained"; }, 90 * kSeconds));
  cluster_->node(2).Boot();  // what it still holds is nobody's any more
  ExpectAllIsWell();
}

// A Seal may name any caught-up set of 1, 3 or 5: three living voters of five seal without the
// dead.
TEST_F(ScenarioTest, TwoDeadVotersOfFiveAreReplaced) {
  ClusterOptions options;
  options.replicas = 5;
  options.shards = 2;
  Form(7, options);
  Patch(R"({"dead_node_delay_s":15})");
  const auto voters = [&](std::uint32_t shard) {
    const auto leader = cluster_->LeaderOf(ShardId{shard});
    const auto status = leader ? cluster_->Status(*leader, ShardId{shard}) : std::nullopt;
    return status ? status->config.voters : std::vector<consensus::Member>();
  };
  ASSERT_EQ(voters(0).size(), 5u);
  StartLoad();
  const std::set<std::uint32_t> dead = {voters(0)[3].node.value, voters(0)[4].node.value};
  for (const std::uint32_t id : dead) cluster_->node(id).Crash();
  const auto repaired = [&] {
    for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
      const auto now = voters(shard);
      if (now.size() != 5) return false;
      for (const auto& voter : now) {
        if (dead.contains(voter.node.value)) return false;
      }
    }
    return true;
  };
  EXPECT_TRUE(WaitUntil(repaired, 120 * kSeconds));
  for (const std::uint32_t id : dead) cluster_->node(id).Boot();
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, APartitionedLeaderServesNoStaleRead) {
  Form(3);
  const std::string key = cluster_->KeyOf(ShardId{0});
  ASSERT_EQ(cluster_->Put(1, key, "old").code, Errc::kOk);
  const auto leader = cluster_->LeaderOf(ShardId{0});
  ASSERT_TRUE(leader);
  const std::vector<MachineId> others = OthersThan(*leader);
  cluster_->network().CutBothWays({*leader}, others);
  ASSERT_EQ(cluster_->Put(others[0], key, "new", 5s).code, Errc::kOk);
  const OperationResult stale = cluster_->Get(*leader, key, 1s);
  EXPECT_NE(stale.code, Errc::kOk) << stale.read.value;
  cluster_->network().HealAll();
  const OperationResult fresh = cluster_->Get(*leader, key, 5s);
  EXPECT_EQ(fresh.code, Errc::kOk) << fresh.detail;
  EXPECT_EQ(fresh.read.value, "new");
  ExpectAllIsWell();
}

TEST_F(ScenarioTest, AMachineThatMissedMuchCatchesUpBySnapshot) {
  ClusterOptions options;
  options.flush_bytes = 2'000;
  Form(3, options);
  cluster_->node(3).Crash();
  StartLoad({.value_bytes = 500});
  world_.RunFor(8 * kSeconds);
  StopLoad();
  cluster_->node(3).Boot();
  ExpectAllIsWell();
}

// A shard that is written once and never again would pin its segment for good: its rows stay
// below the flush limit, and its votes stay needed.
TEST_F(ScenarioTest, AColdShardDoesNotHoldTheLogOfItsDiskAboveItsGoal) {
  ClusterOptions options;
  options.log_goal_bytes = 50'000;
  Form(3, options);
  for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
    const std::string key = cluster_->KeyOf(ShardId{shard});
    ASSERT_EQ(cluster_->Put(1, key, std::string(20'000, 'c')).code, Errc::kOk);
  }
  const auto some_disk_is_pinned = [this] {
    for (MachineId id = 1; id <= 3; ++id) {
      if (cluster_->node(id).open_disk(0).log().OldestPin()) return true;
    }
    return false;
  };
  ASSERT_TRUE(some_disk_is_pinned());
  EXPECT_TRUE(world_.RunUntil([&] { return !some_disk_is_pinned(); }, 10 * kSeconds));
  cluster_->node(2).Crash();  // what the log let go of is in the rows
  cluster_->node(2).Boot();
  ExpectAllIsWell();
}

// Through the native door, past every check of a client. Over a limit, a command in the log would
// make an Accept that no frame holds.
TEST_F(ScenarioTest, ACommandOverALimitReachesNoLog) {
  Form(3);
  const auto leader = cluster_->LeaderOf(ShardId{0});
  ASSERT_TRUE(leader);
  const auto write = [&](const Command& command) {
    const auto answer = cluster_->Ask(*leader, {Method::kWrite, ShardId{0}, 1000, Encode(command)});
    return answer ? answer->code : Errc::kDeadlineExceeded;
  };
  const std::string over((std::size_t{16} << 20) - 32, 'e');
  for (const CommandKind kind :
       {CommandKind::kPut, CommandKind::kOpenSession, CommandKind::kMark}) {
    Command command;
    command.kind = kind;
    command.session.client = 5;
    command.key = cluster_->KeyOf(ShardId{0});
    command.condition = {ConditionKind::kValueIs, 0, over};
    EXPECT_EQ(write(command), Errc::kTooLarge);
    command.condition = {};
    command.value = over;
    EXPECT_EQ(write(command), Errc::kTooLarge);
  }
  EXPECT_EQ(cluster_->Put(*leader, cluster_->KeyOf(ShardId{0}), "1").code, Errc::kOk);
  ExpectAllIsWell();
}

// What is within the limits, all of it at once: 72 cas that expect 1 MiB each.
TEST_F(ScenarioTest, ManyLargeExpectedValuesDoNotWedgeTheirShard) {
  Form(3);
  int answered = 0;
  for (int i = 0; i < 72; ++i) {
    Operation cas;
    cas.kind = OperationKind::kPut;
    cas.key = cluster_->KeyOf(ShardId{0});
    cas.condition = {ConditionKind::kValueIs, 0, std::string(kMaxValueBytes, 'e')};
    cluster_->Start(1, std::move(cas), [&](const OperationResult&) { ++answered; });
  }
  EXPECT_TRUE(world_.RunUntil([&] { return answered == 72; }, 10 * kSeconds));
  EXPECT_EQ(cluster_->Put(2, cluster_->KeyOf(ShardId{0}), "1").code, Errc::kOk);
  ExpectAllIsWell();
}

// Too many open files are no fault of a disk: its replicas stop where they cannot go on and start
// again by themselves, and what is to be created there is created later.
TEST_F(ScenarioTest, TooManyOpenFilesCostNoDiskAndNoData) {
  Form(3);
  StartLoad();
  world_.RunFor(1 * kSeconds);
  SimDisk& starved = cluster_->node(2).disk(0);
  starved.SetBusy(true);
  world_.RunFor(4 * kSeconds);
  starved.SetBusy(false);
  cluster_->Add().disk(0).SetBusy(true);
  world_.RunFor(4 * kSeconds);
  cluster_->node(4).disk(0).SetBusy(false);
  ASSERT_TRUE(cluster_->WaitReady(30 * kSeconds));
  StopLoad();
  std::string problem;
  EXPECT_TRUE(cluster_->WaitSettled(60 * kSeconds, &problem)) << problem;
  const auto nodes = cluster_->Admin(1, "GET", "/v1/admin/nodes");
  ASSERT_TRUE(nodes);
  EXPECT_EQ(nodes->body.find("failed"), std::string::npos) << nodes->body;
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
