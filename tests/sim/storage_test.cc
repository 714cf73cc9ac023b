// Whole nodes on the second tier: the real log and the real RocksDB over a simulated file system.
#include <gtest/gtest.h>

#include "tests/sim/cluster.h"
#include "tests/sim/final_checks.h"

namespace decree::sim {
namespace {

ClusterOptions OnFiles() {
  ClusterOptions options;
  options.storage = Storage::kFiles;
  options.shards = 2;
  options.flush_bytes = 2'000;
  options.log_goal_bytes = std::uint64_t{256} << 10;
  return options;
}

class StorageTest : public testing::Test {
 protected:
  void Form(MachineId machines) {
    for (MachineId i = 0; i < machines; ++i) cluster_.Add();
    ASSERT_TRUE(cluster_.WaitReady(20 * kSeconds));
    std::string problem;
    ASSERT_TRUE(cluster_.WaitSettled(60 * kSeconds, &problem)) << problem;
  }
  void Put(int from, int to) {
    for (int i = from; i < to; ++i) {
      const OperationResult put = cluster_.Put(1, "k" + std::to_string(i), std::string(300, 'v'));
      ASSERT_EQ(put.code, Errc::kOk) << i;
    }
  }
  void ExpectKeys(int count) {
    for (int i = 0; i < count; ++i) {
      const OperationResult got = cluster_.Get(1, "k" + std::to_string(i));
      EXPECT_EQ(got.code, Errc::kOk) << i;
      EXPECT_EQ(got.read.value, std::string(300, 'v')) << i;
    }
  }
  void TearDown() override {
    for (const std::string& failure : world_.failures()) ADD_FAILURE() << failure;
  }

  World world_{7};
  Cluster cluster_{world_, OnFiles()};
};

TEST_F(StorageTest, PowerLossOfAllMachinesKeepsAcknowledgedWrites) {
  Form(3);
  Put(0, 60);
  for (MachineId id = 1; id <= 3; ++id) cluster_.node(id).Crash();
  cluster_.BootAll();
  ASSERT_TRUE(cluster_.WaitReady(20 * kSeconds));
  ExpectKeys(60);
}

TEST_F(StorageTest, ACleanStopAndStartKeepsEverything) {
  Form(1);
  Put(0, 30);
  cluster_.node(1).StopCleanly(1 * kSeconds);
  world_.RunFor(5 * kSeconds);
  cluster_.BootAll();
  ASSERT_TRUE(cluster_.WaitReady(20 * kSeconds));
  ExpectKeys(30);
}

}  // namespace
}  // namespace decree::sim
