// Scenarios of disks (tests/README.md) with whole nodes.
#include <algorithm>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class DiskScenarioTest : public ScenarioTest {
 protected:
  // The disk of a machine that holds its replica of the shard.
  std::size_t DiskOf(MachineId at, std::uint32_t shard) {
    Machine& machine = cluster_->node(at);
    for (std::size_t i = 0; i < cluster_->options().disks; ++i) {
      for (const ReplicaKey& key : *machine.open_disk(i).ListRows()) {
        if (key.shard == ShardId{shard}) return i;
      }
    }
    ADD_FAILURE() << "machine " << at << " holds no replica of shard " << shard;
    return 0;
  }
  // The shard has all its voters, and this one is none of them.
  bool IsReplaced(std::uint32_t shard, ReplicaId replica) {
    const auto voters = VotersOf(shard);
    return voters.size() == 3 && std::none_of(voters.begin(), voters.end(), [&](const auto& voter) {
             return voter.id == replica;
           });
  }
  void ExpectAnotherLeader(std::uint32_t shard, MachineId old) {
    ASSERT_TRUE(WaitUntil(
        [&] {
          const auto now = cluster_->LeaderOf(ShardId{shard});
          return now && *now != old;
        },
        10 * kSeconds))
        << "machine " << old << " still leads";
    const MachineId at = OthersThan(old).front();
    const auto put = cluster_->Put(at, cluster_->KeyOf(ShardId{shard}, "on"), "1", 5s);
    EXPECT_EQ(put.code, Errc::kOk) << put.detail;
  }
};

// Each sync takes longer than an election timeout.
TEST_F(DiskScenarioTest, Scenario20_ALeaderWithASlowDiskStepsDownAndLosesNothing) {
  Form(3);
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const MachineId leader = AwaitLeader(0);
  DiskTimes& times = cluster_->node(leader).disk_times();
  const DiskTimes usual = times;
  times.min_sync = times.max_sync = 3 * kSeconds;
  ExpectAnotherLeader(0, leader);
  world_.RunFor(5 * kSeconds);
  times = usual;
  world_.RunFor(5 * kSeconds);
  StopLoad();
  ExpectAllIsWell();
}

// What is acknowledged was applied from memory and stands in the logs of two others.
TEST_F(DiskScenarioTest, Scenario20_ALeaderWithAFullDiskIsReplacedAndNothingIsLost) {
  ClusterOptions options;
  options.disks = 2;
  Form(4, options);
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const MachineId leader = AwaitLeader(0);
  cluster_->node(leader).disk(DiskOf(leader, 0)).SetFull(true);
  ExpectAnotherLeader(0, leader);
  StopLoad();
  ExpectAllIsWell();
}

// A sync that failed once is not tried again, whatever the disk says later: its replicas are
// replaced.
TEST_F(DiskScenarioTest, Scenario17_AReplicaWhoseSyncFailedStaysDownAndIsReplaced) {
  ClusterOptions options;
  options.disks = 2;
  Form(4, options);
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const MachineId leader = AwaitLeader(0);
  const ReplicaId failed = ReplicaOn(leader, 0);
  cluster_->node(leader).disk(DiskOf(leader, 0)).FailSyncs();
  ExpectAnotherLeader(0, leader);
  EXPECT_TRUE(WaitUntil([&] { return IsReplaced(0, failed); }, 60 * kSeconds));
  StopLoad();
  ExpectAllIsWell();
}

// Found when the log is opened. A vote that does not read might be the one that a majority counts
// on: its replica says nothing any more, and another one takes its place.
TEST_F(DiskScenarioTest, Scenario19_ADamagedVoteSilencesItsReplicasAndTheyComeBackUnderNewIds) {
  ClusterOptions options;
  options.disks = 2;
  Form(3, options);
  Patch(R"({"dead_node_delay_s":15})");
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const MachineId victim = OthersThan(AwaitLeader(0)).front();
  const std::size_t disk = DiskOf(victim, 0);
  const ReplicaId damaged = ReplicaOn(victim, 0);
  Machine& machine = cluster_->node(victim);
  machine.ExpectLoss(1);
  machine.Crash();
  machine.disk(disk).DamageLog();
  std::size_t steps = 0;
  cluster_->network().core_checker().on_step = [&](ReplicaKey key, const consensus::Replica&,
                                                   const consensus::Output&) {
    steps += key == ReplicaKey{ShardId{0}, damaged} ? 1 : 0;
  };
  machine.Boot();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds)) << "it serves from the other disk";
  EXPECT_TRUE(WaitUntil([&] { return IsReplaced(0, damaged); }, 90 * kSeconds));
  EXPECT_NE(ReplicaOn(victim, 0), damaged);
  EXPECT_EQ(steps, 0u) << "it neither promised nor voted";
  StopLoad();
  ExpectAllIsWell();
}

TEST_F(DiskScenarioTest, Scenario20_ALeaderWhoseLogHasNoRoomLosesNothingAndServesAgainLater) {
  ClusterOptions options;
  options.disks = 2;
  Form(3, options);
  StartLoad();
  world_.RunFor(2 * kSeconds);
  const MachineId leader = AwaitLeader(0);
  Machine& machine = cluster_->node(leader);
  machine.ExpectLoss(1);
  machine.disk(DiskOf(leader, 0)).FailLogForSpace();
  ExpectAnotherLeader(0, leader);
  machine.Crash();
  machine.Boot();  // there is room again
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  machine.ExpectLoss(-1);
  StopLoad();
  ExpectAllIsWell();
}

// A machine that dies in a disk call fails no disk, whichever call of a move it is: shells,
// tombstones and maps are written in some of them.
TEST_F(DiskScenarioTest, APowerLossInsideADiskCallIsNoFailedDisk) {
  ClusterOptions options;
  options.storage = Storage::kFiles;
  options.shards = 1;
  options.replicas = 1;
  Form(2, options);
  Patch(R"({"rebalance":"off"})");
  for (std::uint64_t call = 1; call <= 80; ++call) {
    const MachineId from = AwaitLeader(0);
    const std::string move = StartMove(0, from, 3 - from);
    world_.RunFor(static_cast<Nanos>(call) * 2 * kMillis);
    cluster_->node(call % 2 ? from : 3 - from).CrashInDiskCall(1 + call % 3);
    world_.RunFor(2 * Machine::kLongestDying);
    cluster_->BootAll();
    ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
    ASSERT_TRUE(WaitUntil([&] { return StageOf(move) == "done" || StageOf(move) == "rolled_back"; },
                          60 * kSeconds));
  }
  ExpectAllIsWell();
}

// Of the records that no sync had covered a prefix may be there after all, and its end torn.
TEST_F(DiskScenarioTest, Scenario18_TornTailsOfAllLogsCostNothingAcknowledged) {
  Form(3);
  StartLoad();
  for (int round = 0; round < 5; ++round) {
    world_.RunFor(2 * kSeconds);
    for (MachineId id = 1; id <= 3; ++id) cluster_->node(id).Crash(world_.random());
    cluster_->BootAll();
    ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  }
  StopLoad();
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
