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
  // A replica on node 4 that has taken half of the rows in some five seconds. Their bytes.
  std::uint64_t LearnerTakesHalf() {
    Open(0);
    for (int i = 0; i < 2; ++i) Put(1500);  // versions of one length, so that sizes stay
    const std::uint64_t bytes = Source().host->facts().data_bytes;
    Source().gate.SetRates(bytes / 10, bytes / 10);
    cluster_.AddLearner(4);
    EXPECT_TRUE(cluster_.executor().RunUntil(
        [&] { return cluster_.node(4).host->Describe().snapshot_bytes_done > bytes / 2; }, 60s));
    return bytes;
  }
  // Digests of both at one slot.
  void ExpectEqualRows(HostNode& other) {
    HostNode& leader = Source();
    Command mark;
    mark.kind = CommandKind::kMark;
    leader.host->Write(std::move(mark), [](const RpcResponse& answer) {
      EXPECT_EQ(answer.code, Errc::kOk) << answer.detail;
    });
    const auto digested = [](HostNode& node) { return node.host->Describe().digests; };
    ASSERT_TRUE(cluster_.executor().RunUntil(
        [&] { return !digested(leader).empty() && !digested(other).empty(); }));
    EXPECT_EQ(digested(leader).back().slot, digested(other).back().slot);
    EXPECT_EQ(digested(leader).back().digest, digested(other).back().digest);
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
  EXPECT_NE(target.host->Describe().problem.find("do not fit on mem"), std::string::npos);
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

// ---- from a follower ----

class FollowerSnapshotsTest : public ShardHostSnapshotsTest {
 protected:
  void SetUp() override {
    for (auto& [id, node] : cluster_.nodes()) node->config_.snapshots_from_followers = true;
    Open(0);
    Put(300);
  }
  // The followers whose rows were asked for.
  std::vector<HostNode*> Serving() {
    std::vector<HostNode*> serving;
    for (auto& [id, node] : cluster_.nodes()) {
      if (node.get() != &Source() && node->snapshots_opened > 0) serving.push_back(node.get());
    }
    return serving;
  }
  bool CaughtUp() {
    return cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 600s);
  }
};

TEST_F(FollowerSnapshotsTest, TheLeaderHasAFollowerServe) {
  cluster_.AddLearner(4);
  ASSERT_TRUE(CaughtUp());
  ASSERT_EQ(Serving().size(), 1u);
  EXPECT_EQ(Serving()[0]->snapshots_opened, 1);
  EXPECT_EQ(Source().snapshots_opened, 1) << "asked, and named the follower";
  cluster_.executor().RunFor(1s);
  for (auto& [id, node] : cluster_.nodes()) EXPECT_EQ(node->snapshots_open(), 0u);
}

// Seal, step 4, though the files are elsewhere.
TEST_F(FollowerSnapshotsTest, TheLeaderKeepsItsLogMeanwhile) {
  for (auto& [id, node] : cluster_.nodes()) node->config_.kept_log_bytes = std::uint64_t{256} << 20;
  cluster_.AddLearner(4);
  AwaitFrozen();
  const Slot frozen = cluster_.Leader()->facts().applied;
  cluster_.node(4).background_delay = 45s;  // each write: together longer than a pin is kept idle
  Put(1500);
  for (int i = 0; i < 150; ++i) {
    cluster_.executor().RunFor(1s);
    Put(10);
  }
  ASSERT_FALSE(cluster_.CaughtUp(4));
  EXPECT_LE(cluster_.Leader()->replica().trimmed(), frozen);
  ASSERT_TRUE(CaughtUp());
  EXPECT_EQ(Source().snapshots_opened, 1);
}

TEST_F(FollowerSnapshotsTest, AFollowerThatIsBehindIsNotNamed) {
  HostNode& lagging = cluster_.Follower();
  lagging.cut_off = true;
  Put(300);
  cluster_.AddLearner(4);
  ASSERT_TRUE(CaughtUp());
  ASSERT_EQ(Serving().size(), 1u);
  ASSERT_NE(Serving()[0], &lagging);
  const ReplicaId other = Serving()[0]->host->key().replica;
  EXPECT_TRUE(Source().host->FindSource(ReplicaId{4}, lagging.host->key().replica));
  EXPECT_FALSE(Source().host->FindSource(ReplicaId{4}, other));
  EXPECT_FALSE(Serving()[0]->host->FindSource(ReplicaId{4}, {})) << "it does not lead";
}

