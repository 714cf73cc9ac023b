// P9: rows that were lost or put back from an old copy are refused, never begun afresh.
#include <gtest/gtest.h>

#include <filesystem>

#include "kv/store/file_disk.h"
#include "tests/node/host_cluster.h"
#include "tests/store/temp_dir.h"
#include "tests/store/test_disk.h"

namespace decree::node {
namespace {

constexpr ReplicaKey kKey{HostCluster::kShard, ReplicaId{1}};

Result<std::shared_ptr<ShardHost>> TryOpen(HostCluster& cluster, store::Disk& disk,
                                           ReplicaKey key = kKey) {
  return ShardHost::Open(cluster.node(1), disk, key, cluster.Genesis(1),
                         MachineFactory(store::KvMachine::Open), disk.OpenRows(key));
}

void ExpectRefused(const Result<std::shared_ptr<ShardHost>>& opened, const std::string& directory) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorruption);
  EXPECT_NE(opened.error().detail().find(directory), std::string::npos) << opened.error().detail();
}

TEST(LostRowsTest, RowsMissingBelowTheTrimmedLogAreRefused) {
  HostCluster cluster(1);
  cluster.node(1).config_.flush_bytes = 4096;
  cluster.OpenVoters(1);
  for (int i = 0; i < 1500; ++i) cluster.Put("key", std::string(100, 'x'));
  ASSERT_GT(cluster.Leader()->replica().trimmed(), Slot{500});
  cluster.node(1).Crash();
  store::MemDisk& disk = *cluster.node(1).disk;
  ASSERT_TRUE(disk.RemoveRows(kKey));
  ExpectRefused(TryOpen(cluster, disk), "mem/rows/3-1");
  ExpectRefused(TryOpen(cluster, disk), "mem/rows/3-1");  // the first try repaired nothing
}

TEST(LostRowsTest, RowsMissingOverAWholeLogAreReplayed) {
  HostCluster cluster(1);
  cluster.OpenVoters(1);
  cluster.Put("key", "value");
  cluster.node(1).host->Flush();
  cluster.executor().RunFor(1s);
  cluster.node(1).Crash();
  ASSERT_TRUE(cluster.node(1).disk->RemoveRows(kKey));
  cluster.OpenVoters(1);
  EXPECT_EQ(cluster.Get("key").code, Errc::kOk);
}

TEST(LostRowsTest, AGapBelowTheWatermarkIsRefused) {
  HostCluster cluster(1);
  store::MemDisk& disk = *cluster.node(1).disk;
  ASSERT_FALSE(TryOpen(cluster, disk)->get()->closed());
  consensus::Persist record = store::VoteRecord(5, 1, "v");
  record.watermark = Slot{5};
  disk.log().Append(kKey, record, [](const Status&) {});
  cluster.executor().RunFor(1s);
  ExpectRefused(TryOpen(cluster, disk), "mem/rows/3-1");
}

// What came as a snapshot was never in the log of this disk, and is in no log any more.
TEST(LostRowsTest, LostRowsOfAnInstalledSnapshotAreRefused) {
  HostCluster cluster(4);
  cluster.OpenVoters(3);
  for (int i = 0; i < 50; ++i) cluster.Put("k" + std::to_string(i), "v");
  cluster.node(4).OpenReplica(ReplicaId{4}, {});
  ChangeMembers add;
  add.move = MoveId{1};
  add.epoch = Epoch{1};
  add.member = {ReplicaId{4}, NodeId{4}};
  ASSERT_EQ(cluster.Change(add).code, Errc::kOk);
  ASSERT_TRUE(cluster.executor().RunUntil(
      [&] { return cluster.node(4).host->facts().applied == cluster.Leader()->facts().applied; }));
  cluster.Put("one more", "record that carries the trim");
  cluster.executor().RunFor(1s);
  cluster.node(4).Crash();
  store::MemDisk& disk = *cluster.node(4).disk;
  const ReplicaKey learner{HostCluster::kShard, ReplicaId{4}};
  ASSERT_TRUE(disk.RemoveRows(learner));
  ExpectRefused(TryOpen(cluster, disk, learner), "mem/rows/3-4");
}

TEST(LostRowsTest, ARemovedDirectoryIsNamed) {
  const store::TempDir folder;
  store::FileDiskOptions options;
  options.path = folder.Sub("d1");
  HostCluster cluster(1);
  {
    auto disk = *store::OpenFileDisk(options);
    auto rows = *disk->OpenRows(kKey);
    store::MachineFacts facts;
    facts.applied = Slot{3};
    facts.config = cluster.Genesis(1);
    ASSERT_TRUE(rows->Write({store::FactsRow(facts)}));
    ASSERT_TRUE(store::FlushAndWait(*rows));
    ASSERT_TRUE(store::AppendAndWait(disk->log(), kKey, store::VoteRecord(3, 1, "v")));
    disk->log().Trim(kKey, Slot{3});
  }
  EXPECT_TRUE(TryOpen(cluster, **store::OpenFileDisk(options)));
  std::filesystem::remove_all(folder.Sub("d1/rows/3-1"));
  ExpectRefused(TryOpen(cluster, **store::OpenFileDisk(options)), folder.Sub("d1/rows/3-1"));
}

}  // namespace
}  // namespace decree::node
