#include "server/node/shard_host.h"

#include <gtest/gtest.h>

#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

TEST(ShardHostTest, SingleVoterServesAtOnce) {
  HostCluster cluster(1);
  cluster.OpenVoters(1);
  EXPECT_TRUE(Verdict(cluster.Put("k", "v1")).created);
  EXPECT_FALSE(Verdict(cluster.Put("k", "v2")).created);
  EXPECT_EQ(ValueOf(cluster.Get("k")), "v2");
  EXPECT_EQ(cluster.Get("absent").code, Errc::kNotFound);
}

TEST(ShardHostTest, AcknowledgedWritesSurvivePowerLossOfAll) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  for (int i = 0; i < 20; ++i) Verdict(cluster.Put("k" + std::to_string(i), std::to_string(i)));
  for (auto& [id, node] : cluster.nodes()) node->Crash();
  cluster.OpenVoters(3);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ValueOf(cluster.Get("k" + std::to_string(i))), std::to_string(i));
  }
}

TEST(ShardHostTest, WritesGoOnWithoutTheLeader) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Verdict(cluster.Put("k", "before"));
  const NodeId old =
      cluster.AwaitLeader()->Describe().config.Find(cluster.Leader()->key().replica)->node;
  cluster.node(old.value).cut_off = true;
  ASSERT_TRUE(cluster.executor().RunUntil([&] { return cluster.Leader() != nullptr; }));
  EXPECT_EQ(ValueOf(cluster.Get("k")), "before");
  Verdict(cluster.Put("k", "after"));
  // The old leader hears of it and follows.
  cluster.node(old.value).cut_off = false;
  EXPECT_TRUE(cluster.executor().RunUntil([&] {
    return !cluster.node(old.value).host->leading() &&
           cluster.node(old.value).host->facts().applied == cluster.Leader()->facts().applied;
  }));
}

TEST(ShardHostTest, CutOffLeaderServesNoRead) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Verdict(cluster.Put("k", "old"));
  ShardHost* old = cluster.AwaitLeader();
  HostNode& cut = cluster.node(old->Describe().config.Find(old->key().replica)->node.value);
  cut.cut_off = true;
  const auto read = [&] {
    std::optional<RpcResponse> answer;
    old->Read(ReadRequest{"k", Consistency::kLinearizable},
              [&](RpcResponse response) { answer = std::move(response); });
    EXPECT_TRUE(cluster.executor().RunUntil([&] { return answer.has_value(); }));
    return answer ? answer->code : Errc::kOutcomeUnknown;
  };
  EXPECT_EQ(read(), Errc::kOk) << "its lease still runs: nobody else can have written";
  Verdict(cluster.Put("k", "new"));
  EXPECT_NE(read(), Errc::kOk);
}

TEST(ShardHostTest, RetryUnderOneSessionExecutesOnce) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Command open;
  open.kind = CommandKind::kOpenSession;
  open.session.client = 42;
  Verdict(cluster.Write(open));
  const CommandResult first = Verdict(cluster.Put("k", "v", {42, 1, 1}));
  const CommandResult again = Verdict(cluster.Put("k", "v", {42, 1, 1}));
  EXPECT_EQ(first.version, again.version);
  EXPECT_TRUE(again.created);
}

TEST(ShardHostTest, FollowerNamesTheLeader) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Verdict(cluster.Put("k", "v"));
  const ReplicaId leader = cluster.Leader()->key().replica;
  for (auto& [id, node] : cluster.nodes()) {
    if (node->host->key().replica == leader) continue;
    RpcResponse answer;
    node->host->Write(Command{}, [&](RpcResponse response) { answer = std::move(response); });
    EXPECT_EQ(answer.code, Errc::kNotLeader);
    EXPECT_EQ(answer.leader, NodeId{static_cast<std::uint32_t>(leader.value)});
  }
}

// ---- sleep ----

class SleepingHostTest : public testing::Test {
 protected:
  SleepingHostTest() : cluster_(3) {
    for (std::uint32_t id = 1; id <= 3; ++id) cluster_.node(id).config_.consensus.sleep_after = 1s;
    cluster_.OpenVoters(3);
    cluster_.AwaitLeader();
    cluster_.executor().RunFor(3s);
    for (std::uint32_t id = 1; id <= 3; ++id) {
      EXPECT_TRUE(cluster_.node(id).host->replica().asleep()) << id;
    }
  }
  HostCluster cluster_;
};

TEST_F(SleepingHostTest, ItWakesUpForReadersAndWriters) {
  EXPECT_EQ(Verdict(cluster_.Put("k", "v")).code, Errc::kOk);
  EXPECT_FALSE(cluster_.Leader()->replica().asleep());
  cluster_.executor().RunFor(3s);
  EXPECT_TRUE(cluster_.Leader()->replica().asleep());
  EXPECT_EQ(ValueOf(cluster_.Get("k")), "v");
}

