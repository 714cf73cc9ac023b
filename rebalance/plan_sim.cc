#include "rebalance/plan_sim.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "rebalance/move_members.h"
#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

constexpr std::size_t kMostMoves = 1'000'000;  // of one plan

NodeRecord Describe(const NodeShape& shape, std::uint64_t& disks) {
  NodeRecord node;
  for (const std::uint64_t bytes : shape.disk_bytes) {
    node.disks.push_back({Incarnation{++disks}, "disk", bytes, DiskState::kOk});
  }
  node.zone = shape.zone;
  node.rpc = "node-of-disk-" + std::to_string(disks);
  node.http = node.rpc;
  return node;
}

Status ToStatus(const CommandResult& result) {
  if (result.code == Errc::kOk) return {};
  return Error(result.code, result.detail);
}

// No cluster has so many shards, or such a number, as the planner may be tried with: they are put
// into the rows of one that has a single shard.
Result<PlacementState> WithShards(PlacementState& founded, const NodeRecord& first,
                                  std::size_t shards) {
  std::map<std::string, std::string> rows;
  for (auto& [key, value] : founded.TakeChangedRows()) rows[key] = std::move(*value);
  ShardRecord record = *founded.Shard(ShardId{0});
  for (std::uint32_t i = 0; i < shards; ++i) {
    record.entry.replicas[0].disk = BootstrapDisk(first, ShardId{i});
    rows[RowKey(ShardId{i})] = Encode(record);
  }
  return PlacementState::FromRows({rows.begin(), rows.end()});
}

// The smallest shards that could have been the `count` new copies of a disk.
std::uint64_t LeastBytes(std::vector<std::uint64_t> sizes, std::size_t count) {
  std::sort(sizes.begin(), sizes.end());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < std::min(count, sizes.size()); ++i) bytes += sizes[i];
  return bytes;
}

}  // namespace

consensus::Config MembersAfter(const PlacementState& state, const MoveRecord& move) {
  consensus::Config config;
  const ShardEntry& entry = state.Shard(move.shard)->entry;
  MemberFacts facts;
  facts.wanted = WantedCopies(state.settings(), move.shard);
  facts.caught_up.insert(move.target.replica);
  for (const ReplicaPlace& place : entry.replicas) {
    (place.voter ? config.voters : config.learners).push_back({place.replica, place.node});
    facts.caught_up.insert(place.replica);
  }
  NextMembers next = MembersAfter(move, config, facts);
  config.epoch = entry.epoch.Next();
  config.voters = std::move(next.voters);
  config.learners = std::move(next.learners);
  return config;
}

Result<PlanSim> PlanSim::Make(std::uint32_t replicas, const NodeShape& first,
                              const std::vector<ShardShape>& shards) {
  PlanSim sim;
  if (shards.empty()) return Error(Errc::kInvalidArgument, "a cluster needs a shard");
  Bootstrap bootstrap;
  bootstrap.cluster = ClusterId{1};
  bootstrap.shards = 1;
  bootstrap.replicas = replicas;
  bootstrap.first = Describe(first, sim.disks_);
  const CommandResult founded = sim.state_.Apply(Slot{++sim.slot_}, 1, {NodeId{1}, bootstrap});
  if (Status done = ToStatus(founded); !done) return done.error();
  Result<PlacementState> state = WithShards(sim.state_, bootstrap.first, shards.size());
  if (!state) return state.error();
  sim.state_ = std::move(*state);
  sim.alive_[NodeId{1}] = true;
  for (std::uint32_t i = 0; i < shards.size(); ++i) {
    sim.loads_[ShardId{i}] = {shards[i].bytes, shards[i].ops_per_s, NodeId{1}};
  }
  return sim;
}

CommandResult PlanSim::Do(PlacementChange change) {
  ++slot_;
  CommandResult result =
      state_.Apply(Slot{slot_}, static_cast<WallMs>(slot_), {NodeId{1}, std::move(change)});
  state_.TakeChangedRows();
  return result;
}

Result<NodeId> PlanSim::AddNode(const NodeShape& shape) {
  const CommandResult result = Do(RegisterNode{Describe(shape, disks_)});
  if (result.code != Errc::kOk) return Error(result.code, result.detail);
  const NodeId id{static_cast<std::uint32_t>(result.version)};
  alive_[id] = true;
  return id;
}

Status PlanSim::SetDraining(NodeId node, bool draining) {
  return ToStatus(
      Do(SetNodeState{node, draining ? NodeState::kDraining : NodeState::kUp, "described"}));
}

