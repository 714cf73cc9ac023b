#include "server/node/boot.h"

#include <gmock/gmock.h>

#include "node_world.h"

namespace decree::node {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class BootTest : public ::testing::Test {
 protected:
  bool Ready(WorldNode& node) {
    return world_.clock().RunUntil([&] { return node.core().ready(); }, 20s);
  }
  WorldNode& Founder(std::size_t disks = 1) {
    WorldNode& node = world_.Add("a:1", disks);
    node.Start();
    EXPECT_TRUE(Ready(node));
    return node;
  }
  WorldNode& Joiner(const std::string& address, std::size_t disks = 1) {
    WorldNode& node = world_.Add(address, disks);
    node.config.join = {"a:1"};
    node.Start();
    EXPECT_TRUE(Ready(node));
    return node;
  }
  bool HasReplica(WorldNode& node, ReplicaKey key) {
    const RpcResponse response =
        world_.Ask(node, Method::kReplicaStatus, key.shard, Encode(StatusRequest{key}));
    return Decode<rebalance::ReplicaStatus>(response.body)->exists;
  }

  NodeWorld world_;
};

// ---- founding and joining ----

TEST_F(BootTest, AFounderCutOffBeforeItWasAnybodyJoinsLikeAnEmptyNode) {
  Founder();
  WorldNode& late = world_.Add("b:1");
  consensus::Config alone;
  alone.epoch = Epoch{1};
  alone.start = Slot{1};
  alone.voters = {{ReplicaId{1}, NodeId{1}}};
  for (const ShardId shard : {kPlacementShard, ShardId{0}, ShardId{1}}) {
    ASSERT_TRUE(Catalog(late.disk(0)).SaveShell({{shard, ReplicaId{1}}, alone, {}}));
    ASSERT_TRUE(late.disk(0).OpenRows({shard, ReplicaId{1}}));
  }
  late.config.join = {"a:1"};
  late.Start();
  ASSERT_TRUE(Ready(late));
  EXPECT_FALSE(HasReplica(late, {ShardId{0}, ReplicaId{1}}));
  EXPECT_FALSE(HasReplica(late, {kPlacementShard, ReplicaId{1}}));
}

TEST_F(BootTest, ANewDiskWithTheRemainsOfAnotherFoundingIsAdoptedEmpty) {
  WorldNode& node = Founder(2);
  node.Kill();
  node.ReplaceDisk(1, world_.NextIncarnation());
  consensus::Config alone;
  alone.epoch = Epoch{1};
  alone.start = Slot{1};
  alone.voters = {{ReplicaId{1}, NodeId{1}}};
  ASSERT_TRUE(Catalog(node.disk(1)).SaveShell({{ShardId{1}, ReplicaId{1}}, alone, {}}));
  node.Start();
  ASSERT_TRUE(Ready(node));
  EXPECT_FALSE(HasReplica(node, {ShardId{1}, ReplicaId{1}}));
}

// ---- --bootstrap-expect ----

class GatherTest : public BootTest {
 protected:
  // Advertised as 127.0.0.1:N, reached as localhost:N too.
  WorldNode& Gatherer(int number, std::vector<std::string> join, std::uint32_t expect = 3) {
    const std::string port = std::to_string(number);
    WorldNode& node = world_.Add("127.0.0.1:" + port);
    world_.Spell("localhost:" + port, node);
    node.config.join = std::move(join);
    node.config.bootstrap_expect = expect;
    node.Start();
    return node;
  }
};

TEST_F(GatherTest, OneClusterIsFoundedHoweverTheAddressesAreSpelled) {
  const std::vector<std::string> join = {"localhost:1", "localhost:2", "localhost:3"};
  WorldNode& one = Gatherer(1, join);
  WorldNode& two = Gatherer(2, join);
  WorldNode& three = Gatherer(3, join);
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_EQ(one.core().cluster(), two.core().cluster());
  EXPECT_EQ(one.core().cluster(), three.core().cluster());
  EXPECT_EQ(one.core().id(), NodeId{1}) << "the lowest address founds";
}

TEST_F(GatherTest, ANodeWithTwoSpellingsCountsOnce) {
  const std::vector<std::string> join = {"localhost:1", "127.0.0.1:1", "localhost:2", "127.0.0.1:2",
                                         "localhost:3"};
  WorldNode& one = Gatherer(1, join);
  WorldNode& two = Gatherer(2, join);
  world_.clock().RunFor(5s);
  EXPECT_FALSE(one.core().cluster());
  EXPECT_FALSE(two.core().cluster());
  WorldNode& three = Gatherer(3, join);
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_EQ(three.core().cluster(), one.core().cluster());
  EXPECT_EQ(three.core().cluster(), two.core().cluster());
}

TEST_F(GatherTest, ANodeThatKnowsOnlyItselfSaysWhatItWaitsFor) {
  WorldNode& one = Gatherer(1, {"localhost:1"});
  world_.clock().RunFor(5s);
  EXPECT_FALSE(one.core().ready());
  EXPECT_THAT(one.log, Contains(HasSubstr("1 of 3 nodes")));
  one.Stop();
  EXPECT_TRUE(world_.clock().RunUntil([&] { return one.started.has_value(); }));
}

TEST_F(GatherTest, OneNodeIsEnoughIfOneIsExpected) {
  EXPECT_TRUE(Ready(Gatherer(1, {"localhost:1"}, 1)));
}

TEST_F(GatherTest, ALateNodeJoinsTheClusterThatItFinds) {
  const std::vector<std::string> join = {"localhost:2", "localhost:3"};
  WorldNode& two = Gatherer(2, join, 2);
  WorldNode& three = Gatherer(3, join, 2);
  ASSERT_TRUE(world_.RunUntilReady());
  WorldNode& lowest = Gatherer(1, join, 2);
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_EQ(lowest.core().cluster(), two.core().cluster());
  EXPECT_EQ(three.core().cluster(), two.core().cluster());
}

// ---- coming back ----

TEST_F(BootTest, ANodeWhoseFirstDiskWasReplacedServesFromTheOthers) {
  Founder();
  WorldNode& node = Joiner("b:1", 2);
  const NodeId id = node.core().id();
  node.Kill();
  node.ReplaceDisk(0, world_.NextIncarnation());
  node.config.join.clear();
  node.Start();
  ASSERT_TRUE(Ready(node));
  EXPECT_EQ(node.core().id(), id);
}

TEST_F(BootTest, ANodeWithoutAMapAsksTheAddressesToJoin) {
  Founder();
  WorldNode& node = Joiner("b:1");
  node.Kill();
  ASSERT_TRUE(node.disk(0).DeleteMeta("map"));
  node.Start();
  EXPECT_TRUE(Ready(node));
}

TEST_F(BootTest, ANodeWithoutAMapAndWithoutAnAddressSaysSo) {
  Founder();
  WorldNode& node = Joiner("b:1");
  node.Kill();
  ASSERT_TRUE(node.disk(0).DeleteMeta("map"));
  node.config.join.clear();
  node.Start();
  ASSERT_TRUE(world_.clock().RunUntil([&] { return node.started.has_value(); }));
  ASSERT_FALSE(*node.started);
  EXPECT_THAT(node.started->error().detail(), HasSubstr("--join"));
}

TEST_F(BootTest, NodesThatAllChangedTheirAddressesFindEachOther) {
  std::vector<WorldNode*> nodes = {&Founder(), &Joiner("b:1"), &Joiner("c:1")};
  ASSERT_TRUE(world_.clock().RunUntil(
      [&] {
        const std::string facts = world_.Admin(*nodes[0], "GET", "cluster").body;
        return facts.find(R"("shards_under_replicated":0)") != std::string::npos &&
               facts.find(R"("moves_active":0)") != std::string::npos;
      },
      60s));
  for (WorldNode* node : nodes) node->Kill();
  for (const char* old : {"a:1", "b:1", "c:1"}) world_.Unspell(old);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::string address = "new:" + std::to_string(i);
    world_.Spell(address, *nodes[i]);
    nodes[i]->config.advertise_rpc = address;
    nodes[i]->config.join = {"new:0", "new:1", "new:2"};
  }
  for (WorldNode* node : nodes) node->Start();
  ASSERT_TRUE(world_.RunUntilReady());
  world_.clock().RunFor(10s);
  for (WorldNode* node : nodes) EXPECT_EQ(world_.Put(*node, "k", "v").code, Errc::kOk);
  EXPECT_THAT(world_.Admin(*nodes[0], "GET", "nodes").body, HasSubstr("new:2"));
}