// Each of what only a leader does, asked of a follower whose leader is gone.
TEST_F(SleepingHostTest, ARequestAtAFollowerFindsOutThatTheLeaderIsGone) {
  HostNode& follower = cluster_.Follower();
  const std::function<void(RpcReply)> asks[] = {
      [&](RpcReply reply) { follower.host->Write(Command{}, std::move(reply)); },
      [&](RpcReply reply) { follower.host->Read(ReadRequest{"k"}, std::move(reply)); },
      [&](RpcReply reply) { follower.host->Scan(ScanRequest{}, std::move(reply)); },
      [&](RpcReply reply) { follower.host->Change(ChangeMembers{}, std::move(reply)); }};
  for (const auto& ask : asks) {
    ASSERT_TRUE(follower.host->replica().asleep());
    Errc code = Errc::kOk;
    ask([&](const RpcResponse& response) { code = response.code; });
    EXPECT_EQ(code, Errc::kNotLeader);
    EXPECT_FALSE(follower.host->replica().asleep());
    cluster_.executor().RunFor(3s);  // its leader was there, and all sleep again
  }
  cluster_.NodeOf(*cluster_.Leader()).cut_off = true;
  cluster_.executor().RunFor(1min);
  ASSERT_EQ(cluster_.Leader(), nullptr) << "nobody missed it";
  asks[0]([](const RpcResponse&) {});
  EXPECT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.Leader() != nullptr; }, 3s));
}

TEST_F(SleepingHostTest, AStaleReadWakesNobody) {
  HostNode& follower = cluster_.Follower();
  ReadRequest read{"k"};
  read.consistency = Consistency::kStale;
  follower.host->Read(std::move(read), [](const RpcResponse&) {});
  EXPECT_TRUE(follower.host->replica().asleep());
}

// Whom it hears is known only once it is awake.
TEST_F(SleepingHostTest, ASleepingLeaderIsHandedOverToWhoeverAnswers) {
  ShardHost* leader = cluster_.Leader();
  leader->GiveUpLeadership();
  EXPECT_FALSE(leader->replica().asleep());
  EXPECT_FALSE(leader->replica().HandingOver()) << "who is there?";
  cluster_.executor().RunFor(10ms);
  leader->GiveUpLeadership();
  EXPECT_TRUE(leader->replica().HandingOver());
  cluster_.executor().RunFor(100ms);
  EXPECT_NE(cluster_.Leader(), leader);
}

class ReplacementTest : public testing::Test {
 protected:
  // Replica 4 on node 4 becomes a learner and catches up.
  void AddLearner() {
    cluster_.OpenVoters(3);
    for (int i = 0; i < 50; ++i) Verdict(cluster_.Put("k" + std::to_string(i), std::to_string(i)));
    cluster_.AddLearner(4);
    ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  }
  // Replaces a replica that does not lead; returns its node.
  NodeId Seal() {
    NodeId removed;
    EXPECT_EQ(cluster_.Change(cluster_.SealFor(4, &removed)).code, Errc::kOk);
    return removed;
  }
  HostCluster cluster_{4};
};

TEST_F(ReplacementTest, LearnerInstallsASnapshotAndFollows) {
  AddLearner();
  const auto digest = [&](ShardHost& host) {
    return host.Describe().digests.empty() ? "" : host.Describe().digests.back().digest;
  };
  Command mark;
  mark.kind = CommandKind::kMark;
  Verdict(cluster_.Write(mark));
  ASSERT_TRUE(cluster_.executor().RunUntil([&] {
    return !digest(*cluster_.node(4).host).empty() && !digest(*cluster_.Leader()).empty();
  }));
  EXPECT_EQ(digest(*cluster_.node(4).host), digest(*cluster_.Leader()));
}

TEST_F(ReplacementTest, SealMovesTheShardAndKeepsEveryWrite) {
  AddLearner();
  const NodeId removed = Seal();
  ASSERT_TRUE(cluster_.executor().RunUntil([&] {
    return cluster_.Leader() && cluster_.Leader()->Describe().config.epoch == Epoch{2} &&
           cluster_.Leader()->Describe().epoch_started;
  }));
  // The removed replica may go now: everything is there without it.
  cluster_.node(removed.value).cut_off = true;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(ValueOf(cluster_.Get("k" + std::to_string(i))), std::to_string(i));
  }
  Verdict(cluster_.Put("after", "the move"));
  EXPECT_EQ(ValueOf(cluster_.Get("after")), "the move");
}

