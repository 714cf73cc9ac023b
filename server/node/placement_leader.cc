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

using rebalance::NodeState;

bool SameRegistration(const rebalance::NodeRecord& known, const rebalance::NodeRecord& said) {
  const bool name = said.name.empty() || said.name == known.name;
  if (!name || said.rpc != known.rpc || said.http != known.http || said.zone != known.zone) {
    return false;
  }
  for (const rebalance::DiskRecord& disk : said.disks) {
    const auto same = [&](const rebalance::DiskRecord& d) {
      return d.incarnation == disk.incarnation && d.state == disk.state;
    };
    if (std::none_of(known.disks.begin(), known.disks.end(), same)) return false;
  }
  return true;
}

bool Holds(const ShardEntry& entry, NodeId node) {
  return std::any_of(entry.replicas.begin(), entry.replicas.end(),
                     [&](const ReplicaPlace& place) { return place.node == node; });
}

bool HoldsAnything(const rebalance::PlacementState& state, NodeId node) {
  if (Holds(state.placement().entry, node)) return true;
  for (const rebalance::ShardRecord& shard : state.shards()) {
    if (Holds(shard.entry, node)) return true;
  }
  for (const rebalance::MoveRecord* move : state.ActiveMoves()) {
    if (move->source.node == node || move->target.node == node) return true;
  }
  return false;
}

}  // namespace

void PlacementLeader::Start() {
  if (running_) return;
  running_ = true;
  started_ = port_->executor().Now();
  heard_.clear();
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
  heard_[node] = {std::move(report), port_->executor().Now()};
}

// A node that came back, perhaps with other addresses or a new disk, registers by its report.
void PlacementLeader::CheckRegistration(const NodeReport& report) {
  const rebalance::NodeRecord& known = port_->state()->nodes().at(report.node.id);
  const bool back = known.state == NodeState::kDead;
  if (known.state == NodeState::kRemoved || proposing_state_[known.id]) return;
  if (!back && SameRegistration(known, report.node)) return;
  proposing_state_[known.id] = true;
  port_->Propose(rebalance::RegisterNode{report.node},
                 [this, node = known.id](CommandResult) { proposing_state_[node] = false; });
}

std::optional<Duration> PlacementLeader::SilenceOf(NodeId node) const {
  if (!running_) return std::nullopt;
  const auto heard = heard_.find(node);
  return port_->executor().Now() - (heard == heard_.end() ? started_ : heard->second.at);
}

bool PlacementLeader::Alive(NodeId node) const {
  const auto silence = SilenceOf(node);
  return heard_.count(node) && silence && *silence <= port_->config().suspect_after;
}

bool PlacementLeader::AllHeard() const {
  for (const auto& [id, node] : port_->state()->nodes()) {
    const bool expected = node.state == NodeState::kUp || node.state == NodeState::kDraining;
    if (expected && !Alive(id)) return false;
  }
  return true;
}

void PlacementLeader::CheckLiveness() {
  for (const auto& [id, node] : port_->state()->nodes()) {
    const Duration silence = *SilenceOf(id);
    if (node.state != NodeState::kUp || proposing_state_[id]) continue;
    if (silence <= port_->config().suspect_after * kDeadAfterWindows) continue;
    SOMETIMES(node_declared_dead);
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
    if (HoldsAnything(*port_->state(), id)) continue;
    SetState(id, NodeState::kDrained, "nothing is left on it");
  }
}

// ---- what to move ----

rebalance::ClusterView PlacementLeader::View() const {
  rebalance::ClusterView view;
  view.state = port_->state();
  const auto delay = std::chrono::seconds(view.state->settings().dead_node_delay_s);
  std::map<ShardId, std::uint64_t> counted;
  for (const auto& [id, node] : view.state->nodes()) {
    view.alive[id] = Alive(id);
    view.dead_for_good[id] = node.state == NodeState::kDead && *SilenceOf(id) > delay;
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
  for (const rebalance::PlannedMove& move : rebalance::StartableNow(view, plan)) StartOne(move);
  if (!plan.moves.empty() || !view.state->ActiveMoves().empty()) return;
  const std::size_t transfers = std::min(plan.transfers.size(), kTransfersATick);
  for (std::size_t i = 0; i < transfers; ++i) Transfer(plan.transfers[i]);
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
