// Snapshots between hosts: what the source keeps for them, and how they end.
#include <gtest/gtest.h>

#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

class ShardHostSnapshotsTest : public testing::Test {
 protected:
  void Open(std::uint64_t kept_log_bytes) {
    for (auto& [id, node] : cluster_.nodes()) {
      node->config_.flush_bytes = 4096;
      node->config_.kept_log_bytes = kept_log_bytes;
    }
    cluster_.OpenVoters(3);
    Put(10);
  }
  void Put(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(cluster_.Put("key" + std::to_string(i), std::string(100, 'x')).code, Errc::kOk);
    }
  }
  // Cuts a voter off until it needs a snapshot, and returns when the leader has frozen one for it.
  HostNode& VoterTakesASnapshot() {
    HostNode& lagging = cluster_.Follower();
    lagging.cut_off = true;
    Put(1200);
    cluster_.executor().RunFor(1s);
    EXPECT_GT(cluster_.Leader()->replica().trimmed(), lagging.host->facts().applied);
    lagging.cut_off = false;
    AwaitFrozen();
    return lagging;
  }
  void AwaitFrozen() {
    ASSERT_TRUE(cluster_.executor().RunUntil([&] { return Source().snapshots_open() == 1; }));
  }
  // A replica on node 4 that is about to take rows.
  HostNode& LearnerTakesASnapshot() {
    Open(0);
    Put(300);
    cluster_.AddLearner(4);
    AwaitFrozen();
    return cluster_.node(4);
  }
  HostNode& Source() { return cluster_.NodeOf(*cluster_.AwaitLeader()); }

  HostCluster cluster_{4};
};

TEST_F(ShardHostSnapshotsTest, AFlushOfTheRowsThatWereReplacedIsNoFaultOfTheDisk) {
  Open(0);
  HostNode& lagging = VoterTakesASnapshot();
  lagging.background_delay = 1s;
  lagging.host->Flush();
  lagging.background_delay = 1ms;
  ASSERT_TRUE(
      cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(lagging.node().value); }, 500ms));
  cluster_.executor().RunFor(2s);
  EXPECT_FALSE(lagging.failure) << lagging.failure->ToString();
  EXPECT_FALSE(lagging.host->closed());
  Put(100);
  cluster_.executor().RunFor(1s);
  EXPECT_GT(lagging.host->replica().trimmed(), Slot{1200}) << "it flushes and trims again";
}

// P8: our rows are closed, and what they held unflushed is gone.
TEST_F(ShardHostSnapshotsTest, AnInstallationThatFailsTakesTheDiskOut) {
  Open(0);
  HostNode& lagging = VoterTakesASnapshot();
  lagging.background_delay = 50ms;
  const auto received_all = [&] {
    const auto status = lagging.host->Describe();
    return status.snapshot_bytes_done == status.snapshot_bytes_total;
  };
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return !received_all(); }));
  ASSERT_TRUE(cluster_.executor().RunUntil(received_all));
  lagging.disk->SetFull(true);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return lagging.failure.has_value(); }));
  EXPECT_EQ(*lagging.failure, Errc::kNoSpace);
  EXPECT_TRUE(lagging.host->closed());
}

// Seal, step 4: the log is pinned until the member streams, however long it takes to install.
TEST_F(ShardHostSnapshotsTest, TheLogIsKeptUntilTheMemberReports) {
  Open(std::uint64_t{256} << 20);
  cluster_.AddLearner(4);
  AwaitFrozen();
  const Slot frozen = cluster_.Leader()->facts().applied;
  cluster_.node(4).background_delay = 1s;
  Put(1500);
  EXPECT_LE(cluster_.Leader()->replica().trimmed(), frozen);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  EXPECT_EQ(Source().snapshots_opened, 1);
  cluster_.node(4).background_delay = 1ms;
  cluster_.executor().RunFor(3s);  // its last slow write
  Put(1000);
  EXPECT_GT(cluster_.Leader()->replica().trimmed(), frozen) << "and no longer";
}

TEST_F(ShardHostSnapshotsTest, ASnapshotThatNobodyReadsIsDropped) {
  Open(0);
  const SnapshotOpen open{Source().host->key(), ReplicaId{9}};
  Source().Handle({Method::kSnapshotOpen, HostCluster::kShard, 1000, Encode(open)},
                  [](const RpcResponse& answer) { EXPECT_EQ(answer.code, Errc::kOk); });
  AwaitFrozen();
  cluster_.executor().RunFor(100s);
  EXPECT_EQ(Source().snapshots_open(), 0u) << "though nobody opens another one";
}

TEST_F(ShardHostSnapshotsTest, AHostThatClosesAnswersWhoWaitsForASnapshot) {
  Open(0);
  HostNode& source = Source();
  source.background_delay = 1s;
  const SnapshotOpen open{source.host->key(), ReplicaId{9}};
  std::optional<Errc> answer;
  source.Handle({Method::kSnapshotOpen, HostCluster::kShard, 1000, Encode(open)},
                [&](const RpcResponse& response) { answer = response.code; });
  cluster_.executor().RunFor(10ms);
  EXPECT_FALSE(answer);
  source.host->Close();
  EXPECT_EQ(answer, Errc::kUnavailable);
}

