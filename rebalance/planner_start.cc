// Which planned moves may start now. A disk carries `moves_per_disk` moves in and as many out; a
// move counts by its size, since the limit protects foreground work: a shard of 64 MiB or more
// counts fully, a tiny one as a sixteenth (it costs round trips, hardly any bytes).
#include <algorithm>

#include "kv/base/mark.h"
#include "rebalance/planner.h"

namespace decree::rebalance {
namespace {

constexpr std::uint64_t kWholeMove = 16;
constexpr std::uint64_t kBytesPerPart = std::uint64_t{4} << 20;

std::uint64_t Parts(std::uint64_t bytes) {
  return std::clamp<std::uint64_t>(bytes / kBytesPerPart, 1, kWholeMove);
}

class Limits {
 public:
  explicit Limits(const ClusterView& view)
      : view_(view), limit_(view.state->settings().moves_per_disk * kWholeMove) {
    for (const MoveRecord* move : view.state->ActiveMoves()) {
      busy_.insert(move->shard);
      if (move->stage >= Stage::kPublish || move->paused || move->sheds())
        continue;  // no bytes on their way
      const std::uint64_t parts = Parts(Bytes(move->shard));
      in_[move->target.disk] += parts;
      out_[SourceDisk(move->shard, move->source.disk)] += parts;
    }
  }

  // Takes the move's share if it fits. A disk that carries nothing takes any move.
  bool Admit(const PlannedMove& move) {
    if (!Turn(move.start.shard)) return false;
    if (!move.start.to) return true;  // no bytes
    const std::uint64_t parts = Parts(move.bytes);
    std::uint64_t& in = in_[move.start.to_disk];
    std::uint64_t& out = out_[SourceDisk(move.start.shard, move.from_disk)];
    if ((in && in + parts > limit_) || (out && out + parts > limit_)) return false;
    in += parts;
    out += parts;
    return true;
  }
  // The moves of a shard go in their order: behind one that may not start, none does.
  bool Turn(ShardId shard) { return busy_.insert(shard).second; }

 private:
  std::uint64_t Bytes(ShardId shard) const {
    const auto load = view_.loads.find(shard);
    return load == view_.loads.end() ? 0 : load->second.bytes;
  }
  // A fill-up's rows come from the leader, or from the first voter while none is known.
  Incarnation SourceDisk(ShardId id, Incarnation from) const {
    if (from) return from;
    const ShardRecord* shard = view_.state->Shard(id);
    const auto load = view_.loads.find(id);
    for (const ReplicaPlace& place : shard->entry.replicas) {
      if (load != view_.loads.end() && place.node == load->second.leader) return place.disk;
    }
    return shard->entry.replicas.front().disk;
  }

  const ClusterView& view_;
  std::uint64_t limit_;
  std::map<Incarnation, std::uint64_t> in_, out_;
  std::set<ShardId> busy_;
};

bool Allowed(const Settings& settings, MoveCause cause) {
  switch (cause) {
    case MoveCause::kFill:
    case MoveCause::kRepair:
      return settings.repair;
    case MoveCause::kDrain:
      return settings.drain;
    case MoveCause::kBalance:
      return settings.rebalance;
    default:
      return true;
  }
}

PlannedMove FromApproved(const ClusterView& view, const StartMove& start) {
  PlannedMove move;
  move.start = start;
  if (const auto load = view.loads.find(start.shard); load != view.loads.end()) {
    move.bytes = load->second.bytes;
  }
  const ShardRecord* shard = view.state->Shard(start.shard);
  if (!shard) return move;
  for (const ReplicaPlace& place : shard->entry.replicas) {
    if (place.replica != start.source) continue;
    move.from = place.node;
    move.from_disk = place.disk;
  }
  return move;
}

}  // namespace

std::vector<PlannedMove> StartableNow(const ClusterView& view, const Plan& plan) {
  std::vector<PlannedMove> startable;
  if (!view.state || !view.state->bootstrapped()) return startable;
  const Settings& settings = view.state->settings();
  Limits limits(view);
  const auto start = [&](const PlannedMove& move) {
    if (limits.Admit(move)) startable.push_back(move);
  };
  // Repair and drain go before what an operator approved, that before balance; and a balance that
  // was planned besides an approved plan knows nothing of it.
  bool urgent = false;
  for (const PlannedMove& move : plan.moves) {
    if (move.start.cause == MoveCause::kBalance) continue;
    if (!Allowed(settings, move.start.cause)) {
      limits.Turn(move.start.shard);
      continue;
    }
    urgent = true;
    start(move);
  }
  for (const auto& [number, approved] : view.state->approved()) start(FromApproved(view, approved));
  if (urgent) SOMETIMES(plan_balance_waits_for_repair);
  if (urgent || !view.state->approved().empty() || !settings.rebalance) return startable;
  for (const PlannedMove& move : plan.moves) {
    if (move.start.cause == MoveCause::kBalance) start(move);
  }
  return startable;
}

}  // namespace decree::rebalance
