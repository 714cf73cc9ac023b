// How much of its log a shard keeps, and when it flushes.
#include <gtest/gtest.h>

#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

constexpr std::size_t kKiB = 1024;

class ShardHostLogTest : public testing::Test {
 protected:
  void Open(std::uint32_t voters, std::uint64_t flush_bytes, std::uint64_t kept_log_bytes) {
    for (auto& [id, node] : cluster_.nodes()) {
      node->config_.flush_bytes = flush_bytes;
      node->config_.kept_log_bytes = kept_log_bytes;
    }
    cluster_.OpenVoters(voters);
  }
  void Put(int count, std::size_t bytes) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(cluster_.Put("key" + std::to_string(i % 10), std::string(bytes, 'x')).code,
                Errc::kOk);
    }
  }
  std::size_t LogBytes() { return cluster_.Leader()->replica().log_bytes(); }

  HostCluster cluster_{3};
};

TEST_F(ShardHostLogTest, FlushedRowsLetTheLogForget) {
  Open(3, 4096, 256 * kKiB);
  Put(1500, 100);
  cluster_.executor().RunFor(2s);
  EXPECT_GT(cluster_.Leader()->replica().trimmed(), Slot{500});
  for (auto& [id, node] : cluster_.nodes()) node->Crash();
  cluster_.OpenVoters(3);
  EXPECT_EQ(cluster_.Get("key0").code, Errc::kOk);
}

// The tail that is kept in memory is longer than what asks for a flush, and must not ask for it.
TEST_F(ShardHostLogTest, WhatIsDurableAsksForNoFlush) {
  Open(1, 64 * kKiB, 0);
  Put(200, kKiB);
  HostNode& node = cluster_.node(1);
  const int before = node.background_jobs;
  Put(200, kKiB);
  const int jobs = node.background_jobs - before;
  EXPECT_LT(jobs, 210) << "a sync for each write, and a flush for each 60";
}

TEST_F(ShardHostLogTest, TheTailIsBoundedByBytes) {
  Open(1, 64 * kKiB, 0);
  Put(300, 16 * kKiB);
  EXPECT_LT(LogBytes(), 1200 * kKiB);
  EXPECT_GT(LogBytes(), 800 * kKiB);
}

TEST_F(ShardHostLogTest, ADeadVoterPinsNoMoreThanHalfTheNodesBudget) {
  Open(3, 64 * kKiB, 4096 * kKiB);
  Put(10, kKiB);
  cluster_.executor().RunFor(200ms);
  HostNode& dead = cluster_.Follower();
  dead.cut_off = true;
  Put(100, 16 * kKiB);
  EXPECT_LE(cluster_.Leader()->replica().trimmed(), dead.host->facts().applied) << "pinned";
  Put(300, 16 * kKiB);
  EXPECT_LT(LogBytes(), 2048 * kKiB + 200 * kKiB);
}

// The budget is the node's: what other shards keep counts.
TEST_F(ShardHostLogTest, OtherShardsPinsCount) {
  Open(3, 64 * kKiB, 4096 * kKiB);
  for (auto& [id, node] : cluster_.nodes()) node->kept_log().Change(0, 4000 * kKiB);
  Put(10, kKiB);
  cluster_.executor().RunFor(200ms);
  cluster_.Follower().cut_off = true;
  Put(200, 16 * kKiB);
  EXPECT_LT(LogBytes(), 1200 * kKiB) << "only the tail";
}

TEST_F(ShardHostLogTest, AClosedHostKeepsNothing) {
  Open(1, 64 * kKiB, 4096 * kKiB);
  Put(100, 16 * kKiB);
  HostNode& node = cluster_.node(1);
  EXPECT_GT(node.kept_log().bytes(), 0u);
  node.host->Close();
  EXPECT_EQ(node.kept_log().bytes(), 0u);
}

}  // namespace
}  // namespace decree::node