class ThreeNodesTest : public BootTest {
 protected:
  // The third one, with every shard in three copies and some values in them.
  WorldNode& Form(std::size_t disks) {
    founder_ = &Founder();
    Joiner("b:1");
    WorldNode& third = Joiner("c:1", disks);
    EXPECT_TRUE(world_.clock().RunUntil([&] { return Settled(); }, 60s));
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(world_.Put(*founder_, "k" + std::to_string(i), "v").code, Errc::kOk);
    }
    world_.Admin(*founder_, "PATCH", "settings", R"({"dead_node_delay_s":15})");
    return third;
  }
  bool Settled() {
    const std::string facts = world_.Admin(*founder_, "GET", "cluster").body;
    return facts.find(R"("shards_under_replicated":0)") != std::string::npos &&
           facts.find(R"("moves_active":0)") != std::string::npos;
  }
  // Neither the map nor a message brings a replica of these ids back.
  void ExpectNoneAnswers(WorldNode& node, NodeId as, const std::vector<ReplicaKey>& replicas) {
    for (const ReplicaKey& key : replicas) {
      EXPECT_FALSE(HasReplica(node, key)) << "shard " << key.shard.value;
      consensus::Envelope prepare;
      prepare.shard = key.shard;
      prepare.from = {ReplicaId{1}, NodeId{1}};
      prepare.to = {key.replica, as};
      prepare.message = consensus::Prepare{consensus::Ballot{Epoch{9}, 1, ReplicaId{1}}, Slot{1}};
      node.core().OnEnvelopes({prepare});
      EXPECT_FALSE(HasReplica(node, key)) << "shard " << key.shard.value;
    }
  }
  // Every shard of `lost` has a copy on the disk again, under an id that was never used.
  void ExpectFreshIds(WorldNode& node, std::size_t disk, const std::vector<ReplicaKey>& lost) {
    const auto now = [&] { return *node.disk(disk).ListRows(); };
    const auto is_fresh = [&](const ReplicaKey& old) {
      const auto rows = now();
      return std::any_of(rows.begin(), rows.end(), [&](const ReplicaKey& key) {
        return key.shard == old.shard && key.replica > old.replica;
      });
    };
    EXPECT_TRUE(world_.clock().RunUntil(
        [&] { return std::all_of(lost.begin(), lost.end(), is_fresh) && Settled(); }, 120s));
    for (const ReplicaKey& old : lost) {
      EXPECT_TRUE(is_fresh(old)) << "shard " << old.shard.value;
      EXPECT_THAT(now(), ::testing::Not(Contains(old)));
    }
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(world_.Get(node, "k" + std::to_string(i)).read.value, "v");
    }
  }
  WorldNode* founder_ = nullptr;
};

