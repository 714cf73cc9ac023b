#include "rebalance/layout.h"

#include <algorithm>
#include <tuple>

#include "kv/base/mark.h"

namespace decree::rebalance {
namespace {

constexpr std::size_t kRejectionsPerShard = 3;

bool Holds(const std::map<NodeId, bool>& facts, NodeId node) {
  const auto found = facts.find(node);
  return found != facts.end() && found->second;
}

}  // namespace

Layout::Layout(const ClusterView& view, Plan& plan) : view_(view), plan_(plan) {
  AddDisks();
  const PlacementState& state = *view.state;
  shards_.reserve(state.shards().size() + 1);
  for (std::uint32_t i = 0; i < state.shards().size(); ++i) {
    AddShard(ShardId{i}, state.shards()[i]);
  }
  AddShard(kPlacementShard, state.placement());
  NoteFailedTargets();
}

// Newest first, up to the shard's last move that was done.
void Layout::NoteFailedTargets() {
  std::set<ShardId> succeeded;
  const auto& moves = view_.state->moves();
  for (auto it = moves.rbegin(); it != moves.rend(); ++it) {
    const MoveRecord& move = it->second;
    if (!IsFinal(move.stage) || succeeded.contains(move.shard)) continue;
    if (move.stage == Stage::kDone) {
      succeeded.insert(move.shard);
    } else {
      SOMETIMES(plan_remembers_a_failed_target);
      Shard(move.shard).failed_targets.insert(move.target.disk);
    }
  }
}

void Layout::AddDisks() {
  double capacities = 0;
  bool known = true;
  for (const auto& [id, node] : view_.state->nodes()) {
    if (node.state == NodeState::kRemoved) continue;
    const bool up = node.state == NodeState::kUp && id != view_.also_draining;
    for (const DiskRecord& record : node.disks) {
      DiskLoad disk;
      disk.id = record.incarnation;
      disk.node = id;
      disk.zone = node.zone;
      disk.capacity = record.capacity_bytes;
      const auto used = view_.disk_used_bytes.find(disk.id);
      if (used != view_.disk_used_bytes.end()) disk.used = used->second;
      disk.good = record.state == DiskState::kOk;
      disk.awaited = view_.awaited_disks.contains(disk.id);
      disk.counted = up && disk.good && !Holds(view_.dead_for_good, id);
      disk.open = disk.counted && Holds(view_.alive, id) && !view_.maintained.contains(id);
      capacities += static_cast<double>(disk.capacity);
      known = known && disk.capacity > 0;
      index_[disk.id] = disks_.size();
      disks_.push_back(std::move(disk));
    }
  }
  if (!known || disks_.empty()) return;
  const double mean = capacities / static_cast<double>(disks_.size());
  for (DiskLoad& disk : disks_) disk.weight = static_cast<double>(disk.capacity) / mean;
}

void Layout::AddShard(ShardId id, const ShardRecord& record) {
  ShardLayout& shard = shards_.emplace_back();
  shard.id = id;
  shard.epoch = record.entry.epoch;
  if (const auto load = view_.loads.find(id); load != view_.loads.end()) {
    shard.bytes = load->second.bytes;
    shard.leader = load->second.leader;
  }
  for (const ReplicaPlace& place : record.entry.replicas) {
    Copy copy;
    copy.replica = place.replica;
    copy.node = place.node;
    copy.incarnation = place.disk;
    copy.voter = place.voter;
    Put(shard, std::move(copy));
  }
  if (!record.active_move) return;
  shard.busy = true;
  ApplyMoveInFlight(shard, *view_.state->Move(record.active_move));
}

void Layout::ApplyMoveInFlight(ShardLayout& shard, const MoveRecord& move) {
  if (move.cancelled) return;
  const auto with = [&](ReplicaId id) {
    return std::find_if(shard.copies.begin(), shard.copies.end(),
                        [id](const Copy& copy) { return copy.replica == id; });
  };
  if (const auto source = with(move.source.replica); source != shard.copies.end()) {
    Take(shard, static_cast<std::size_t>(source - shard.copies.begin()));
  }
  if (move.sheds()) return;
  if (const auto target = with(move.target.replica); target != shard.copies.end()) return;
  Copy copy;
  copy.replica = move.target.replica;
  copy.node = move.target.node;
  copy.incarnation = move.target.disk;
  copy.arriving = true;
  Put(shard, std::move(copy));
  if (const DiskIndex disk = shard.copies.back().disk; disk != kNoDisk) {
    disks_[disk].used += shard.bytes;
  }
}

void Layout::Put(ShardLayout& shard, Copy copy) {
  const auto found = index_.find(copy.incarnation);
  copy.disk = found == index_.end() ? kNoDisk : found->second;
  if (shard.numbered() && copy.disk != kNoDisk) {
    DiskLoad& disk = disks_[copy.disk];
    ++disk.count;
    disk.bytes += shard.bytes;
    disk.shards.insert(disk.shards.end(), shard.id);  // at first they come in order
  }
  shard.copies.push_back(std::move(copy));
}

void Layout::Take(ShardLayout& shard, std::size_t index) {
  const DiskIndex at = shard.copies[index].disk;
  if (shard.numbered() && at != kNoDisk) {
    DiskLoad& disk = disks_[at];
    --disk.count;
    disk.bytes -= shard.bytes;
    disk.shards.erase(shard.id);
  }
  shard.copies.erase(shard.copies.begin() + static_cast<std::ptrdiff_t>(index));
}

ShardLayout& Layout::Shard(ShardId id) {
  return id == kPlacementShard ? shards_.back() : shards_[id.value];
}

bool Layout::IsLost(const Copy& copy) const {
  if (copy.disk == kNoDisk || Holds(view_.dead_for_good, copy.node)) return true;
  return !disks_[copy.disk].good && !disks_[copy.disk].awaited;
}

bool Layout::IsLive(const Copy& copy) const {
  return !IsLost(copy) && disks_[copy.disk].good && Holds(view_.alive, copy.node);
}

bool Layout::IsDraining(const Copy& copy) const {
  if (copy.node == view_.also_draining) return true;
  const NodeRecord* node = view_.state->Node(copy.node);
  return node && (node->state == NodeState::kDraining || node->state == NodeState::kDrained);
}

bool Layout::IsWholeWithout(const ShardLayout& shard, const Copy* leaving) const {
  return std::all_of(shard.copies.begin(), shard.copies.end(), [&](const Copy& copy) {
    return &copy == leaving || !copy.voter || IsLive(copy);
  });
}

std::size_t Layout::Collisions(const ShardLayout& shard, const Copy* leaving,
                               const DiskLoad& disk) const {
  if (disk.zone.empty()) return 0;
  std::size_t collisions = 0;
  for (const Copy& copy : shard.copies) {
    if (&copy == leaving) continue;
    const NodeRecord* node = view_.state->Node(copy.node);
    collisions += node && node->zone == disk.zone;
  }
  return collisions;
}

std::string Layout::Obstacle(const ShardLayout& shard, const Copy* leaving,
                             const DiskLoad& disk) const {
  if (!disk.open) return "not_open";
  for (const Copy& copy : shard.copies) {
    if (&copy == leaving ? copy.incarnation == disk.id : copy.node == disk.node) {
      return "node_holds_replica";
    }
  }
  const auto limit = static_cast<double>(disk.capacity) * kFullShare;
  const bool full = disk.capacity && static_cast<double>(disk.used + shard.bytes) > limit;
  // A copy that is to leave it would stay: no more bytes than there are.
  const bool home = std::any_of(shard.copies.begin(), shard.copies.end(),
                                [&](const Copy& copy) { return IsHome(&copy, disk); });
  return full && !home ? "disk_full" : "";
}

DiskIndex Layout::BestTarget(const ShardLayout& shard, const Copy* leaving) const {
  using Rank = std::tuple<bool, std::size_t, double, double, NodeId, Incarnation>;
  std::optional<Rank> best;
  DiskIndex chosen = kNoDisk;
  for (DiskIndex i = 0; i < disks_.size(); ++i) {
    const DiskLoad& disk = disks_[i];
    if (!Obstacle(shard, leaving, disk).empty()) continue;
    const bool weighs = shard.numbered();
    Rank rank{shard.failed_targets.contains(disk.id),
              Collisions(shard, leaving, disk),
              weighs ? disk.CountLevel(1) : 0,
              weighs ? disk.ByteLevel(shard.bytes) : 0,
              disk.node,
              disk.id};
    if (best && *best <= rank) continue;
    best = std::move(rank);
    chosen = i;
  }
  return chosen;
}

void Layout::PlanMove(ShardLayout& shard, std::optional<std::size_t> index, DiskIndex to,
                      MoveCause cause, std::string reason) {
  if (index && Return(shard, *index, to)) return;
  if (index && TakeItsWay(shard, *index, to, reason)) return;
  const Copy leaving = index ? shard.copies[*index] : Copy{};
  if (leaving.planned) disks_[leaving.disk].used -= shard.bytes;
  if (index) Take(shard, *index);
  Copy copy;
  copy.node = disks_[to].node;
  copy.incarnation = disks_[to].id;
  copy.voter = !index || leaving.voter;
  copy.planned = leaving.planned.value_or(plan_.moves.size());
  if (!leaving.planned) PlanLeaving(shard, leaving, cause, std::move(reason)).bytes = shard.bytes;
  StartMove& start = plan_.moves[*copy.planned].start;
  start.to = copy.node;
  start.to_disk = copy.incarnation;
  disks_[to].used += shard.bytes;
  Put(shard, std::move(copy));
}

// A planned copy where it was before the plan.
Copy Layout::AtHome(const Copy& planned) const {
  const PlannedMove& move = plan_.moves[*planned.planned];
  Copy copy;
  copy.replica = move.start.source;
  copy.node = move.from;
  copy.incarnation = move.from_disk;
  copy.voter = planned.voter;
  return copy;
}

bool Layout::IsHome(const Copy* copy, const DiskLoad& disk) const {
  return copy && copy->planned && plan_.moves[*copy->planned].from_disk == disk.id;
}

bool Layout::Return(ShardLayout& shard, std::size_t index, DiskIndex to) {
  const Copy planned = shard.copies[index];
  if (!IsHome(&planned, disks_[to])) return false;
  disks_[planned.disk].used -= shard.bytes;
  idle_.insert(*planned.planned);
  Take(shard, index);
  Put(shard, AtHome(planned));
  return true;
}

bool Layout::TakeItsWay(ShardLayout& shard, std::size_t index, DiskIndex to,
                        const std::string& reason) {
  const Copy mover = shard.copies[index];
  const auto stays = std::find_if(shard.copies.begin(), shard.copies.end(),
                                  [&](const Copy& copy) { return IsHome(&copy, disks_[to]); });
  if (mover.planned || stays == shard.copies.end()) return false;
  Copy home = AtHome(*stays);
  Copy gone = *stays;
  gone.voter = mover.voter;
  PlannedMove& move = plan_.moves[*gone.planned];
  move.start.source = mover.replica;
  move.start.reason = reason + "; it keeps its copy, which would go to node " + ToString(gone.node);
  move.from = mover.node;
  move.from_disk = mover.incarnation;
  const auto take = [&](const Copy& from) {
    const auto found =
        std::find_if(shard.copies.begin(), shard.copies.end(),
                     [&](const Copy& copy) { return copy.incarnation == from.incarnation; });
    Take(shard, static_cast<std::size_t>(found - shard.copies.begin()));
  };
  take(gone);
  take(mover);
  Put(shard, std::move(home));
  Put(shard, std::move(gone));
  return true;
}

void Layout::DropIdleMoves() {
  for (auto entry = idle_.rbegin(); entry != idle_.rend(); ++entry) {
    plan_.moves.erase(plan_.moves.begin() + static_cast<std::ptrdiff_t>(*entry));
  }
  idle_.clear();
}

void Layout::PlanShedding(ShardLayout& shard, std::size_t index, MoveCause cause,
                          std::string reason) {
  const Copy leaving = shard.copies[index];
  Take(shard, index);
  PlanLeaving(shard, leaving, cause, std::move(reason));
}

PlannedMove& Layout::PlanLeaving(const ShardLayout& shard, const Copy& leaving, MoveCause cause,
                                 std::string reason) {
  PlannedMove& move = plan_.moves.emplace_back();
  move.start.shard = shard.id;
  move.start.epoch = shard.epoch;
  move.start.source = leaving.replica;
  move.start.cause = cause;
  move.start.reason = std::move(reason);
  move.from = leaving.node;
  move.from_disk = leaving.incarnation;
  return move;
}

void Layout::PlanPromotion(ShardLayout& shard, const Copy& learner) {
  PlannedMove move;
  move.start.shard = shard.id;
  move.start.epoch = shard.epoch;
  move.start.to = learner.node;
  move.start.to_disk = learner.incarnation;
  move.start.cause = MoveCause::kFill;
  move.start.reason = "the learner on node " + ToString(learner.node) + " waits for its vote";
  plan_.moves.push_back(std::move(move));
}

void Layout::Reject(const ShardLayout& shard, NodeId from, NodeId to, std::string rule,
                    std::string reason) {
  if (rejections_[shard.id]++ >= kRejectionsPerShard) return;
  plan_.rejected.push_back({shard.id, from, to, std::move(rule), std::move(reason)});
}

double Layout::Spread() const {
  double low = 0, high = 0, sum = 0;
  std::size_t disks = 0;
  for (const DiskLoad& disk : disks_) {
    if (!disk.counted) continue;
    const double level = disk.CountLevel();
    low = disks ? std::min(low, level) : level;
    high = std::max(high, level);
    sum += level;
    ++disks;
  }
  return sum > 0 ? (high - low) / (sum / static_cast<double>(disks)) : 0;
}

}  // namespace decree::rebalance
