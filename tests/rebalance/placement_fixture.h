// A placement state under test: applies commands at consecutive slots and keeps the stored rows
// beside it, as the placement machine does.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rebalance/placement.h"

namespace decree::rebalance {

inline NodeRecord MakeNode(std::uint64_t incarnation, std::size_t disks = 1,
                           std::string zone = {}) {
  NodeRecord node;
  node.rpc = "host-" + std::to_string(incarnation) + ":4740";
  node.http = "host-" + std::to_string(incarnation) + ":4780";
  node.zone = std::move(zone);
  for (std::size_t i = 0; i < disks; ++i) {
    node.disks.push_back(
        {Incarnation{incarnation * 100 + i}, "/disk", std::uint64_t{1} << 40, DiskState::kOk});
  }
  return node;
}

class TestCluster {
 public:
  explicit TestCluster(std::uint32_t shards = 4, std::uint32_t replicas = 3) {
    Bootstrap bootstrap;
    bootstrap.cluster = ClusterId{77};
    bootstrap.shards = shards;
    bootstrap.replicas = replicas;
    bootstrap.first = MakeNode(1);
    Do(bootstrap);
  }

  CommandResult Do(PlacementChange change) {
    const PlacementCommand command{NodeId{1}, std::move(change)};
    slot_ = slot_.Next();
    CommandResult result = state.Apply(slot_, 1000 + slot_.value, command);
    Store();
    return result;
  }
  void Store() {
    for (auto& [key, value] : state.TakeChangedRows()) {
      if (value) {
        rows[key] = *value;
      } else {
        rows.erase(key);
      }
    }
  }
  // Everything but the audit log: what a repeated command must not change.
  std::map<std::string, std::string> RowsWithoutDecrees() const {
    std::map<std::string, std::string> kept = rows;
    std::erase_if(kept, [](const auto& row) { return row.first.starts_with("pd"); });
    return kept;
  }

  NodeId Join(std::uint64_t incarnation, std::size_t disks = 1, std::string zone = {}) {
    const CommandResult result = Do(RegisterNode{MakeNode(incarnation, disks, std::move(zone))});
    EXPECT_EQ(result.code, Errc::kOk) << result.detail;
    return NodeId{static_cast<std::uint32_t>(result.version)};
  }
  StartMove Intent(ShardId shard, ReplicaId source, NodeId to) const {
    StartMove start;
    start.shard = shard;
    start.epoch = state.Shard(shard)->entry.epoch;
    start.source = source;
    start.to = to;
    return start;
  }
  CommandResult To(MoveId move, Stage stage, std::string note = {},
                   std::optional<consensus::Config> members = {}) {
    AdvanceMove advance;
    advance.move = move;
    advance.stage = stage;
    advance.note = std::move(note);
    advance.members = std::move(members);
    return Do(advance);
  }
  // Carries a move to its end, as its shard's log would let it.
  void Finish(MoveId id, const std::string& digest = "d1") {
    const MoveRecord move = *state.Move(id);
    std::vector<Stage> stages = {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp,
                                 Stage::kVerify,     Stage::kSeal,     Stage::kActivate};
    for (const Stage stage : stages) {
      EXPECT_EQ(To(id, stage, stage == Stage::kSeal ? digest : "").code, Errc::kOk);
    }
    consensus::Config config = ConfigOf(move.shard);
    config.epoch = config.epoch.Next();
    std::erase_if(config.voters, [&](const auto& m) { return m.id == move.source.replica; });
    config.voters.push_back({move.target.replica, move.target.node});
    EXPECT_EQ(To(id, Stage::kPublish, {}, config).code, Errc::kOk);
    if (move.source.replica) {
      EXPECT_EQ(To(id, Stage::kCleanUp).code, Errc::kOk);
    }
    EXPECT_EQ(To(id, Stage::kDone).code, Errc::kOk);
  }
  consensus::Config ConfigOf(ShardId shard) const {
    consensus::Config config;
    const ShardEntry& entry = state.Shard(shard)->entry;
    config.epoch = entry.epoch;
    for (const ReplicaPlace& place : entry.replicas) {
      (place.voter ? config.voters : config.learners).push_back({place.replica, place.node});
    }
    return config;
  }
  const DecreeRecord& LastDecree() const { return state.decrees().rbegin()->second; }

  PlacementState state;
  std::map<std::string, std::string> rows;

 private:
  Slot slot_;
};

}  // namespace decree::rebalance