// An empty disk at a known address is a new node: a vote under the old ids would be the second one
// of a replica that may have voted already.
TEST_F(ThreeNodesTest, Scenario41_AWipedNodeAtItsOldAddressIsNotReadmittedUnderItsOldIds) {
  WorldNode& wiped = Form(1);
  const NodeId old_id = wiped.core().id();
  const std::vector<ReplicaKey> old_replicas = *wiped.disk(0).ListRows();
  ASSERT_EQ(old_replicas.size(), 5u) << "four shards and the placement group";
  wiped.Kill();
  wiped.ReplaceDisk(0, world_.NextIncarnation());
  wiped.Start();
  ASSERT_TRUE(Ready(wiped));
  EXPECT_NE(wiped.core().id(), old_id);
  ExpectNoneAnswers(wiped, old_id, old_replicas);
  ExpectFreshIds(wiped, 0, old_replicas);
}

// That the log refuses to open with a flipped bit is shown in tests/store/log_recovery_test.cc.
TEST_F(ThreeNodesTest, Scenario19_ReplicasWhoseVotesDoNotReadAbstainAndComeBackUnderNewIds) {
  WorldNode& node = Form(2);
  const std::vector<ReplicaKey> damaged = *node.disk(1).ListRows();
  ASSERT_FALSE(damaged.empty());
  node.Kill();
  node.unreadable = {1};
  node.Start();
  ASSERT_TRUE(Ready(node));
  ExpectNoneAnswers(node, node.core().id(), damaged);
  EXPECT_EQ(world_.Put(node, "k0", "v").code, Errc::kOk) << "the others are a quorum";
  ExpectFreshIds(node, 0, damaged);
}

// ---- disks that are missing ----

TEST_F(BootTest, ANewNodeDoesNotStartWithADiskThatDoesNotOpen) {
  WorldNode& node = world_.Add("a:1");
  node.config.lost_disk = Error(Errc::kIo, "/d2: no such device");
  node.Start();
  ASSERT_TRUE(world_.clock().RunUntil([&] { return node.started.has_value(); }));
  ASSERT_FALSE(*node.started);
  EXPECT_THAT(node.started->error().detail(), HasSubstr("/d2"));
}

TEST_F(BootTest, ANodeThatServedBeforeStartsWithoutTheDiskThatDoesNotOpen) {
  WorldNode& node = Founder();
  node.Kill();
  node.config.lost_disk = Error(Errc::kIo, "/d2: no such device");
  node.Start();
  EXPECT_TRUE(Ready(node));
}

}  // namespace
}  // namespace decree::node
