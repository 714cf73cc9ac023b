#include "tests/sim/atlas.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

class AtlasTest : public testing::Test {
 protected:
  // A replica of the shard comes up with these voters, one a node; whether EpochStart is chosen.
  void Members(std::uint32_t shard, std::uint64_t epoch, std::vector<std::uint32_t> nodes,
               bool begun = true) {
    consensus::Recovered recovered;
    recovered.config.epoch = Epoch{epoch};
    recovered.config.start = Slot{10 * epoch};
    recovered.applied = Slot{10 * epoch - (begun ? 0 : 1)};
    for (const std::uint32_t node : nodes) {
      recovered.config.voters.push_back({ReplicaId{node}, NodeId{node}});
    }
    const ReplicaId self = recovered.config.voters.front().id;
    const consensus::Replica replica(self, recovered, {}, 1, Instant{});
    atlas_.Note(ShardId{shard}, replica);
  }

  Atlas atlas_;
};

TEST_F(AtlasTest, NothingMayBeLostWhileAShardHasOneVoter) {
  Members(0, 1, {1});
  EXPECT_FALSE(atlas_.MayLose(NodeId{1}));
  EXPECT_FALSE(atlas_.MayLose(NodeId{2}));
}

TEST_F(AtlasTest, OneCopyOfThreeMayBeLostIfThatIsSoInEveryShard) {
  Members(0, 1, {1, 2, 3});
  EXPECT_TRUE(atlas_.MayLose(NodeId{1}));
  Members(1, 1, {1});
  EXPECT_FALSE(atlas_.MayLose(NodeId{1}));
}

TEST_F(AtlasTest, TheNextLossWaitsUntilTheLostCopyIsNoMemberAnyMore) {
  Members(0, 1, {1, 2, 3});
  atlas_.Lost(NodeId{1});
  EXPECT_FALSE(atlas_.MayLose(NodeId{2}));
  Members(0, 2, {2, 3, 4}, false);
  EXPECT_FALSE(atlas_.Repaired()) << "who chose the Seal may still be needed";
  Members(0, 2, {2, 3, 4});
  EXPECT_TRUE(atlas_.Repaired());
  Members(0, 1, {1, 2, 3});  // somebody who lags says nothing new
  EXPECT_TRUE(atlas_.MayLose(NodeId{2}));
}

}  // namespace
}  // namespace decree::sim
