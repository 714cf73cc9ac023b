// One link is broken for good, and everybody has a majority: leaders stay, and two of them that
// need each other cannot speak. What they ask goes round (server/node/relay.h).
#include <algorithm>

#include "server/node/node_rpc.h"
#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class BrokenLinkTest : public ScenarioTest {
 protected:
  void FormAndChoose() {
    ClusterOptions options;
    options.shards = 8;
    Form(5, options);
    placement_ = AwaitLeader(kPlacementShard.value);
    for (const auto& [shard, leader] : Leaders()) {
      if (leader != placement_ && MachineWithout(shard) != placement_) shard_ = shard;
    }
    leader_ = AwaitLeader(shard_);
    ASSERT_NE(leader_, placement_);
  }
  void BreakTheLink(bool there, bool back) {
    if (there) cluster_->network().CutForGood({{placement_, leader_}});
    if (back) cluster_->network().CutForGood({{leader_, placement_}});
  }
  // Some voter that does not lead.
  MachineId Source() {
    for (const consensus::Member& voter : VotersOf(shard_)) {
      const MachineId at = voter.node.value;
      if (at != leader_ && at != placement_) return at;
    }
    return 0;
  }
  void ExpectDone(const std::string& move) {
    EXPECT_TRUE(WaitUntil([&] { return StageOf(move) == "done"; }, 60 * kSeconds)) << StageOf(move);
    EXPECT_EQ(AwaitLeader(kPlacementShard.value), placement_);
    cluster_->network().HealForGood();
    ExpectAllIsWell();
  }

  MachineId placement_ = 0;
  MachineId leader_ = 0;
  std::uint32_t shard_ = 0;
};

TEST_F(BrokenLinkTest, AMoveEndsThoughWhoDrivesItDoesNotReachTheShardsLeader) {
  FormAndChoose();
  StartLoad();
  const std::string move = StartMove(shard_, Source(), MachineWithout(shard_));
  BreakTheLink(true, true);
  world_.RunFor(2 * kSeconds);
  StopLoad();
  ExpectDone(move);
}

TEST_F(BrokenLinkTest, AMoveEndsThoughNoAnswerOfTheShardsLeaderComesBack) {
  FormAndChoose();
  const std::string move = StartMove(shard_, Source(), MachineWithout(shard_));
  BreakTheLink(false, true);
  ExpectDone(move);
}

TEST_F(BrokenLinkTest, ACallGoesRoundOnceOnly) {
  Form(3);
  const node::RelayedCall inner{NodeId{3}, {Method::kGetMap, ShardId{0}, 1'000, ""}};
  const auto relayed = [](node::RelayedCall call) {
    return RpcRequest{Method::kRelay, ShardId{0}, 1'000, Encode(call)};
  };
  const auto answer = cluster_->Ask(2, relayed(inner));
  ASSERT_TRUE(answer && answer->code == Errc::kOk);
  EXPECT_EQ(answer->served_by, NodeId{3});
  const auto again = cluster_->Ask(2, relayed({NodeId{3}, relayed(inner)}));
  EXPECT_TRUE(again && again->code == Errc::kInvalidArgument);
  const auto malformed = cluster_->Ask(2, {Method::kRelay, ShardId{0}, 1'000, "?"});
  EXPECT_TRUE(malformed && malformed->code == Errc::kInvalidArgument);
}

TEST_F(BrokenLinkTest, ANodeWhoseReportsGoRoundIsNotTakenForDead) {
  FormAndChoose();
  Patch(R"({"dead_node_delay_s":5})");
  const std::map<std::string, std::uint64_t> moves = cluster_->MoveStages();
  BreakTheLink(true, true);
  for (int i = 0; i < 30; ++i) {
    world_.RunFor(1 * kSeconds);
    ASSERT_EQ(StateOf(leader_), "up") << "after " << i + 1 << " s";
  }
  EXPECT_EQ(cluster_->MoveStages(), moves) << "copies of a node that is well were replaced";
  cluster_->network().HealForGood();
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
