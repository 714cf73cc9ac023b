// One plan for a cluster of a thousand nodes and 100,000 shards of three copies, as the placement
// leader makes it (up to 256 moves) and whole.
#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kv/base/check.h"
#include "kv/base/random.h"
#include "rebalance/planner.h"
#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

constexpr std::uint32_t kNodes = 1'000;
constexpr std::uint32_t kShards = 100'000;
constexpr std::uint32_t kCopies = 3;
constexpr std::size_t kOfTheLeader = 256;
constexpr std::size_t kWhole = 1'000'000;

enum Case : std::int64_t { kAtRest, kNewNode, kDeadNode, kScattered };

NodeRecord MakeNode(std::uint32_t number) {
  NodeRecord node;
  node.rpc = "host-" + std::to_string(number) + ":4740";
  node.zone = std::string(1, static_cast<char>('a' + number % 5));
  node.disks.push_back({Incarnation{number}, "/disk", std::uint64_t{1} << 40, DiskState::kOk});
  return node;
}

// A state whose shards lie where `node_of(shard, copy)` says, built from its rows.
template <class NodeOf>
PlacementState MakeState(std::uint32_t nodes, NodeOf node_of) {
  PlacementState founded;
  std::uint64_t slot = 0;
  Bootstrap bootstrap;
  bootstrap.cluster = ClusterId{1};
  bootstrap.shards = 1;
  bootstrap.first = MakeNode(1);
  founded.Apply(Slot{++slot}, 1, {NodeId{1}, bootstrap});
  for (std::uint32_t node = 2; node <= nodes; ++node) {
    founded.Apply(Slot{++slot}, 1, {NodeId{1}, RegisterNode{MakeNode(node)}});
  }
  std::map<std::string, std::string> rows;
  for (const auto& [key, value] : founded.TakeChangedRows()) rows[key] = *value;
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    ShardRecord record;
    record.entry.epoch = Epoch{1};
    record.last_replica = ReplicaId{kCopies};
    for (std::uint32_t copy = 0; copy < kCopies; ++copy) {
      const std::uint32_t node = node_of(shard, copy);
      record.entry.replicas.push_back({ReplicaId{copy + 1}, NodeId{node}, Incarnation{node}, true});
    }
    rows[RowKey(ShardId{shard})] = Encode(record);
  }
  Result<PlacementState> state = PlacementState::FromRows({rows.begin(), rows.end()});
  DECREE_CHECK(state);
  return std::move(*state);
}

PlacementState StateOf(std::int64_t kind) {
  // Copies on neighbours, which lie in different zones.
  const auto even = [](std::uint32_t shard, std::uint32_t copy) {
    return 1 + (shard * kCopies + copy) % kNodes;
  };
  if (kind != kScattered) return MakeState(kind == kNewNode ? kNodes + 1 : kNodes, even);
  Random random(1);
  std::uint32_t first = 0;
  return MakeState(kNodes, [&](std::uint32_t, std::uint32_t copy) {
    if (copy == 0) first = static_cast<std::uint32_t>(random.Below(kNodes));
    return 1 + (first + copy) % kNodes;
  });
}

ClusterView ViewOf(const PlacementState& state, std::int64_t kind) {
  ClusterView view;
  view.state = &state;
  for (const auto& [id, node] : state.nodes()) view.alive[id] = true;
  for (std::uint32_t i = 0; i < kShards; ++i) {
    const auto& replicas = state.shards()[i].entry.replicas;
    view.loads[ShardId{i}] = {std::uint64_t{64} << 20, 10, replicas[i % kCopies].node};
  }
  if (kind == kDeadNode) view.alive[NodeId{7}] = false;
  if (kind == kDeadNode) view.dead_for_good[NodeId{7}] = true;
  return view;
}

void PlanOf(benchmark::State& state) {
  const PlacementState placement = StateOf(state.range(0));
  const ClusterView view = ViewOf(placement, state.range(0));
  const std::size_t limit = state.range(1) != 0 ? kWhole : kOfTheLeader;
  std::size_t moves = 0;
  for (auto _ : state) moves = MakePlan(view, limit).moves.size();
  state.counters["moves"] = static_cast<double>(moves);
}
BENCHMARK(PlanOf)
    ->ArgNames({"case", "whole"})
    ->ArgsProduct({{kAtRest, kNewNode, kDeadNode, kScattered}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace decree::rebalance
