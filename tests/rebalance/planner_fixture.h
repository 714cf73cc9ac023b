// A cluster view for planner tests, and what applying a plan makes of it.
#pragma once

#include <algorithm>

#include "placement_fixture.h"
#include "rebalance/plan_sim.h"

namespace decree::rebalance {

class PlannedCluster : public TestCluster {
 public:
  explicit PlannedCluster(std::uint32_t shards = 16, std::uint32_t replicas = 3)
      : TestCluster(shards, replicas) {
    for (std::uint32_t i = 0; i < shards; ++i) {
      view.loads[ShardId{i}] = {std::uint64_t{1} << 20, 0, NodeId{1}};
    }
  }

  ClusterView& Look() {
    view.state = &state;
    for (const auto& [id, node] : state.nodes()) {
      if (!view.alive.contains(id)) view.alive[id] = true;
    }
    return view;
  }
  Plan MakeIt(std::size_t limit = 100'000) { return MakePlan(Look(), limit); }

  // Carries one planned move to its end in the state, as a Seal with all learners caught up would.
  // False if the state refuses its intent.
  bool Run(const PlannedMove& planned) {
    StartMove start = planned.start;
    start.epoch = state.Shard(start.shard)->entry.epoch;
    const CommandResult started = Do(start);
    EXPECT_EQ(started.code, Errc::kOk) << started.detail;
    if (started.code != Errc::kOk) return false;
    const MoveRecord move = *state.Move(MoveId{started.version});
    const consensus::Config config = MembersAfter(state, move);
    for (const Stage stage : {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify,
                              Stage::kSeal, Stage::kActivate}) {
      if (IsLegalSuccessor(*state.Move(move.id), stage)) To(move.id, stage);
    }
    EXPECT_EQ(To(move.id, Stage::kPublish, {}, config).code, Errc::kOk);
    if (move.source.replica) To(move.id, Stage::kCleanUp);
    EXPECT_EQ(To(move.id, Stage::kDone).code, Errc::kOk);
    return true;
  }
  bool RunAll(const Plan& plan) {
    return std::all_of(plan.moves.begin(), plan.moves.end(),
                       [this](const PlannedMove& move) { return Run(move); });
  }
  // Plans and runs until nothing is planned; the number of rounds, or -1 if it does not end.
  int Settle(int rounds = 10) {
    for (int i = 0; i < rounds; ++i) {
      const Plan plan = MakeIt();
      if (plan.moves.empty()) return i;
      if (!RunAll(plan)) return -1;
    }
    return -1;
  }
  std::size_t CopiesOn(NodeId node) const {
    std::size_t copies = 0;
    for (const ShardRecord& shard : state.shards()) {
      for (const ReplicaPlace& place : shard.entry.replicas) copies += place.node == node;
    }
    return copies;
  }

  ClusterView view;
};

}  // namespace decree::rebalance
