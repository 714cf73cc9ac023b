#include "rebalance/placement.h"

#include <algorithm>
#include <array>

#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

void Describe(const Bootstrap& change, DecreeRecord& record) {
  record.kind = "bootstrap";
  record.reason = "a new cluster of " + std::to_string(change.shards) + " shards";
}
void Describe(const RegisterNode& change, DecreeRecord& record) {
  record.kind = "node_join";
  record.reason = change.node.rpc.empty() ? change.node.name : change.node.rpc;
}
void Describe(const SetNodeState& change, DecreeRecord& record) {
  constexpr std::array<const char*, 5> kKinds = {"node_up", "node_dead", "node_drain",
                                                 "node_drained", "node_remove"};
  record.kind = kKinds[static_cast<std::size_t>(change.state)];
  record.reason = "node " + ToString(change.node);
  if (!change.reason.empty()) record.reason += ": " + change.reason;
}
void Describe(const StartMove& change, DecreeRecord& record) {
  record.kind = "move_intent";
  record.shard = change.shard;
  record.reason = change.reason;
}
void Describe(const AdvanceMove& change, DecreeRecord& record) {
  record.kind = "move_" + std::string(StageName(change.stage));
  record.move = change.move;
  record.reason = change.note;
}
void Describe(const CancelMove& change, DecreeRecord& record) {
  record.kind = "move_cancel";
  record.move = change.move;
  record.reason = change.reason;
}
void Describe(const ChangeSettings&, DecreeRecord& record) { record.kind = "settings"; }
void Describe(const Maintain& change, DecreeRecord& record) {
  record.kind = "node_maintain";
  record.reason = "node " + ToString(change.node) + " for " + std::to_string(change.for_ms) + " ms";
  if (!change.reason.empty()) record.reason += ": " + change.reason;
}
void Describe(const ApprovePlan& change, DecreeRecord& record) {
  record.kind = "plan_execute";
  record.reason = "plan " + std::to_string(change.plan) + " of " +
                  std::to_string(change.moves.size()) + " moves";
}
void Describe(const PauseMove& change, DecreeRecord& record) {
  record.kind = change.paused ? "move_pause" : "move_resume";
  record.move = change.move;
  record.reason = change.reason;
}

Settings Merged(Settings settings, const ChangeSettings& change) {
  const auto take = [](auto& field, const auto& patch) { field = patch.value_or(field); };
  take(settings.rebalance, change.rebalance);
  take(settings.repair, change.repair);
  take(settings.drain, change.drain);
  take(settings.replicas, change.replicas);
  take(settings.threshold_percent, change.threshold_percent);
  take(settings.move_rate_bytes_per_s, change.move_rate_bytes_per_s);
  take(settings.moves_per_disk, change.moves_per_disk);
  take(settings.dead_node_delay_s, change.dead_node_delay_s);
  take(settings.switch_wait_ms, change.switch_wait_ms);
  take(settings.move_stall_s, change.move_stall_s);
  return settings;
}

std::string Outcome(const CommandResult& result) {
  if (result.code != Errc::kOk) return Error(result.code, result.detail).ToString();
  return result.detail.empty() ? "ok" : "ok: " + result.detail;
}

}  // namespace

std::string_view StageName(Stage stage) {
  constexpr std::array<std::string_view, 11> kNames = {
      "intent",   "add_learner", "snapshot", "catch_up", "verify",     "seal",
      "activate", "publish",     "clean_up", "done",     "rolled_back"};
  return kNames[static_cast<std::size_t>(stage)];
}

std::uint32_t WantedCopies(const Settings& settings, ShardId shard) {
  return shard == kPlacementShard ? kPlacementCopies : settings.replicas;
}

CommandResult PlacementState::Apply(Slot slot, WallMs time_ms, const PlacementCommand& command) {
  DecreeRecord record;
  record.slot = slot.value;
  record.time_ms = time_ms;
  record.proposer = command.proposer;
  const Moment now{slot, time_ms};
  CommandResult result = std::visit(
      [&](const auto& change) {
        Describe(change, record);
        const bool first = std::is_same_v<std::decay_t<decltype(change)>, Bootstrap>;
        if (!first && !bootstrapped()) return Refuse(Errc::kUnavailable, "there is no cluster yet");
        return On(change, now);
      },
      command.change);
  if (std::holds_alternative<StartMove>(command.change)) record.move = MoveId{result.version};
  if (const MoveRecord* move = Move(record.move)) record.shard = move->shard;
  record.outcome = Outcome(result);
  Record(std::move(record));
  return result;
}

CommandResult PlacementState::On(const ChangeSettings& change, const Moment&) {
  const Settings wanted = Merged(settings_, change);
  if (wanted.replicas < 1 || wanted.replicas > 5) {
    return Refuse(Errc::kInvalidArgument, "replicas must be 1 to 5");
  }
  if (wanted.threshold_percent < 1 || wanted.threshold_percent > 100) {
    return Refuse(Errc::kInvalidArgument, "threshold_percent must be 1 to 100");
  }
  if (wanted.moves_per_disk < 1 || wanted.moves_per_disk > 64) {
    return Refuse(Errc::kInvalidArgument, "moves_per_disk must be 1 to 64");
  }
  if (settings_ == wanted) return Accept();
  settings_ = wanted;
  TouchHead();
  return Accept();
}

// The audit log: in order, bounded, one record a command.
void PlacementState::Record(DecreeRecord record) {
  DecreeKey key{record.slot, 0};
  if (!decrees_.empty() && decrees_.rbegin()->first.first == record.slot) {
    key.second = decrees_.rbegin()->first.second + 1;
  }
  changed_.insert(RowKey(key));
  decrees_.emplace(key, std::move(record));
  while (decrees_.size() > kKeptDecrees) {
    changed_.insert(RowKey(decrees_.begin()->first));
    decrees_.erase(decrees_.begin());
  }
}

// ---- facts ----

const ShardRecord* PlacementState::Shard(ShardId id) const {
  return const_cast<PlacementState*>(this)->MutableShard(id);
}

ShardRecord* PlacementState::MutableShard(ShardId id) {
  if (id == kPlacementShard) return bootstrapped() ? &placement_ : nullptr;
  return id.value < shards_.size() ? &shards_[id.value] : nullptr;
}

const MoveRecord* PlacementState::Move(MoveId id) const {
  const auto found = moves_.find(id);
  return found == moves_.end() ? nullptr : &found->second;
}

const NodeRecord* PlacementState::Node(NodeId id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<const MoveRecord*> PlacementState::ActiveMoves() const {
  std::vector<const MoveRecord*> active;
  for (const MoveId id : active_) active.push_back(&moves_.at(id));
  return active;
}

bool PlacementState::Moving() const {
  return std::any_of(active_.begin(), active_.end(),
                     [this](MoveId id) { return !moves_.at(id).paused; });
}

ShardMap PlacementState::Map() const {
  ShardMap map;
  map.cluster = cluster_;
  map.version = version_;
  map.placement = placement_.entry;
  for (const ShardRecord& shard : shards_) map.shards.push_back(shard.entry);
  for (const auto& [id, node] : nodes_) {
    if (node.state != NodeState::kRemoved) map.nodes.push_back({id, node.rpc, node.http});
  }
  return map;
}

}  // namespace decree::rebalance
