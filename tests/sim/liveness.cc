#include "tests/sim/liveness.h"

#include <algorithm>

namespace decree::sim {
namespace {

constexpr std::int64_t kElectionTimeouts = 20;
// What a move may need: a stall is noticed, the rollback itself is found stuck and let go of, or a
// node is found dead; each within that stall or a few suspect windows (rebalance/MOVES.md). No
// operator leaves moves at a few KiB a second meanwhile.
constexpr const char* kSettings = "{\"move_stall_s\":5,\"move_rate_bytes_per_s\":67108864}";
constexpr Nanos kMovesEnd = 90 * kSeconds;
constexpr Nanos kLook = 20 * kMillis;
constexpr Nanos kProbeAgain = 400 * kMillis;
// What was under way when the others were healed is over by then, and decides nothing any more.
constexpr Nanos kUnderWay = 500 * kMillis;
constexpr Nanos kForGood = 3'600 * kSeconds;

}  // namespace

Liveness::Liveness(Cluster& cluster, Faults& faults, std::uint64_t seed)
    : cluster_(cluster), world_(cluster.world()), faults_(faults), random_(seed) {}

void Liveness::Run() {
  faults_.Stop();
  faults_.FinishWhatBegan();  // a machine whose disks are about to be replaced is lost, not well
  Choose();
  for (const MachineId id : broken_) {
    how_ += " node " + std::to_string(id);
    if (random_.Chance(0.3) || !LeaveAsItIs(id)) Break(id);
  }
  world_.Trace("liveness", 0, broken_.size());
  HealOthers();
  // One that was paused while it was stopping ends only now.
  world_.RunUntil([this] { return cluster_.BootAll(), OthersStarted(); }, 5 * kSeconds);
  world_.RunFor(kUnderWay);
  CheckDecisions();
  CheckMoves();
  Free();
}

void Liveness::HealOthers() {
  cluster_.network().HealAll();
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    if (!broken_.contains(id)) cluster_.node(id).Heal();
  }
  cluster_.BootAll();
}

bool Liveness::OthersStarted() {
  const std::vector<MachineId> members = cluster_.Members();
  return std::all_of(members.begin(), members.end(), [this](MachineId id) {
    return broken_.contains(id) || (cluster_.node(id).started() && !cluster_.node(id).stopping());
  });
}

// A minority of the machines; smaller ones are tried if no shard can spare so many.
void Liveness::Choose() {
  const std::vector<MachineId> members = cluster_.Members();
  const std::size_t most = (members.size() - 1) / 2;
  for (int attempt = 0; attempt < 30 && broken_.empty(); ++attempt) {
    std::set<MachineId> broken;
    const std::uint64_t size = random_.Between(0, most);
    while (broken.size() < size) {
      broken.insert(members[random_.Below(members.size())]);
    }
    if (KeepsQuorums(broken)) broken_ = std::move(broken);
  }
}

std::vector<ShardId> Liveness::Shards() const {
  std::vector<ShardId> shards{kPlacementShard};
  for (std::uint32_t i = 0; i < cluster_.options().shards; ++i) shards.push_back(ShardId{i});
  return shards;
}

bool Liveness::KeepsQuorums(const std::set<MachineId>& broken) {
  const std::vector<ShardId> shards = Shards();
  return std::all_of(shards.begin(), shards.end(),
                     [&](ShardId shard) { return KeepsQuorum(shard, broken); });
}

// Also of the members that a chosen Seal has left behind: until the next epoch has begun the new
// ones may still have to learn from them (design.md section 4, step 10).
bool Liveness::KeepsQuorum(ShardId shard, const std::set<MachineId>& broken) {
  const consensus::Config* begun = cluster_.atlas().Begun(shard);
  return KeepsMost(shard, cluster_.network().core_checker().LatestConfig(shard), broken) &&
         (begun == nullptr || KeepsMost(shard, *begun, broken));
}

