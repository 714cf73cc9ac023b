#include "server/node/admin_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <utility>
#include <vector>

namespace decree::node {
namespace {

namespace json = boost::json;
using rebalance::NodeState;

std::string Hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  return text;
}

bool LeadsSomething(const AdminView& view, NodeId node) {
  const auto heard = view.leader.heard().find(node);
  if (heard == view.leader.heard().end()) return false;
  const auto& replicas = heard->second.report.replicas;
  return std::any_of(replicas.begin(), replicas.end(),
                     [](const ReplicaReport& replica) { return replica.leader; });
}

std::string_view StateName(const AdminView& view, const rebalance::NodeRecord& node) {
  switch (node.state) {
    case NodeState::kUp:
      if (!view.leader.Alive(node.id)) return "suspect";
      if (!node.maintained(view.now)) return "up";
      return LeadsSomething(view, node.id) ? "draining" : "drained";
    case NodeState::kDead:
      return "dead";
    case NodeState::kDraining:
      return "draining";
    case NodeState::kDrained:
      return "drained";
    default:
      return "removed";
  }
}

// Index of a disk on its node: the disk id of the contract.
json::value DiskIndex(const rebalance::PlacementState& state, const ReplicaPlace& place) {
  const auto node = state.nodes().find(place.node);
  if (node == state.nodes().end()) return nullptr;
  const auto& disks = node->second.disks;
  for (std::size_t i = 0; i < disks.size(); ++i) {
    if (disks[i].incarnation == place.disk) return i;
  }
  return nullptr;
}

const ReplicaReport* FindReport(const AdminView& view, ShardId shard, const ReplicaPlace& place) {
  const auto heard = view.leader.heard().find(place.node);
  if (heard == view.leader.heard().end()) return nullptr;
  for (const ReplicaReport& report : heard->second.report.replicas) {
    if (report.key == ReplicaKey{shard, place.replica}) return &report;
  }
  return nullptr;
}

struct ShardHealth {
  NodeId leader;
  std::size_t live_voters = 0;
  std::size_t wanted = 0;
  bool full() const { return live_voters >= wanted; }
};

std::size_t WantedVoters(const AdminView& view) {
  std::size_t nodes = 0;
  for (const auto& [id, node] : view.state.nodes()) nodes += node.state != NodeState::kRemoved;
  const auto copies = std::min<std::size_t>(view.state.settings().replicas, nodes);
  return copies % 2 == 0 && copies > 0 ? copies - 1 : copies;
}

ShardHealth HealthOf(const AdminView& view, ShardId shard, const ShardEntry& entry) {
  ShardHealth health;
  health.wanted = WantedVoters(view);
  for (const ReplicaPlace& place : entry.replicas) {
    const ReplicaReport* report = FindReport(view, shard, place);
    const bool live = report && view.leader.Alive(place.node);
    health.live_voters += place.voter && live;
    if (live && report->leader) health.leader = place.node;
  }
  return health;
}

// All reports of replicas, by key: one pass instead of a search for each of thousands of shards.
struct NodeTotals {
  std::size_t replicas = 0;
  std::size_t leaders = 0;
  std::uint64_t bytes = 0;
  double ops_per_s = 0;
};

NodeTotals TotalsOf(const AdminView& view, NodeId node) {
  NodeTotals totals;
  for (const rebalance::ShardRecord& shard : view.state.shards()) {
    for (const ReplicaPlace& place : shard.entry.replicas) totals.replicas += place.node == node;
  }
  const auto heard = view.leader.heard().find(node);
  if (heard == view.leader.heard().end()) return totals;
  for (const ReplicaReport& report : heard->second.report.replicas) {
    if (report.key.shard == kPlacementShard) continue;
    totals.leaders += report.leader;
    totals.bytes += report.bytes;
    totals.ops_per_s += report.ops_per_s;
  }
  return totals;
}

json::array DisksJson(const AdminView& view, const rebalance::NodeRecord& node) {
  json::array disks;
  const auto heard = view.leader.heard().find(node.id);
  for (std::size_t i = 0; i < node.disks.size(); ++i) {
    const rebalance::DiskRecord& disk = node.disks[i];
    std::uint64_t used = 0;
    std::uint64_t capacity = disk.capacity_bytes;
    bool failed = disk.state == rebalance::DiskState::kFailed;
    if (heard != view.leader.heard().end()) {
      for (const DiskReport& report : heard->second.report.disks) {
        if (report.incarnation != disk.incarnation) continue;
        used = report.used_bytes;
        capacity = report.capacity_bytes;
        failed = failed || report.failed;
      }
    }
    disks.push_back({{"id", i},
                     {"path", disk.path},
                     {"capacity_bytes", capacity},
                     {"used_bytes", used},
                     {"state", failed ? "failed" : "ok"}});
  }
  return disks;
}

json::value OrNull(NodeId node) {
  if (!node) return nullptr;
  return node.value;
}

json::value MomentOrNull(WallMs moment) {
  if (moment == 0) return nullptr;
  return moment;
}

}  // namespace

