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