// Strict on purpose: a Seal may be under way to any set of these members. Of five only to another
// five, as long as five are wanted and no move of the shard is under way.
std::size_t Liveness::MostToLose(ShardId shard, const consensus::Config& config) {
  const PlacementChecker& placement = cluster_.network().core_checker().placement();
  const bool moves = std::any_of(placement.active().begin(), placement.active().end(),
                                 [&](const auto& move) { return move.second.shard == shard; });
  const bool stays = placement.replicas() == 5 && !moves && shard != kPlacementShard;
  if (config.voters.size() == 5 && stays) return 2;
  return config.voters.size() >= 3 ? 1 : 0;
}

bool Liveness::KeepsMost(ShardId shard, const consensus::Config& config,
                         const std::set<MachineId>& broken) {
  std::size_t lost = 0;
  for (const auto* members : {&config.voters, &config.learners}) {
    for (const consensus::Member& member : *members) {
      lost += !IsWell({shard, member.id}, cluster_.network().MachineOf(member.node), broken);
    }
  }
  return lost <= MostToLose(shard, config);
}

// Its rows are on a disk that works, of a machine that is not to be broken.
bool Liveness::IsWell(ReplicaKey key, MachineId machine, const std::set<MachineId>& broken) {
  if (machine == 0 || broken.contains(machine)) return false;
  for (std::size_t i = 0; i < cluster_.node(machine).disks(); ++i) {
    SimDisk& disk = cluster_.node(machine).disk(i);
    if (disk.HasRows(key) && disk.works()) return true;
  }
  return false;
}

bool Liveness::LeaveAsItIs(MachineId id) {
  Machine& machine = cluster_.node(id);
  const Links cuts = cluster_.network().BrokenLinksOf(id);
  cluster_.network().CutForGood(cuts);
  if (!machine.up()) {
    how_ += " stays off;";
    machine.KeepOff(true);
  } else if (machine.paused()) {
    how_ += " stays paused;";
    machine.Pause(kForGood);
  } else if (!cuts.empty()) {
    how_ += " stays cut off in part;";
  }
  return !machine.up() || machine.paused() || !cuts.empty();
}

// At least one of them.
Links Liveness::SomeLinksOf(MachineId id) {
  const Links all = LinksOf(id, true, true, cluster_.size());
  Links some{all[random_.Below(all.size())]};
  for (const Link& link : all) {
    if (random_.Chance(0.5)) some.push_back(link);
  }
  return some;
}

void Liveness::Break(MachineId id) {
  Network& network = cluster_.network();
  Machine& machine = cluster_.node(id);
  switch (random_.Below(7)) {
    case 0:
      how_ += " hears nobody;";
      return network.CutForGood(LinksOf(id, true, false, cluster_.size()));
    case 1:
      how_ += " is heard by nobody;";
      return network.CutForGood(LinksOf(id, false, true, cluster_.size()));
    case 2:
      how_ += " is cut off;";
      return network.CutForGood(LinksOf(id, true, true, cluster_.size()));
    case 3:
      how_ += " is slow;";
      machine.disk_times().slow_for_good = true;
      return;
    case 4:
      how_ += " has lost some of its links;";
      return network.CutForGood(SomeLinksOf(id));
    case 5:
      how_ += " is paused;";
      return machine.Pause(kForGood);
    default:
      how_ += " is off;";
      machine.Crash();
      machine.KeepOff(true);
  }
}

void Liveness::Free() {
  cluster_.network().HealForGood();
  for (const MachineId id : broken_) {
    cluster_.node(id).disk_times().slow_for_good = false;
    cluster_.node(id).Heal();
    cluster_.node(id).KeepOff(false);
  }
}

MachineId Liveness::AnyHealed() {
  std::vector<MachineId> healed = cluster_.Up();
  std::erase_if(healed, [this](MachineId id) { return broken_.contains(id); });
  return healed.empty() ? 1 : healed[random_.Below(healed.size())];
}

// Asks the shard for something to decide, through the door of a healed machine.
void Liveness::Probe(ShardId shard) {
  const MachineId at = AnyHealed();
  if (!cluster_.node(at).started()) return;
  if (shard == kPlacementShard) {
    return cluster_.StartAdmin(
        at, {"PATCH", "/v1/admin/settings", kSettings},
        [&world = world_, at](const AdminResponse& answer) {
          world.Say(at, "probe answered: " + std::to_string(answer.status) + " " + answer.body);
        });
  }
  Operation put;
  put.kind = OperationKind::kPut;
  put.key = cluster_.KeyOf(shard, "probe");
  put.value = "x";
  cluster_.Start(at, put, [](OperationResult) {});
}

