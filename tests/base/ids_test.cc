#include "kv/base/ids.h"

#include <gtest/gtest.h>

namespace decree {
namespace {

TEST(IdsTest, ReplicaKeysReadAsShardAndReplica) {
  EXPECT_EQ(ToString(ReplicaKey{ShardId{7}, ReplicaId{3}}), "7/3");
  EXPECT_EQ(ToString(ReplicaKey{kPlacementShard, ReplicaId{1}}), "placement/1");
}

}  // namespace
}  // namespace decree
