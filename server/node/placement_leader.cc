#include "server/node/placement_leader.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"

namespace decree::node {
namespace {

constexpr Duration kTick = 100ms;
constexpr Duration kReplanEvery = 1s;
// A node is called dead, and moves to it are given up, after this many suspect windows of silence.
// Its replicas are replaced much later (settings.dead_node_delay_s).
constexpr int kDeadAfterWindows = 4;
constexpr std::size_t kPlanLimit = 256;
constexpr std::size_t kTransfersATick = 4;
// A shard whose moves were rolled back rests before the next one is planned: 1 s, 2 s, 4 s... up to
// 64 s.
constexpr std::size_t kMostRestDoublings = 6;

using rebalance::NodeState;

// A node that is there to serve: up, or not yet empty; and nobody has declared it dead.
bool IsExpected(const rebalance::NodeRecord& node) {
  const bool serves = node.state == NodeState::kUp || node.state == NodeState::kDraining;
  return serves && !node.dead();
}

bool SameRegistration(const rebalance::NodeRecord& known, const rebalance::NodeRecord& said) {
  const bool name = said.name.empty() || said.name == known.name;
  if (!name || said.rpc != known.rpc || said.http != known.http || said.zone != known.zone) {
    return false;
  }
  const auto tells = [](const rebalance::NodeRecord& node, const rebalance::DiskRecord& disk) {
    return std::any_of(node.disks.begin(), node.disks.end(), [&](const auto& d) {
      return d.incarnation == disk.incarnation && d.state == disk.state;
    });
  };
  // A disk that is not told of any more did not open, or was emptied: it is failed.
  return std::all_of(said.disks.begin(), said.disks.end(),
                     [&](const auto& disk) { return tells(known, disk); }) &&
         std::all_of(known.disks.begin(), known.disks.end(), [&](const auto& disk) {
           return disk.state == rebalance::DiskState::kFailed || tells(said, disk);
         });
}

}  // namespace

void PlacementLeader::Start() {
  if (running_) return;
  running_ = true;
  heard_.clear();
  seen_.clear();
  proposing_state_.clear();
  proposing_moves_ = 0;
  planned_at_ = {};
  Tick(++generation_);
}

void PlacementLeader::Stop() {
  running_ = false;
  ++generation_;
  heard_.clear();
}

void PlacementLeader::Tick(std::uint64_t generation) {
  if (generation != generation_) return;
  if (port_->state()) {
    NoteNewNodes();
    CheckLiveness();
    FinishDrains();
    StartMoves();
  }
  port_->executor().RunAt(port_->executor().Now() + kTick,
                          [this, generation] { Tick(generation); });
}

// ---- who is there ----

void PlacementLeader::OnReport(NodeReport report) {
  const NodeId node = report.node.id;
  if (!running_ || !port_->state() || !port_->state()->nodes().count(node)) return;
  CheckRegistration(report);
  RemoveOrphans(report);
  heard_[node] = {std::move(report), port_->executor().Now()};
}

// A node that came back, perhaps with other addresses or a new disk, registers by its report.
void PlacementLeader::CheckRegistration(const NodeReport& report) {
  const rebalance::NodeRecord& known = port_->state()->nodes().at(report.node.id);
  const bool back = known.dead();
  if (known.state == NodeState::kRemoved || proposing_state_[known.id]) return;
  if (!back && SameRegistration(known, report.node)) return;
  proposing_state_[known.id] = true;
  port_->Propose(rebalance::RegisterNode{report.node},
                 [this, node = known.id](CommandResult) { proposing_state_[node] = false; });
}

// A replica that the map does not place on that node, and that no move is about, was left behind by
// a node that was away when its shard moved on, or when its move was rolled back. No quorum counts
// it: the shard's log took it out before the move could end (Seal, steps 12 and 13). An id is given
// out once, so the same id on another node is a stranger too.
void PlacementLeader::RemoveOrphans(const NodeReport& report) {
  for (const ReplicaReport& replica : report.replicas) {
    const rebalance::ShardRecord* shard = port_->state()->Shard(replica.key.shard);
    if (!shard || shard->active_move || replica.key.replica > shard->last_replica) continue;
    const auto& places = shard->entry.replicas;
    const bool known = std::any_of(places.begin(), places.end(), [&](const ReplicaPlace& place) {
      return place.replica == replica.key.replica && place.node == report.node.id;
    });
    if (known) continue;
    SOMETIMES(orphan_replica_removed);
    RpcRequest request{Method::kDestroyReplica, replica.key.shard, 3000,
                       Encode(DestroyReplica{replica.key, MoveId{}})};
    port_->CallNode(report.node.id, std::move(request), [](RpcResponse) {});
  }
}

std::optional<Duration> PlacementLeader::SilenceOf(NodeId node) const {
  if (!running_) return std::nullopt;
  const Instant now = port_->executor().Now();
  if (const auto heard = heard_.find(node); heard != heard_.end()) return now - heard->second.at;
  const auto seen = seen_.find(node);
  return seen == seen_.end() ? Duration::zero() : now - seen->second;
}

// A node that joined while this leader leads has been silent since then, not since Start.
void PlacementLeader::NoteNewNodes() {
  for (const auto& [id, node] : port_->state()->nodes()) {
    seen_.try_emplace(id, port_->executor().Now());
  }
}

bool PlacementLeader::Alive(NodeId node) const {
  const auto silence = SilenceOf(node);
  return heard_.count(node) && silence && *silence <= port_->config().suspect_after;
}

bool PlacementLeader::Silent(NodeId node) const {
  const auto silence = SilenceOf(node);
  return silence && *silence > port_->config().suspect_after * kDeadAfterWindows;
}

std::vector<NodeId> PlacementLeader::Suspects() const {
  std::vector<NodeId> suspects;
  if (!port_->state()) return suspects;
  for (const auto& [id, node] : port_->state()->nodes()) {
    const auto silence = SilenceOf(id);
    const bool silent = silence && *silence > port_->config().suspect_after;
    if (silent && node.state != NodeState::kRemoved) suspects.push_back(id);
  }
  return suspects;
}

bool PlacementLeader::AllHeard() const {
  for (const auto& [id, node] : port_->state()->nodes()) {
    if (IsExpected(node) && !Alive(id)) return false;
  }
  return true;
}

void PlacementLeader::CheckLiveness() {
  for (const auto& [id, node] : port_->state()->nodes()) {
    if (!IsExpected(node) || proposing_state_[id] || !Silent(id)) continue;
    SOMETIMES(node_declared_dead);
    const Duration silence = *SilenceOf(id);
    SetState(id, NodeState::kDead, "no report for " + std::to_string(silence / 1s) + " s");
  }
}

void PlacementLeader::SetState(NodeId node, NodeState state, std::string reason) {
  proposing_state_[node] = true;
  port_->Propose(rebalance::SetNodeState{node, state, std::move(reason)},
                 [this, node](CommandResult) { proposing_state_[node] = false; });
}

void PlacementLeader::FinishDrains() {
  for (const auto& [id, node] : port_->state()->nodes()) {
    if (node.state != NodeState::kDraining || proposing_state_[id]) continue;
    if (port_->state()->HoldsReplicas(id)) continue;
    SetState(id, NodeState::kDrained, "nothing is left on it");
  }
}

// ---- what to move ----

// Whether so much time has gone by since the moment that a decree noted: by what this leader saw
// itself, or by replicated time, which a new leader has in common with the old one.
bool PlacementLeader::Passed(WallMs since, Duration seen, Duration delay) const {
  const auto delay_ms = static_cast<WallMs>(delay / milliseconds(1));
  return seen > delay || port_->Time() > since + delay_ms;
}

rebalance::ClusterView PlacementLeader::View() const {
  rebalance::ClusterView view;
  view.state = port_->state();
  const auto delay = std::chrono::seconds(view.state->settings().dead_node_delay_s);
  std::map<ShardId, std::uint64_t> counted;
  for (const auto& [id, node] : view.state->nodes()) {
    view.alive[id] = Alive(id);
    const bool maintained = node.maintained(port_->Time());
    if (maintained) view.maintained.insert(id);
    view.dead_for_good[id] =
        !maintained && node.dead() && Passed(node.dead_since_ms, *SilenceOf(id), delay);
    for (const rebalance::DiskRecord& disk : node.disks) {
      const bool missing = disk.missing_since_ms != 0;
      if (missing && !Passed(disk.missing_since_ms, Duration::zero(), delay)) {
        view.awaited_disks.insert(disk.incarnation);
      }
    }
    const auto heard = heard_.find(id);
    if (heard == heard_.end()) continue;
    for (const DiskReport& disk : heard->second.report.disks) {
      view.disk_used_bytes[disk.incarnation] = disk.used_bytes;
    }
    for (const ReplicaReport& replica : heard->second.report.replicas) {
      rebalance::ShardLoad& load = view.loads[replica.key.shard];
      ++counted[replica.key.shard];
      load.bytes += replica.bytes;
      load.ops_per_s += replica.ops_per_s;
      if (replica.leader) load.leader = id;
    }
  }
  for (auto& [shard, load] : view.loads) load.bytes /= counted[shard];
  return view;
}

std::string PlacementLeader::DrainObstacle(NodeId node) const {
  if (!AllHeard()) return {};
  rebalance::ClusterView view = View();
  view.also_draining = node;
  return rebalance::DrainObstacle(view);
}

rebalance::Plan PlacementLeader::Plan() const { return rebalance::MakePlan(View(), kPlanLimit); }

void PlacementLeader::StartMoves() {
  if (proposing_moves_ > 0 || !AllHeard()) return;
  const Instant now = port_->executor().Now();
  const std::pair<std::uint64_t, std::size_t> seen(port_->state()->version(),
                                                   port_->state()->ActiveMoves().size());
  const bool changed = planned_for_ != seen;
  if (!changed && planned_at_.ns > 0 && now - planned_at_ < kReplanEvery) return;
  planned_at_ = now;
  planned_for_ = seen;
  const rebalance::ClusterView view = View();
  const rebalance::Plan plan = rebalance::MakePlan(view, kPlanLimit);
  for (const rebalance::PlannedMove& move : rebalance::StartableNow(view, plan)) {
    if (Resting(move.start.shard)) {
      SOMETIMES(placement_rests_after_failed_moves);
    } else {
      StartOne(move);
    }
  }
  const bool quiet = plan.moves.empty() && !view.state->Moving();
  const bool even_out = quiet && view.state->settings().rebalance;
  std::size_t transfers = 0;
  for (const rebalance::PlannedTransfer& transfer : plan.transfers) {
    if (!transfer.leaves && !even_out) continue;
    if (transfers++ < kTransfersATick) Transfer(transfer);
  }
}

// Whether the last moves of the shard were rolled back so recently that a new one would fail like
// them.
bool PlacementLeader::Resting(ShardId shard) const {
  std::size_t failures = 0;
  WallMs last = 0;
  const auto& moves = port_->state()->moves();
  for (auto it = moves.rbegin(); it != moves.rend() && failures <= kMostRestDoublings; ++it) {
    if (it->second.shard != shard) continue;
    if (it->second.stage != rebalance::Stage::kRolledBack) break;
    if (failures++ == 0) last = it->second.finished_ms;
  }
  const WallMs rest = failures ? WallMs{1000} << (failures - 1) : 0;
  return port_->Time() < last + rest;
}

void PlacementLeader::StartOne(const rebalance::PlannedMove& move) {
  ++proposing_moves_;
  port_->Propose(move.start, [this, generation = generation_](CommandResult) {
    if (generation == generation_) --proposing_moves_;
  });
}

// Leaders are evened out by handing over; an attempt that fails is planned again.
void PlacementLeader::Transfer(const rebalance::PlannedTransfer& transfer) {
  const rebalance::ShardRecord* shard = port_->state()->Shard(transfer.shard);
  if (!shard) return;
  ChangeMembers change;
  change.kind = ChangeKind::kTransferLeader;
  change.epoch = shard->entry.epoch;
  change.member = {transfer.to_replica, transfer.to};
  RpcRequest request{Method::kChangeMembers, transfer.shard, 1000, Encode(change)};
  port_->CallNode(transfer.from, std::move(request), [](RpcResponse) {});
}

}  // namespace decree::node
