#include "kv/api/shard_map.h"

#include <gtest/gtest.h>

#include <set>

#include "kv/base/check.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

TEST(HashedPartTest, IsTheFirstNonEmptyTag) {
  EXPECT_EQ(HashedPart("plain"), "plain");
  EXPECT_EQ(HashedPart("user:{42}:name"), "42");
  EXPECT_EQ(HashedPart("{a}{b}"), "a");
  EXPECT_EQ(HashedPart("{}{b}"), "b");
  EXPECT_EQ(HashedPart("{}"), "{}");
  EXPECT_EQ(HashedPart("{open"), "{open");
  EXPECT_EQ(HashedPart("}{x}"), "x");
  EXPECT_EQ(HashedPart("{{x}}"), "{x");
  EXPECT_EQ(HashedPart(std::string_view("{\0}", 3)), std::string_view("\0", 1));
}

TEST(ShardOfTest, TakesTheTopBitsOfTheHash) {
  for (const char* key : {"a", "b", "user:{42}:name", ""}) {
    const std::uint64_t hash = Hash64(HashedPart(key));
    EXPECT_EQ(ShardOf(key, 1), ShardId{0});
    EXPECT_EQ(ShardOf(key, 2).value, hash >> 63);
    EXPECT_EQ(ShardOf(key, 4096).value, hash >> 52);
  }
  EXPECT_EQ(ShardOf("{t}1", 4096), ShardOf("{t}2", 4096));
}

TEST(ShardOfTest, HashRangesCoverEveryHashOnce) {
  for (const std::uint32_t count : {1u, 2u, 64u, 4096u}) {
    EXPECT_EQ(HashStart(ShardId{0}, count), 0u);
    EXPECT_EQ(HashEnd(ShardId{count - 1}, count), UINT64_MAX);
    for (std::uint32_t shard = 1; shard < count; ++shard) {
      ASSERT_EQ(HashStart(ShardId{shard}, count), HashEnd(ShardId{shard - 1}, count) + 1);
    }
  }
}

TEST(ShardOfTest, KeysLieWithinTheRangeOfTheirShard) {
  std::set<ShardId> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const ShardId shard = ShardOf(key, 64);
    EXPECT_GE(Hash64(key), HashStart(shard, 64));
    EXPECT_LE(Hash64(key), HashEnd(shard, 64));
    seen.insert(shard);
  }
  EXPECT_EQ(seen.size(), 64u);
}

TEST(ShardOfTest, CountThatIsNoPowerOfTwoIsOurBug) {
  EXPECT_THROW(ShardOf("a", 3), CheckFailure);
  EXPECT_THROW(ShardOf("a", 0), CheckFailure);
}

TEST(ShardMapTest, FindsShardsPlacementAndAddresses) {
  ShardMap map;
  map.shards.resize(2);
  map.nodes = {{NodeId{3}, "h:1", "h:2"}};
  EXPECT_EQ(map.Find(ShardId{1}), &map.shards[1]);
  EXPECT_EQ(map.Find(ShardId{2}), nullptr);
  EXPECT_EQ(map.Find(kPlacementShard), &map.placement);
  ASSERT_NE(map.Address(NodeId{3}), nullptr);
  EXPECT_EQ(map.Address(NodeId{3})->rpc, "h:1");
  EXPECT_EQ(map.Address(NodeId{4}), nullptr);
}

}  // namespace
}  // namespace decree