void Liveness::CheckDecisions() {
  const CoreChecker& checker = cluster_.network().core_checker();
  std::map<ShardId, std::uint64_t> waiting;
  for (const ShardId shard : Shards()) waiting[shard] = checker.Decided(shard);
  const Nanos limit = kElectionTimeouts * cluster_.options().consensus.election_max.count();
  const Nanos end = world_.now() + limit;
  Nanos probe_at = world_.now();
  while (!waiting.empty() && world_.now() < end) {
    if (world_.now() >= probe_at) {
      for (const auto& [shard, before] : waiting) Probe(shard);
      probe_at = world_.now() + kProbeAgain;
    }
    world_.RunFor(kLook);
    std::erase_if(waiting,
                  [&](const auto& shard) { return checker.Decided(shard.first) > shard.second; });
  }
  for (const auto& [shard, before] : waiting) {
    SayWhereItStands(shard);
    world_.Fail("liveness: " + Describe(shard) + " decides nothing for 20 election timeouts," +
                how_);
  }
}

void Liveness::SayWhereItStands(ShardId shard) {
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    const auto status = cluster_.Status(id, shard);
    if (!status) {
      world_.Say(id, "does not answer");
      continue;
    }
    std::string voters;
    for (const auto& voter : status->config.voters) {
      voters += " " + ToString(voter.id) + "@" + ToString(voter.node);
    }
    world_.Say(id, "exists " + std::to_string(status->exists) + " leads " +
                       std::to_string(status->leader) + " epoch " + ToString(status->config.epoch) +
                       " voters" + voters + " chosen " + ToString(status->chosen) + " applied " +
                       ToString(status->applied) + " tombstone " + ToString(status->tombstone) +
                       " problem " + status->problem);
  }
}

// A minute without progress is what operators have patience for; a test need not.
void Liveness::GiveUpMovesSoon() {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const auto answer = cluster_.Admin(AnyHealed(), "PATCH", "/v1/admin/settings", kSettings);
    if (answer && answer->status == 200) return;
  }
  world_.Fail("liveness: the placement group takes no setting," + how_);
}

// An operator's pause that was given up may have been heard after it was taken back.
void Liveness::Resume(MoveId move) {
  const MachineId at = AnyHealed();
  if (!cluster_.node(at).started()) return;
  cluster_.StartAdmin(at, {"POST", "/v1/admin/moves/" + ToString(move) + ":resume", ""},
                      [](const AdminResponse&) {});
}

void Liveness::CheckMoves() {
  const PlacementChecker& placement = cluster_.network().core_checker().placement();
  GiveUpMovesSoon();
  std::set<MoveId> waiting;
  for (const auto& [id, move] : placement.active()) waiting.insert(id);
  const Nanos end = world_.now() + kMovesEnd;
  Nanos resume_at = world_.now();
  while (!waiting.empty() && world_.now() < end) {
    if (world_.now() >= resume_at) {
      for (const MoveId id : placement.Paused()) Resume(id);
      resume_at = world_.now() + kProbeAgain;
    }
    world_.RunFor(kLook);
    std::erase_if(waiting, [&](MoveId id) { return !placement.active().contains(id); });
  }
  for (const MoveId id : waiting) {
    const rebalance::MoveRecord& move = placement.active().at(id);
    world_.Fail("liveness: move " + ToString(id) + " of " + Describe(move.shard) +
                " does not end, at " + std::string(rebalance::StageName(move.stage)) +
                " from node " + ToString(move.source.node) + " to " + ToString(move.target.node) +
                " (" + move.error + ")," + how_);
  }
}

std::string Liveness::Describe(ShardId shard) {
  const consensus::Config& config = cluster_.network().core_checker().LatestConfig(shard);
  std::string text = shard == kPlacementShard ? "the placement group" : "shard " + ToString(shard);
  text += " (epoch " + ToString(config.epoch) + ", on";
  for (const consensus::Member& voter : config.voters) text += " " + ToString(voter.node);
  return text + ")";
}

}  // namespace decree::sim