json::value ShardNumber(ShardId shard) {
  if (shard == kPlacementShard) return "placement";
  return shard.value;
}

json::object ClusterJson(const AdminView& view) {
  std::size_t up = 0;
  std::size_t total = 0;
  for (const auto& [id, node] : view.state.nodes()) {
    if (node.state == NodeState::kRemoved) continue;
    ++total;
    up += view.leader.Alive(id);
  }
  std::size_t healthy = 0;
  std::size_t under_replicated = 0;
  std::size_t leaderless = 0;
  for (std::uint32_t i = 0; i < view.state.shards().size(); ++i) {
    const ShardHealth health = HealthOf(view, ShardId{i}, view.state.shards()[i].entry);
    healthy += health.leader && health.full();
    under_replicated += !health.full();
    leaderless += !health.leader;
  }
  return {{"cluster_id", Hex(view.state.cluster().value)},
          {"leader", view.self.value},
          {"nodes_up", up},
          {"nodes_total", total},
          {"shards", view.state.shards().size()},
          {"replicas", view.state.settings().replicas},
          {"shards_healthy", healthy},
          {"shards_under_replicated", under_replicated},
          {"shards_leaderless", leaderless},
          {"moves_active", view.state.ActiveMoves().size()},
          {"rebalance", view.state.settings().rebalance ? "on" : "off"},
          {"spread", rebalance::Spread(view.leader.View())}};
}

json::object NodesJson(const AdminView& view) {
  json::array nodes;
  for (const auto& [id, node] : view.state.nodes()) {
    const NodeTotals totals = TotalsOf(view, id);
    nodes.push_back({{"id", id.value},
                     {"name", node.name},
                     {"rpc", node.rpc},
                     {"http", node.http},
                     {"zone", node.zone},
                     {"state", StateName(view, node)},
                     {"disks", DisksJson(view, node)},
                     {"replicas", totals.replicas},
                     {"leaders", totals.leaders},
                     {"bytes", totals.bytes},
                     {"ops_per_s", totals.ops_per_s}});
  }
  return {{"nodes", std::move(nodes)}};
}

json::object ShardJson(const AdminView& view, ShardId shard) {
  const ShardEntry& entry = view.state.Shard(shard)->entry;
  json::array replicas;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
  double ops = 0;
  for (const ReplicaPlace& place : entry.replicas) {
    const ReplicaReport* report = FindReport(view, shard, place);
    replicas.push_back({{"replica", place.replica.value},
                        {"node", place.node.value},
                        {"disk", DiskIndex(view.state, place)},
                        {"role", place.voter ? "voter" : "learner"},
                        {"applied", report ? json::value(report->applied.value) : json::value()}});
    if (!report) continue;
    keys = std::max(keys, report->keys);
    bytes = std::max(bytes, report->bytes);
    ops += report->ops_per_s;
  }
  const auto count = static_cast<std::uint32_t>(view.state.shards().size());
  const bool numbered = shard != kPlacementShard;
  return {{"id", ShardNumber(shard)},
          {"hash_start", numbered ? json::value(Hex(HashStart(shard, count))) : json::value()},
          {"hash_end", numbered ? json::value(Hex(HashEnd(shard, count))) : json::value()},
          {"epoch", entry.epoch.value},
          {"leader", OrNull(HealthOf(view, shard, entry).leader)},
          {"replicas", std::move(replicas)},
          {"keys", keys},
          {"bytes", bytes},
          {"ops_per_s", ops}};
}

json::object ShardsJson(const AdminView& view) {
  json::array shards;
  for (std::uint32_t i = 0; i < view.state.shards().size(); ++i) {
    shards.push_back(ShardJson(view, ShardId{i}));
  }
  return {{"shards", std::move(shards)}};
}

