#include "server/node/catalog.h"

#include <gtest/gtest.h>

#include "kv/store/mem_disk.h"

namespace decree::node {
namespace {

class CatalogTest : public testing::Test {
 protected:
  store::MemDisk disk_{store::MemDiskOptions{}};
  Catalog catalog_{disk_};
};

TEST_F(CatalogTest, FreshDiskKnowsNobody) {
  EXPECT_FALSE(catalog_.LoadIdentity()->has_value());
  EXPECT_TRUE(catalog_.LoadShells()->empty());
  EXPECT_FALSE(catalog_.LoadMap()->has_value());
  EXPECT_EQ(*catalog_.LoadTombstone(ShardId{1}), ReplicaId{});
}

TEST_F(CatalogTest, FactsSurvivePowerLoss) {
  const Identity identity{ClusterId{9}, NodeId{2}, 64, 3, true};
  ASSERT_TRUE(catalog_.SaveIdentity(identity));
  ReplicaShell shell;
  shell.key = {ShardId{7}, ReplicaId{3}};
  shell.move = MoveId{5};
  ASSERT_TRUE(catalog_.SaveShell(shell));
  ASSERT_TRUE(catalog_.SaveTombstone(ShardId{7}, ReplicaId{2}));
  const auto reborn = disk_.Crash(store::MemDiskOptions{});
  Catalog after(*reborn);
  EXPECT_EQ(**after.LoadIdentity(), identity);
  ASSERT_EQ(after.LoadShells()->size(), 1u);
  EXPECT_EQ(after.LoadShells()->front().key, shell.key);
  EXPECT_EQ(*after.LoadTombstone(ShardId{7}), ReplicaId{2});
}

TEST_F(CatalogTest, TombstonesOnlyRise) {
  ASSERT_TRUE(catalog_.SaveTombstone(ShardId{7}, ReplicaId{5}));
  ASSERT_TRUE(catalog_.SaveTombstone(ShardId{7}, ReplicaId{3}));
  EXPECT_EQ(*catalog_.LoadTombstone(ShardId{7}), ReplicaId{5});
}

TEST_F(CatalogTest, DamagedFactIsAnErrorThatNamesIt) {
  ASSERT_TRUE(disk_.PutMeta("identity", "\xff\xff garbage"));
  const auto loaded = catalog_.LoadIdentity();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error(), Errc::kCorruption);
  EXPECT_NE(loaded.error().detail().find("identity"), std::string::npos);
}

TEST_F(CatalogTest, DroppedShellStaysAway) {
  ReplicaShell shell;
  shell.key = {ShardId{7}, ReplicaId{3}};
  ASSERT_TRUE(catalog_.SaveShell(shell));
  ASSERT_TRUE(catalog_.DropShell(shell.key));
  EXPECT_TRUE(catalog_.LoadShells()->empty());
}

}  // namespace
}  // namespace decree::node
