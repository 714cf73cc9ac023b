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
      for (const ReplicaKey& key : *machine.disk(i).ListRows()) {
        if (key.shard == ShardId{shard}) return i;
      }
    }
    ADD_FAILURE() << "machine " << at << " holds no replica of shard " << shard;
    return 0;
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
  EXPECT_TRUE(WaitUntil(
      [&] {
        const auto voters = VotersOf(0);
        return voters.size() == 3 && std::none_of(voters.begin(), voters.end(),
                                                  [&](const auto& v) { return v.id == failed; });
      },
      60 * kSeconds));
  StopLoad();
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