TEST_F(ReplacementTest, Scenario48_RemovedReplicaRefusesReadsAndWrites) {
  AddLearner();
  const NodeId removed = Seal();
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return cluster_.node(removed.value).host->Describe().config.epoch == Epoch{2}; }));
  ShardHost& host = *cluster_.node(removed.value).host;
  RpcResponse answer;
  host.Read(ReadRequest{"k1", Consistency::kLinearizable},
            [&](RpcResponse r) { answer = std::move(r); });
  EXPECT_EQ(answer.code, Errc::kStaleMap);
  std::optional<RpcResponse> written;
  host.Write(Command{CommandKind::kPut, {}, "k1", "by the removed one", {}, 0},
             [&](RpcResponse r) { written = std::move(r); });
  ASSERT_TRUE(written) << "at once: nobody else will tell the client";
  EXPECT_EQ(written->code, Errc::kStaleMap);
  cluster_.executor().RunFor(1s);
  EXPECT_EQ(ValueOf(cluster_.Get("k1")), "1") << "and it went nowhere";
}

// The old leader stays, has the Seal chosen, and does not get the next epoch.
TEST_F(ReplacementTest, WritersAreToldWhenTheOldLeaderDoesNotGetTheNextEpoch) {
  AddLearner();
  ShardHost* old = cluster_.AwaitLeader();
  old->Change(cluster_.SealFor(4), [](const RpcResponse&) {});
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return old->replica().role() == consensus::Role::kCandidate; }));
  cluster_.NodeOf(*old).cut_off = true;
  std::optional<RpcResponse> answer;
  const auto write = [&] {
    answer.reset();
    old->Write(Command{CommandKind::kPut, {}, "k", "v", {}, 0},
               [&](RpcResponse response) { answer = std::move(response); });
  };
  write();
  EXPECT_FALSE(answer) << "it usually leads on, so that the write waits";
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return answer.has_value(); }, 2s));
  EXPECT_EQ(answer->code, Errc::kNotLeader);
  write();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, Errc::kNotLeader);
}

// The learner's report, which has no other effect, is what the Seal waits for.
TEST_F(ReplacementTest, WhatAChangeProposesLeavesAtOnce) {
  AddLearner();
  cluster_.node(4).cut_off = true;
  for (int i = 0; i < 200; ++i) Verdict(cluster_.Put("k", "v"));
  cluster_.executor().RunFor(600ms);
  ShardHost* leader = cluster_.AwaitLeader();
  ChangeMembers seal = cluster_.SealFor(4);
  seal.wait_ms = 10'000;
  leader->Change(std::move(seal), [](const RpcResponse&) {});
  cluster_.executor().RunFor(100ms);
  ASSERT_EQ(leader->replica().inflight(), 0u) << "the learner lags";
  cluster_.node(4).cut_off = false;
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return leader->replica().inflight() > 0; }, 5s));
  const Instant proposed = cluster_.executor().Now();
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return leader->replica().config().epoch == Epoch{2}; }, 5s));
  EXPECT_LT(cluster_.executor().Now() - proposed, 5ms) << "of virtual time: two writes to disks";
}

TEST(ShardHostTest, LeadershipGoesToAPeerThatIsHeard) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  ShardHost* old = cluster.AwaitLeader();
  cluster.Follower().cut_off = true;  // the one with the lowest id
  cluster.executor().RunFor(300ms);
  old->GiveUpLeadership();
  EXPECT_TRUE(cluster.executor().RunUntil(
      [&] { return cluster.Leader() && cluster.Leader() != old; }, 100ms));
}

TEST(ShardHostTest, APeerThatDoesNotTakeOverIsFollowedByTheNextOne) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  ShardHost* old = cluster.AwaitLeader();
  cluster.executor().RunFor(200ms);
  cluster.Follower().cut_off = true;  // just now: it was heard a moment ago
  Duration waited{};
  for (; cluster.Leader() == old && waited < 5s; waited = waited + 10ms) {
    old->GiveUpLeadership();
    cluster.executor().RunFor(10ms);
  }
  EXPECT_LT(waited, 1s);
  Verdict(cluster.Put("k", "v"));
}

TEST(ShardHostTest, KeysExpireInAShardWithOneVoter) {
  HostCluster cluster(1);
  cluster.OpenVoters(1);
  Command put{CommandKind::kPut, {}, "k", "v", {}, 1000};
  Verdict(cluster.Write(put));
  cluster.executor().RunFor(900ms);
  EXPECT_EQ(ValueOf(cluster.Get("k")), "v");
  cluster.executor().RunFor(600ms);
  EXPECT_EQ(cluster.Get("k").code, Errc::kNotFound);
}