json::object MoveJson(const AdminView& view, const rebalance::MoveRecord& move) {
  const bool ended = rebalance::IsFinal(move.stage);
  const auto progress = view.mover.Progress(move.id);
  const std::uint64_t total =
      progress ? std::max(move.bytes_total, progress->bytes_total) : move.bytes_total;
  const std::uint64_t done = progress ? progress->bytes_done : move.bytes_done;
  json::value eta;
  if (!ended && progress && progress->bytes_per_s > 0 && total >= done) {
    eta = static_cast<double>(total - done) / progress->bytes_per_s;
  }
  json::object object{{"id", move.id.value},
                      {"shard", ShardNumber(move.shard)},
                      {"from", OrNull(move.source.node)},
                      {"to", OrNull(move.target.node)},
                      {"from_disk", DiskIndex(view.state, move.source)},
                      {"to_disk", DiskIndex(view.state, move.target)},
                      {"stage", rebalance::StageName(move.stage)},
                      {"reason", move.reason},
                      {"bytes_total", total},
                      {"bytes_done", move.stage == rebalance::Stage::kDone ? total : done},
                      {"bytes_per_s", progress && !ended ? progress->bytes_per_s : 0.0},
                      {"eta_s", eta}};
  object["lag"] = progress && !ended ? progress->lag : 0;
  object["switch_pause_ms"] =
      move.switch_pause_ms ? json::value(*move.switch_pause_ms) : json::value();
  object["digest"] = move.digest.empty() ? json::value() : json::value(move.digest);
  std::string error = move.error.empty() && progress ? progress->problem : move.error;
  if (move.paused) error = "paused by an operator";
  object["error"] = error.empty() ? json::value() : json::value(error);
  object["created"] = MomentOrNull(move.created_ms);
  object["finished"] = MomentOrNull(move.finished_ms);
  return object;
}

json::object MovesJson(const AdminView& view) {
  json::array moves;
  for (const auto& [id, move] : view.state.moves()) moves.push_back(MoveJson(view, move));
  return {{"moves", std::move(moves)}};
}

json::object DecreesJson(const rebalance::PlacementState& state, std::uint64_t from,
                         std::size_t limit) {
  json::array decrees;
  const auto& log = state.decrees();
  std::uint64_t last = 0;
  for (auto it = log.lower_bound({from, 0}); it != log.end(); ++it) {
    const rebalance::DecreeRecord& decree = it->second;
    // Whole slots only, so that a reader can go on at the slot after the last one.
    if (decrees.size() >= limit && decree.slot != last) break;
    last = decree.slot;
    decrees.push_back({{"slot", decree.slot},
                       {"time", decree.time_ms},
                       {"kind", decree.kind},
                       {"shard", decree.shard ? ShardNumber(*decree.shard) : json::value()},
                       {"move", decree.move ? json::value(decree.move.value) : json::value()},
                       {"proposer", decree.proposer.value},
                       {"reason", decree.reason},
                       {"outcome", decree.outcome}});
  }
  return {{"decrees", std::move(decrees)}};
}

json::object PlanJson(const AdminView& view, std::uint64_t id, const rebalance::Plan& plan) {
  json::array moves;
  std::uint64_t bytes = 0;
  const auto rate = static_cast<double>(view.state.settings().move_rate_bytes_per_s);
  for (const rebalance::PlannedMove& move : plan.moves) {
    bytes += move.bytes;
    const ReplicaPlace from{move.start.source, move.from, move.from_disk, true};
    const ReplicaPlace to{{}, move.start.to, move.start.to_disk, true};
    moves.push_back({{"shard", ShardNumber(move.start.shard)},
                     {"from", OrNull(move.from)},
                     {"to", OrNull(move.start.to)},
                     {"from_disk", DiskIndex(view.state, from)},
                     {"to_disk", DiskIndex(view.state, to)},
                     {"reason", move.start.reason},
                     {"bytes", move.bytes},
                     {"seconds", static_cast<double>(move.bytes) / rate}});
  }
  json::array rejected;
  for (const rebalance::RejectedMove& move : plan.rejected) {
    rejected.push_back({{"shard", ShardNumber(move.shard)},
                        {"from", OrNull(move.from)},
                        {"to", OrNull(move.to)},
                        {"rule", move.rule},
                        {"reason", move.reason}});
  }
  return {{"id", id},
          {"moves", std::move(moves)},
          {"rejected", std::move(rejected)},
          {"bytes", bytes},
          {"seconds", static_cast<double>(bytes) / rate},
          {"spread_before", plan.spread_before},
          {"spread_after", plan.spread_after}};
}

}  // namespace decree::node