Status PlanSim::Kill(NodeId node) {
  if (Status dead = ToStatus(Do(SetNodeState{node, NodeState::kDead, "described"})); !dead) {
    return dead;
  }
  alive_[node] = false;
  return {};
}

Status PlanSim::Resize(ShardId shard, const ShardShape& shape) {
  const auto load = loads_.find(shard);
  if (load == loads_.end()) return Error(Errc::kNotFound, "no shard " + ToString(shard));
  load->second.bytes = shape.bytes;
  load->second.ops_per_s = shape.ops_per_s;
  return {};
}

std::uint64_t PlanSim::Bytes(ShardId shard) const {
  const auto load = loads_.find(shard);
  return load == loads_.end() ? 0 : load->second.bytes;
}

PlanSim::Copies PlanSim::LivingCopies() const {
  Copies copies;
  for (std::uint32_t i = 0; i < state_.shards().size(); ++i) {
    for (const ReplicaPlace& place : state_.shards()[i].entry.replicas) {
      if (alive_.at(place.node)) copies[place.disk][ShardId{i}] = Bytes(ShardId{i});
    }
  }
  return copies;
}

std::vector<PlanSim::DiskCopies> PlanSim::Disks() const {
  const Copies copies = LivingCopies();
  std::vector<DiskCopies> disks;
  for (const auto& [id, node] : state_.nodes()) {
    for (const DiskRecord& disk : node.disks) {
      DiskCopies& all = disks.emplace_back(DiskCopies{id, disk.incarnation});
      const auto held = copies.find(disk.incarnation);
      if (held == copies.end()) continue;
      all.copies = held->second.size();
      for (const auto& [shard, bytes] : held->second) all.bytes += bytes;
    }
  }
  return disks;
}

ClusterView PlanSim::Look() const {
  ClusterView view;
  view.state = &state_;
  view.loads = loads_;
  view.alive = alive_;
  for (const auto& [node, alive] : alive_) view.dead_for_good[node] = !alive;
  for (const DiskCopies& disk : Disks()) view.disk_used_bytes[disk.disk] = disk.bytes;
  return view;
}

// As a Seal with all learners caught up would.
Status PlanSim::Carry(const PlannedMove& planned) {
  StartMove start = planned.start;
  start.epoch = state_.Shard(start.shard)->entry.epoch;
  const CommandResult started = Do(start);
  if (started.code != Errc::kOk) return Error(started.code, started.detail);
  const MoveRecord move = *state_.Move(MoveId{started.version});
  AdvanceMove advance;
  advance.move = move.id;
  for (const Stage stage :
       {Stage::kAddLearner, Stage::kSnapshot, Stage::kCatchUp, Stage::kVerify, Stage::kSeal,
        Stage::kActivate, Stage::kPublish, Stage::kCleanUp, Stage::kDone}) {
    if (!IsLegalSuccessor(*state_.Move(move.id), stage)) continue;
    advance.stage = stage;
    advance.members = std::nullopt;
    if (stage == Stage::kPublish) advance.members = MembersAfter(state_, move);
    if (Status done = ToStatus(Do(advance)); !done) return done;
  }
  return {};
}

bool PlanSim::CarryAll(const Plan& plan, SettleReport& report) {
  for (const PlannedMove& move : plan.moves) {
    if (!Carry(move)) return false;
    report.moves.push_back(move);
    report.bytes_moved += move.bytes;
  }
  for (const PlannedTransfer& transfer : plan.transfers) {
    const auto load = loads_.find(transfer.shard);
    if (load != loads_.end()) load->second.leader = transfer.to;
    ++report.transfers;
  }
  return true;
}

SettleReport PlanSim::Settle(std::size_t most_rounds) {
  SettleReport report;
  const Copies before = LivingCopies();
  report.spread_before = Spread(Look());
  for (; report.rounds < most_rounds; ++report.rounds) {
    Plan plan = MakePlan(Look(), kMostMoves);
    report.rejected = std::move(plan.rejected);
    report.settled = plan.moves.empty() && plan.transfers.empty();
    if (report.settled || !CarryAll(plan, report)) break;
  }
  report.spread_after = Spread(Look());
  std::vector<std::uint64_t> sizes;
  for (const auto& [shard, load] : loads_) sizes.push_back(load.bytes);
  for (const auto& [disk, copies] : LivingCopies()) {
    const auto had = before.find(disk);
    const std::size_t former = had == before.end() ? 0 : had->second.size();
    if (copies.size() > former) report.bytes_least += LeastBytes(sizes, copies.size() - former);
  }
  return report;
}

}  // namespace decree::rebalance