TEST_F(ShardHostSnapshotsTest, AFetchThatFailsIsClosedAndSaysWhyOnce) {
  Open(0);
  HostNode& target = cluster_.node(4);
  std::vector<std::string> lines;
  target.config_.log = [&](LogLevel, std::string_view line) { lines.emplace_back(line); };
  cluster_.AddLearner(4);
  target.disk->SetFull(true);
  cluster_.executor().RunFor(3s);
  EXPECT_GT(Source().snapshots_opened, 3);
  EXPECT_EQ(Source().snapshots_open(), 0u);
  EXPECT_NE(target.host->Describe().problem.find("does not fit on mem"), std::string::npos);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("replica 3/4 does not get the snapshot it needs"), std::string::npos);
  target.disk->SetFull(false);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  EXPECT_EQ(target.host->Describe().problem, "");
  EXPECT_FALSE(target.failure);
}

// Calls to it would be waited for half a minute (a seed that hung: 2002).
TEST_F(ShardHostSnapshotsTest, ASourceThatWentSilentIsLeftForAnother) {
  Open(0);
  cluster_.AddLearner(4);
  AwaitFrozen();
  HostNode& silent = Source();
  silent.deaf = true;
  const auto caught_up = [&] {
    const ShardHost* leader = cluster_.Leader();
    return leader != nullptr && leader != silent.host.get() && cluster_.CaughtUp(4);
  };
  EXPECT_TRUE(cluster_.executor().RunUntil(caught_up, 4s));
}

// A paused move (Method::kReplicaStatus tells its target).
TEST_F(ShardHostSnapshotsTest, WhileItIsHeldAReplicaTakesNoRows) {
  HostNode& target = LearnerTakesASnapshot();
  target.host->SetFetchPace(FetchPace::kHeld);
  cluster_.executor().RunFor(100ms);
  const std::uint64_t done = target.host->Describe().snapshot_bytes_done;
  for (int second = 0; second < 200; ++second) {
    target.host->SetFetchPace(FetchPace::kHeld);
    cluster_.executor().RunFor(1s);
  }
  EXPECT_EQ(target.host->Describe().snapshot_bytes_done, done);
  EXPECT_FALSE(target.host->Describe().has_snapshot);
  target.host->SetFetchPace(FetchPace::kUsual);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  EXPECT_EQ(Source().snapshots_opened, 1) << "what had come did not come again";
}

TEST_F(ShardHostSnapshotsTest, AHoldThatNobodyRepeatsEnds) {
  HostNode& target = LearnerTakesASnapshot();
  target.host->SetFetchPace(FetchPace::kHeld);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 60s));
}

// A verification of gigabytes, say, while another member leads and offers to serve.
TEST_F(ShardHostSnapshotsTest, WhatTheTargetItselfIsBusyWithIsNoSilenceOfTheSource) {
  HostNode& target = LearnerTakesASnapshot();
  HostNode& source = Source();
  target.background_delay = 4s;
  source.host->GiveUpLeadership();
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return cluster_.Leader() != nullptr && cluster_.Leader() != source.host.get(); }));
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 100s));
  int opened = 0;
  for (const auto& [id, node] : cluster_.nodes()) opened += node->snapshots_opened;
  EXPECT_EQ(opened, 1);
}

TEST_F(ShardHostSnapshotsTest, RowsTravelAtTheRateOfTheGates) {
  Open(0);
  Put(600);
  HostNode& target = cluster_.node(4);
  const std::uint64_t bytes = Source().host->facts().data_bytes;
  target.gate.SetRates(bytes / 20, bytes / 20);  // some twenty seconds
  cluster_.AddLearner(4);
  AwaitFrozen();
  cluster_.executor().RunFor(10s);
  EXPECT_FALSE(target.host->Describe().has_snapshot);
  EXPECT_GT(target.host->Describe().snapshot_bytes_done, 0u);
  EXPECT_EQ(Source().snapshots_opened, 1) << "slow is not silent";
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 60s));
}

// Else a shard that lacks a quorum would wait as long as moves are slow.
TEST_F(ShardHostSnapshotsTest, TheRowsOfAVoterWaitForNoMove) {
  Open(0);
  for (auto& [id, node] : cluster_.nodes()) {
    node->gate.SetRates(1, 1);
    node->gate.Take(cluster_.executor().Now(), 1000, Lane::kUsual, Duration::max());
  }
  HostNode& lagging = VoterTakesASnapshot();
  ASSERT_TRUE(
      cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(lagging.node().value); }, 5s));
}

TEST_F(ShardHostSnapshotsTest, AVoterThatTakesRowsIsNotHeld) {
  Open(0);
  HostNode& lagging = VoterTakesASnapshot();
  lagging.host->SetFetchPace(FetchPace::kHeld);
  ASSERT_TRUE(
      cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(lagging.node().value); }, 5s));
}

TEST_F(ShardHostSnapshotsTest, ASourceWhoseDiskCarriesEnoughIsAskedAgain) {
  Open(0);
  Put(600);
  HostNode& source = Source();
  const std::uint64_t bytes = source.host->facts().data_bytes;
  source.gate.SetRates(bytes / 5, bytes / 5);
  source.gate.Take(cluster_.executor().Now(), bytes, Lane::kUsual,
                   Duration::max());  // five seconds
  cluster_.AddLearner(4);
  cluster_.executor().RunFor(3s);
  EXPECT_FALSE(cluster_.node(4).host->Describe().has_snapshot);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 60s));
  EXPECT_EQ(source.snapshots_opened, 1);
}

TEST_F(ShardHostSnapshotsTest, AFetchThatIsDroppedIsClosed) {
  Open(0);
  cluster_.AddLearner(4);
  AwaitFrozen();
  cluster_.node(4).host->Close();
  cluster_.executor().RunFor(100ms);
  EXPECT_EQ(Source().snapshots_open(), 0u);
}

}  // namespace
}  // namespace decree::node