TEST(ShardHostTest, ReadsThatNeverPauseDoNotPutAnExpiryOff) {
  HostCluster cluster(1);
  cluster.OpenVoters(1);
  Command put{CommandKind::kPut, {}, "k", "v", {}, 1000};
  Verdict(cluster.Write(put));
  const Instant end = cluster.executor().Now() + 1500ms;
  RpcResponse last;
  while (cluster.executor().Now() < end) {
    last = cluster.Get("k");
    cluster.executor().RunFor(20ms);
  }
  EXPECT_EQ(last.code, Errc::kNotFound);
}

// The next leader's wall clock is an hour fast.
TEST(ShardHostTest, Scenario27_AFastWallClockExpiresNothingAtALeaderChange) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Command put{CommandKind::kPut, {}, "k", "v", {}, 10'000};
  Verdict(cluster.Write(put));
  cluster.executor().RunFor(1s);
  cluster.executor().wall_jump_ms = 3'600'000;
  cluster.NodeOf(*cluster.AwaitLeader()).cut_off = true;
  cluster.executor().RunFor(3s);
  Verdict(cluster.Put("other", "v"));
  EXPECT_EQ(ValueOf(cluster.Get("k")), "v");
  cluster.executor().RunFor(7s);
  EXPECT_EQ(cluster.Get("k").code, Errc::kNotFound) << "but time goes on";
}

// It hears the others well, so that no election would relieve it (4731026336444).
TEST(ShardHostTest, ALeaderThatIsStalledForLongLetsAnotherLead) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  const ShardHost* old = cluster.AwaitLeader();
  HostNode& stalled = cluster.NodeOf(*old);
  stalled.disk->SetStalled(true);
  EXPECT_EQ(cluster.Put("k", "1").code, Errc::kBusy);
  cluster.executor().RunFor(10s);
  EXPECT_EQ(cluster.Leader(), old) << "nobody asked meanwhile, and it may have been well";
  const auto written = [&] { return cluster.Put("k", "2").code == Errc::kOk; };
  const Instant begun = cluster.executor().Now();
  while (!written() && cluster.executor().Now() - begun < 10s) cluster.executor().RunFor(100ms);
  EXPECT_GE(cluster.executor().Now() - begun, 2s) << "most stalls pass";
  EXPECT_LT(cluster.executor().Now() - begun, 4s);
  EXPECT_NE(cluster.Leader(), old);
}

TEST(ShardHostTest, AStalledEngineTurnsWritesAwayAndServesReads) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Verdict(cluster.Put("k", "before"));
  ShardHost* leader = cluster.AwaitLeader();
  HostNode& slow = cluster.node(static_cast<std::uint32_t>(leader->key().replica.value));
  slow.disk->SetStalled(true);
  EXPECT_EQ(cluster.Put("k", "during").code, Errc::kBusy);
  EXPECT_EQ(ValueOf(cluster.Get("k")), "before");
  cluster.executor().RunFor(2s);
  EXPECT_TRUE(leader->leading()) << "it is no reason to lose leadership";
  slow.disk->SetStalled(false);
  Verdict(cluster.Put("k", "after"));
}

TEST(ShardHostTest, AFlushThatMeetsTooManyOpenFilesIsMadeLater) {
  HostCluster cluster(1);
  cluster.OpenVoters(1);
  Verdict(cluster.Put("k", "v"));
  HostNode& node = cluster.node(1);
  node.disk->SetBusy(true);
  node.host->Flush();
  cluster.executor().RunFor(1s);
  EXPECT_FALSE(node.failure);
  node.disk->SetBusy(false);
  node.host->Flush();
  cluster.executor().RunFor(1s);
  node.Crash();
  node.OpenReplica(ReplicaId{1}, cluster.Genesis(1));
  EXPECT_EQ(ValueOf(cluster.Get("k")), "v");
}

TEST(ShardHostTest, Scenario17_FailedSyncSilencesTheReplicaForGood) {
  HostCluster cluster(3);
  cluster.OpenVoters(3);
  Verdict(cluster.Put("k", "v"));
  ShardHost* leader = cluster.Leader();
  HostNode& node = cluster.node(static_cast<std::uint32_t>(leader->key().replica.value));
  node.disk->FailSyncs();
  leader->Write(Command{CommandKind::kPut, {}, "k", "lost?", {}, 0}, [](RpcResponse) {});
  ASSERT_TRUE(cluster.executor().RunUntil([&] { return node.failure.has_value(); }));
  EXPECT_TRUE(node.host->closed());
  ASSERT_TRUE(cluster.executor().RunUntil([&] {
    ShardHost* next = cluster.Leader();
    return next && next != leader;
  }));
  Verdict(cluster.Put("k", "goes on"));
}

}  // namespace
}  // namespace decree::node
