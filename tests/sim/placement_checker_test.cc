#include "tests/sim/placement_checker.h"

#include "tests/rebalance/placement_fixture.h"

namespace decree::sim {
namespace {

using rebalance::Stage;

class PlacementCheckerTest : public testing::Test {
 protected:
  PlacementCheckerTest() { two_ = cluster_.Join(2); }

  const consensus::Config* MembersOf(ShardId shard, Epoch epoch) {
    const auto known = members_.find({shard, epoch});
    return known != members_.end() ? &known->second : nullptr;
  }
  void Look() { Look(cluster_.state); }
  void Look(const rebalance::PlacementState& state) {
    checker_.Applied({kPlacementShard, ReplicaId{1}}, Slot{++applied_}, state,
                     [this](ShardId shard, Epoch epoch) { return MembersOf(shard, epoch); });
  }
  void Found() {
    consensus::Config first;
    first.epoch = Epoch{1};
    first.voters = {{ReplicaId{1}, NodeId{1}}};
    for (std::uint32_t shard = 0; shard < 4; ++shard) members_[{ShardId{shard}, Epoch{1}}] = first;
    members_[{kPlacementShard, Epoch{1}}] = first;
  }
  bool Broken(const std::string& why) const {
    for (const std::string& failure : world_.failures()) {
      if (failure.find(why) != std::string::npos) return true;
    }
    return false;
  }

  std::uint64_t applied_ = 0;
  World world_{1};
  PlacementChecker checker_{world_};
  rebalance::TestCluster cluster_;
  NodeId two_;
  std::map<std::pair<ShardId, Epoch>, consensus::Config> members_;
};

TEST_F(PlacementCheckerTest, AMoveGoesForwardOrBackBeforeItsSeal) {
  EXPECT_TRUE(CanComeFrom(Stage::kIntent, Stage::kAddLearner, false));
  EXPECT_TRUE(CanComeFrom(Stage::kIntent, Stage::kDone, false)) << "a snapshot skips stages";
  EXPECT_TRUE(CanComeFrom(Stage::kSeal, Stage::kRolledBack, false));
  EXPECT_FALSE(CanComeFrom(Stage::kActivate, Stage::kRolledBack, false));
  EXPECT_FALSE(CanComeFrom(Stage::kCatchUp, Stage::kSnapshot, false));
  EXPECT_FALSE(CanComeFrom(Stage::kDone, Stage::kCleanUp, false));
  EXPECT_FALSE(CanComeFrom(Stage::kRolledBack, Stage::kDone, false));
  EXPECT_FALSE(CanComeFrom(Stage::kPublish, Stage::kCleanUp, true));
  EXPECT_TRUE(CanComeFrom(Stage::kVerify, Stage::kPublish, true));
}

TEST_F(PlacementCheckerTest, RejectsAMoveThatGoesBack) {
  Found();
  cluster_.Do(cluster_.Intent(ShardId{2}, ReplicaId{1}, two_));
  const rebalance::PlacementState before = cluster_.state;
  cluster_.To(cluster_.state.moves().begin()->first, Stage::kAddLearner);
  Look();
  EXPECT_TRUE(world_.failures().empty());
  EXPECT_EQ(checker_.active().size(), 1u);
  Look(before);
  EXPECT_TRUE(Broken("went from add_learner to intent"));
}

TEST_F(PlacementCheckerTest, RejectsAMoveWhoseCopiesWereNotCompared) {
  Found();
  for (const std::string digest : {"d1", ""}) {
    cluster_.Do(cluster_.Intent(ShardId{digest.empty() ? 2u : 1u}, ReplicaId{1}, two_));
    const MoveId move = cluster_.state.moves().rbegin()->first;
    cluster_.Finish(move, digest);
    ASSERT_EQ(cluster_.state.Move(move)->stage, Stage::kDone);
    Look();
    EXPECT_EQ(Broken("move " + ToString(move) + " is done and its copies were never compared"),
              digest.empty());
  }
}

TEST_F(PlacementCheckerTest, ANewLifeMayApplyAgain) {
  Found();
  const rebalance::PlacementState before = cluster_.state;
  cluster_.Join(3);
  Look();
  checker_.Opened({kPlacementShard, ReplicaId{1}});
  Look(before);
  EXPECT_TRUE(world_.failures().empty());
  Look();
  Look(before);
  EXPECT_TRUE(Broken("the version of the shard map fell"));
}

TEST_F(PlacementCheckerTest, RejectsAnEpochThatNoReplicaHasReached) {
  Found();
  cluster_.Do(cluster_.Intent(ShardId{1}, ReplicaId{1}, two_));
  cluster_.Finish(cluster_.state.moves().rbegin()->first, "d1");
  Look();
  EXPECT_TRUE(Broken("shard 1: epoch 2 is published and no replica has got there"));
}

// The first epoch may be published while the founder's replicas open (seed 11369927210273).
TEST_F(PlacementCheckerTest, ComparesTheFirstEpochOnceItsReplicasAreOpen) {
  Look();
  EXPECT_TRUE(world_.failures().empty());
  Found();
  members_[{ShardId{3}, Epoch{1}}].voters = {{ReplicaId{5}, NodeId{1}}};
  Look();
  EXPECT_TRUE(Broken("shard 3: the map names other voters"));
}

TEST_F(PlacementCheckerTest, RejectsOtherVotersThanTheShardsLogNames) {
  Found();
  members_[{ShardId{3}, Epoch{1}}].voters = {{ReplicaId{5}, NodeId{1}}};
  Look();
  EXPECT_TRUE(Broken("shard 3: the map names other voters"));
}

}  // namespace
}  // namespace decree::sim
