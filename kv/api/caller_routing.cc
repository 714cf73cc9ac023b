// Where an attempt goes: the leader if one is known, else one replica after the other. What is
// known comes from answers; the map is a hint that gets refreshed when an answer shows that it is
// old.
#include <algorithm>
#include <utility>

#include "kv/api/caller_impl.h"
#include "kv/base/mark.h"

namespace decree {

bool Caller::Impl::Locate(CallerOp& op) {
  if (op.opens_session) return true;
  const bool by_key =
      op.operation.kind != OperationKind::kScan && op.operation.kind != OperationKind::kMark;
  if (by_key) {
    const auto count = static_cast<std::uint32_t>(map->shards.size());
    op.operation.shard = ShardOf(op.operation.key, count);
  }
  op.located = map->Find(op.operation.shard) != nullptr;
  if (op.located) return true;
  Refuse(op, Errc::kNotFound, "no shard " + ToString(op.operation.shard));
  return false;
}

std::vector<NodeId> Caller::Impl::Candidates(const CallerOp& op) const {
  std::vector<NodeId> nodes;
  const ShardEntry* entry = map ? map->Find(op.operation.shard) : nullptr;
  if (entry == nullptr) return nodes;
  const auto collect = [&](bool voters) {
    for (const ReplicaPlace& place : entry->replicas) {
      const bool known = std::find(nodes.begin(), nodes.end(), place.node) != nodes.end();
      if (place.voter == voters && !known) nodes.push_back(place.node);
    }
  };
  collect(true);
  if (nodes.empty()) collect(false);
  return nodes;
}

NodeId Caller::Impl::ChooseTarget(const CallerOp& op) {
  const auto shard = shards.find(op.operation.shard);
  const bool stale = !op.IsWrite() && op.operation.consistency == Consistency::kStale;
  const NodeId leader = shard == shards.end() ? NodeId{} : shard->second.leader;
  if (leader && !stale) return leader;
  const std::vector<NodeId> nodes = Candidates(op);
  if (nodes.empty()) return leader;
  const auto last = std::find(nodes.begin(), nodes.end(), op.target);
  if (last != nodes.end()) return last + 1 == nodes.end() ? nodes.front() : last[1];
  return nodes[executor.RandomWord() % nodes.size()];
}

void Caller::Impl::NoteAnswer(const CallerOp& op, NodeId target, const RpcResponse& response) {
  const bool stale = !op.IsWrite() && op.operation.consistency == Consistency::kStale;
  const bool served = response.code == Errc::kOk || response.code == Errc::kNotFound;
  // A node that forwarded the call is no leader: the one that held the shard is.
  if (served && !stale) {
    shards[op.operation.shard].leader = response.served_by ? response.served_by : target;
  }
  if (map && response.map_version > map->version) fetcher->FetchInBackground();
}

void Caller::Impl::ForgetLeader(const CallerOp& op, NodeId node) {
  NodeId& leader = shards[op.operation.shard].leader;
  if (leader == node) leader = NodeId{};
}

void Caller::Impl::NeedMap(CallerOp& op) {
  op.phase = CallerPhase::kNeedsMap;
  op.map_version = map ? map->version : 0;
  SetAlarm(op, kNever);
  fetcher->Fetch(op.deadline, [weak = weak_from_this(), id = op.id](Errc code) {
    if (const auto self = weak.lock()) self->OnFetched(id, code);
  });
}

// The map has come, or it never will: then the deadline ends the operation.
void Caller::Impl::OnFetched(std::uint64_t id, Errc code) {
  CallerOp* op = Find(id);
  if (op == nullptr || op->phase != CallerPhase::kNeedsMap || closed) return;
  if (code == Errc::kWrongCluster || code == Errc::kUnauthorized) {
    return Fail(*op, Error(code, fetcher->last_error()));
  }
  if (code != Errc::kOk || !map) return;
  // No newer map than the one that was refused: what will come is not decided yet.
  if (op->attempt > 0 && map->version <= op->map_version) {
    SOMETIMES(caller_no_newer_map);
    return Pause(*op);
  }
  Advance(*op);
}

void Caller::Impl::OnMap(std::shared_ptr<const ShardMap> newer) {
  if (!newer || newer->shards.empty() || closed) return;
  if (map && newer->version < map->version) SOMETIMES(caller_older_map_ignored);
  if (map && newer->version <= map->version) return;
  if (map && map->cluster && newer->cluster && map->cluster != newer->cluster) return;
  SOMETIMES(caller_map_replaced);
  map = std::move(newer);
  std::vector<std::uint64_t> waiting;
  for (const auto& [id, op] : ops) {
    if (op.phase == CallerPhase::kNeedsMap) waiting.push_back(id);
  }
  std::sort(waiting.begin(),
            waiting.end());  // in the order they came: the same run, the same trace
  for (const std::uint64_t id : waiting) {
    CallerOp* op = Find(id);
    if (op != nullptr && op->phase == CallerPhase::kNeedsMap) Advance(*op);
  }
}

}  // namespace decree
