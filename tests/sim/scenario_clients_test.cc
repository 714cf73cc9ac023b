// Scenarios of clients (tests/README.md) with whole nodes.
#include <algorithm>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class ClientScenarioTest : public ScenarioTest {
 protected:
  // A linearizable read at one node, as a peer with an old map asks for it: no redirection.
  std::optional<RpcResponse> ReadAt(MachineId at, ShardId shard, const std::string& key) {
    return cluster_->Ask(at, {Method::kRead, shard, 1000, Encode(ReadRequest{key})});
  }
};

// A new machine is filled by many snapshots at once, over links on which a snapshot's chunk takes
// its time, while clients write to all shards.
TEST_F(ClientScenarioTest, Scenario50_AFloodOfSnapshotsDelaysNoWriteForLongAndCausesNoElection) {
  ClusterOptions options;
  options.shards = 16;
  options.flush_bytes = 20'000;
  options.network.ordered = true;               // a link keeps the order, as TCP does
  options.network.nanos_per_kib = 4 * kMillis;  // a chunk takes longer than an election
  Form(3, options);
  for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
    for (int i = 0; i < 10; ++i) {
      const std::string key = cluster_->KeyOf(ShardId{shard}, "big" + std::to_string(i) + "-");
      ASSERT_EQ(cluster_->Put(1, key, std::string(40'000, 'b')).code, Errc::kOk);
    }
  }
  world_.RunFor(5 * kSeconds);  // what the links still carry of the large writes arrives
  std::size_t elections = 0;
  std::size_t snapshots = 0;
  cluster_->network().core_checker().on_step =
      [&](ReplicaKey key, const consensus::Replica& replica, const consensus::Output& output) {
        snapshots += output.snapshot.has_value() ? 1 : 0;
        if (!replica.config().IsVoter(key.replica)) return;
        for (const consensus::Outgoing& out : output.send) {
          elections += std::holds_alternative<consensus::PreVote>(out.message) ? 1 : 0;
        }
      };
  cluster_->Add();
  cluster_->Add();
  ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds));
  std::size_t writes = 0;
  Nanos slowest = 0;
  const auto moves_are_over = [&] {
    const auto facts = cluster_->Facts(1);
    return writes > 200 && facts && facts->moves_active + facts->under_replicated == 0;
  };
  for (const Nanos end = world_.now() + 120 * kSeconds; !moves_are_over();) {
    ASSERT_LT(world_.now(), end) << "the moves do not end";
    for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
      const Nanos begun = world_.now();
      const MachineId at = 1 + static_cast<MachineId>(writes % 3);
      ASSERT_EQ(cluster_->Put(at, cluster_->KeyOf(ShardId{shard}), "v").code, Errc::kOk);
      slowest = std::max(slowest, world_.now() - begun);
      ++writes;
    }
  }
  EXPECT_GT(snapshots, 16u);
  EXPECT_EQ(elections, 0u) << "a timer of a voter ran out";
  EXPECT_LT(slowest, 500 * kMillis);
  ExpectAllIsWell();
}

// A machine that heard nothing while a shard moved has the map of before: its clients are led on,
// and the replica that was removed answers no read.
TEST_F(ClientScenarioTest, Scenario48_AStaleMapIsRedirectedAndARemovedMemberServesNoRead) {
  Form(4);
  const std::string key = cluster_->KeyOf(ShardId{0});
  ASSERT_EQ(cluster_->Put(1, key, "old").code, Errc::kOk);
  const MachineId target = MachineWithout(0);
  const MachineId leader = AwaitLeader(0);
  MachineId source = 0;
  MachineId stale = 0;  // holds the shard, stays
  for (const consensus::Member& voter : VotersOf(0)) {
    if (voter.node.value == leader) continue;
    (source == 0 ? source : stale) = voter.node.value;
  }
  ASSERT_EQ(cluster_->Get(stale, key).read.value, "old") << "its door has the map";
  const std::string move = StartMove(0, source, target);
  ASSERT_TRUE(
      WaitUntil([&] { return StageOf(move) == "seal" || StageOf(move) == "done"; }, 30 * kSeconds));
  cluster_->network().CutBothWays({stale}, OthersThan(stale));
  ASSERT_TRUE(WaitUntil(
      [&] {
        const auto at = cluster_->Admin(leader, "GET", move);
        return at && at->body.find(R"("stage":"done")") != std::string::npos;
      },
      60 * kSeconds));
  ASSERT_EQ(cluster_->Put(target, key, "new", 5s).code, Errc::kOk);
  const auto removed = ReadAt(source, ShardId{0}, key);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->code, Errc::kStaleMap) << ErrcName(removed->code);
  cluster_->network().HealAll();
  const OperationResult led_on = cluster_->Get(stale, key, 5s);
  EXPECT_EQ(led_on.code, Errc::kOk) << led_on.detail;
  EXPECT_EQ(led_on.read.value, "new");
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
