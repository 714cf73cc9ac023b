#include "kv/base/random.h"
#include "placement_fixture.h"

namespace decree::rebalance {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

PlacementChange RandomChange(Random& random, const TestCluster& cluster) {
  const ShardId shard =
      random.Chance(0.1) ? kPlacementShard : ShardId{static_cast<std::uint32_t>(random.Below(4))};
  const MoveId move{random.Below(12)};
  switch (random.Below(9)) {
    case 8: {
      ApprovePlan plan{random.Next(), {}};
      for (std::uint32_t i = 0; i < random.Below(4); ++i) {
        plan.moves.push_back(cluster.Intent(ShardId{i}, ReplicaId{1}, NodeId{2}));
      }
      return plan;
    }
    case 0:
      return RegisterNode{MakeNode(1 + random.Below(6), 1 + random.Below(2))};
    case 1:
      return SetNodeState{NodeId{static_cast<std::uint32_t>(random.Below(7))},
                          static_cast<NodeState>(random.Below(5)), "because"};
    case 2:
    case 3: {
      StartMove start = cluster.Intent(shard, ReplicaId{random.Below(4)},
                                       NodeId{static_cast<std::uint32_t>(random.Below(7))});
      start.reason = "random";
      return start;
    }
    case 4:
      return CancelMove{move, "random"};
    case 5:
      return ChangeSettings{.replicas = static_cast<std::uint32_t>(random.Below(7))};
    default: {
      AdvanceMove advance;
      advance.move = move;
      advance.stage = static_cast<Stage>(random.Below(11));
      const MoveRecord* record = cluster.state.Move(move);
      if (record && !IsFinal(record->stage) && random.Chance(0.7)) {
        advance.stage = static_cast<Stage>(static_cast<int>(record->stage) + 1);
        advance.members = cluster.ConfigOf(record->shard);
        advance.members->epoch = advance.members->epoch.Next();
        advance.members->voters.push_back({record->target.replica, record->target.node});
      }
      return advance;
    }
  }
}

TEST(PlacementRowsTest, RowsRebuildTheSameStateAfterAnyCommands) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    TestCluster cluster;
    for (int i = 0; i < 300; ++i) cluster.Do(RandomChange(random, cluster));
    const Rows rows(cluster.rows.begin(), cluster.rows.end());
    for (const auto& [key, value] : rows) EXPECT_EQ(key[0], 'p');
    auto reborn = PlacementState::FromRows(rows);
    ASSERT_TRUE(reborn) << reborn.error().ToString();
    EXPECT_EQ(Encode(reborn->Map()), Encode(cluster.state.Map()));
    EXPECT_EQ(Encode(reborn->nodes()), Encode(cluster.state.nodes()));
    EXPECT_EQ(Encode(reborn->moves()), Encode(cluster.state.moves()));
    EXPECT_EQ(Encode(reborn->decrees()), Encode(cluster.state.decrees()));
    EXPECT_EQ(Encode(reborn->shards()), Encode(cluster.state.shards()));
    EXPECT_EQ(reborn->settings(), cluster.state.settings());
    EXPECT_EQ(reborn->approved(), cluster.state.approved());
    EXPECT_EQ(reborn->ActiveMoves().size(), cluster.state.ActiveMoves().size());
    EXPECT_TRUE(reborn->TakeChangedRows().empty());
    // And both go on alike.
    TestCluster copy;
    copy.state = *reborn;
    copy.rows = cluster.rows;
    for (int i = 0; i < 50; ++i) {
      const PlacementCommand command{NodeId{2}, RandomChange(random, cluster)};
      const Slot slot{10'000 + static_cast<std::uint64_t>(i)};
      EXPECT_EQ(Encode(cluster.state.Apply(slot, 5, command)),
                Encode(copy.state.Apply(slot, 5, command)));
    }
    cluster.Store();
    copy.Store();
    EXPECT_EQ(cluster.rows, copy.rows);
  }
}

TEST(PlacementRowsTest, CommandsOfOneSlotHaveARecordEach) {
  TestCluster cluster;
  const std::size_t before = cluster.state.decrees().size();
  for (int i = 0; i < 3; ++i) {
    cluster.state.Apply(Slot{50}, 1, {NodeId{1}, CancelMove{MoveId{9}, ""}});
  }
  EXPECT_EQ(cluster.state.decrees().size(), before + 3);
  EXPECT_EQ(cluster.state.decrees().rbegin()->first, (DecreeKey{50, 2}));
}

TEST(PlacementRowsTest, AMangledRowIsCorruption) {
  TestCluster cluster;
  for (const auto& [key, value] : cluster.rows) {
    Rows rows(cluster.rows.begin(), cluster.rows.end());
    for (auto& row : rows) {
      if (row.first == key) row.second.pop_back();
    }
    EXPECT_EQ(PlacementState::FromRows(rows).error(), Errc::kCorruption) << key;
  }
  EXPECT_EQ(PlacementState::FromRows({{"px", "?"}}).error(), Errc::kCorruption);
  EXPECT_EQ(PlacementState::FromRows({{"pn", ""}}).error(), Errc::kCorruption);
  EXPECT_TRUE(PlacementState::FromRows({}));
}

TEST(PlacementRowsTest, AMissingShardRowIsCorruption) {
  TestCluster cluster;
  Rows rows;
  for (const auto& row : cluster.rows) {
    if (row.first != std::string("ps\0\0\0\1", 6)) rows.push_back(row);
  }
  ASSERT_EQ(rows.size() + 1, cluster.rows.size());
  EXPECT_EQ(PlacementState::FromRows(rows).error(), Errc::kCorruption);
}

TEST(PlacementRowsTest, TheAuditLogIsBounded) {
  TestCluster cluster;
  for (std::size_t i = 0; i < kKeptDecrees + 10; ++i) cluster.Do(CancelMove{MoveId{1}, ""});
  EXPECT_EQ(cluster.state.decrees().size(), kKeptDecrees);
  std::size_t rows = 0;
  for (const auto& [key, value] : cluster.rows) rows += key.starts_with("pd");
  EXPECT_EQ(rows, kKeptDecrees);
}

}  // namespace
}  // namespace decree::rebalance