TEST_F(FollowerSnapshotsTest, AFollowerThatRefusesIsReplacedByTheLeader) {
  for (auto& [id, node] : cluster_.nodes()) {
    if (node.get() != &Source()) node->refuses_snapshots = true;
  }
  cluster_.AddLearner(4);
  ASSERT_TRUE(CaughtUp());
  EXPECT_EQ(Source().snapshots_opened, 2);
  EXPECT_TRUE(Serving().empty());
}

// Small messages pass between them and the target, and nothing larger.
TEST_F(FollowerSnapshotsTest, FollowersThatSendNoRowsAreReplacedByTheLeader) {
  for (auto& [id, node] : cluster_.nodes()) node->refuses_chunks = node.get() != &Source();
  cluster_.AddLearner(4);
  ASSERT_TRUE(CaughtUp());
  EXPECT_EQ(Serving().size(), 2u);
  EXPECT_EQ(Source().snapshots_opened, 3) << "two that were named, and its own";
}

TEST_F(FollowerSnapshotsTest, AFollowerThatGoesSilentIsLeftForTheOtherOne) {
  for (auto& [id, node] : cluster_.nodes()) node->gate.SetRates(4096, 4096);
  cluster_.AddLearner(4);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return !Serving().empty(); }));
  HostNode* first = Serving()[0];
  cluster_.executor().RunFor(2s);
  const std::uint64_t done = cluster_.node(4).host->Describe().snapshot_bytes_done;
  EXPECT_GT(done, 0u);
  first->deaf = true;
  for (auto& [id, node] : cluster_.nodes()) node->gate.SetRates(0, 0);
  ASSERT_TRUE(CaughtUp());
  EXPECT_EQ(first->snapshots_opened, 1);
}

// ---- small rows ----

TEST_F(ShardHostSnapshotsTest, SmallRowsComeWithTheAnswer) {
  for (auto& [id, node] : cluster_.nodes()) node->config_.inline_snapshot_bytes = 1 << 20;
  Open(0);
  Put(300);
  cluster_.AddLearner(4);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  EXPECT_EQ(Source().snapshots_opened, 1);
  EXPECT_EQ(Source().snapshots_read, 0);
  EXPECT_EQ(Source().snapshots_open(), 0u);
}

TEST_F(ShardHostSnapshotsTest, SmallRowsWaitForTheirTurnLikeOthers) {
  for (auto& [id, node] : cluster_.nodes()) node->config_.inline_snapshot_bytes = 1 << 20;
  Open(0);
  Put(300);
  Source().gate.SetRates(4096, 4096);
  Source().gate.Take(cluster_.executor().Now(), 4096, Lane::kUsual, Duration::max());
  cluster_.AddLearner(4);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 600s));
  EXPECT_GT(Source().snapshots_read, 0) << "in chunks";
}

// ---- going on ----

TEST_F(ShardHostSnapshotsTest, ASourceThatWasRestartedIsNotAskedForEverythingAgain) {
  const std::uint64_t bytes = LearnerTakesHalf();
  HostNode& source = Source();
  const std::uint64_t taken = source.gate.taken();
  source.ForgetSnapshots();
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 60s));
  EXPECT_EQ(source.snapshots_opened, 2);
  EXPECT_LT(source.gate.taken() - taken, bytes * 3 / 4) << "what had come did not come again";
}

TEST_F(ShardHostSnapshotsTest, WhatHasChangedMeanwhileIsFetchedAnew) {
  LearnerTakesHalf();
  HostNode& source = Source();
  HostNode& target = cluster_.node(4);
  for (int i = 0; i < 1500; ++i) {
    ASSERT_EQ(cluster_.Put("key" + std::to_string(i), std::string(100, 'y')).code, Errc::kOk);
  }
  source.ForgetSnapshots();
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }, 120s));
  EXPECT_EQ(source.snapshots_opened, 2);
  ExpectEqualRows(target);
}

}  // namespace
}  // namespace decree::node
