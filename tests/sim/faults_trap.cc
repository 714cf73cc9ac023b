// Traps: faults that wait for a moment inside a protocol step, which faults at random times seldom
// hit. A trap springs once, at whichever machine comes to its moment first.
#include <algorithm>
#include <utility>
#include <variant>

#include "tests/sim/faults.h"

namespace decree::sim {
namespace {

bool Votes(const consensus::Output& output, consensus::DecreeKind kind) {
  if (!output.persist) return false;
  const auto& votes = output.persist->votes;
  return std::any_of(votes.begin(), votes.end(),
                     [kind](const consensus::Vote& vote) { return vote.decree.kind == kind; });
}

bool Prepares(const consensus::Output& output) {
  const auto prepares = [](const consensus::Outgoing& out) {
    return std::holds_alternative<consensus::Prepare>(out.message);
  };
  return std::any_of(output.send.begin(), output.send.end(), prepares) ||
         std::any_of(output.send_after_persist.begin(), output.send_after_persist.end(), prepares);
}

// Those that lead to something only together with others come more often.
Moment DrawMoment(Random& random) {
  const std::uint64_t drawn = random.Below(kMoments + 4);
  if (drawn < kMoments) return static_cast<Moment>(drawn);
  return drawn == kMoments ? Moment::kCampaignsAgain : Moment::kMoving;
}

}  // namespace

bool Faults::HasCome(Moment moment, ReplicaKey key, const consensus::Replica& replica,
                     const consensus::Output& output) {
  const bool leads = replica.role() == consensus::Role::kLeader;
  switch (moment) {
    case Moment::kSealProposed:
      return leads && Votes(output, consensus::DecreeKind::kSeal);
    case Moment::kSealVoted:
      return !leads && Votes(output, consensus::DecreeKind::kSeal);
    case Moment::kEpochBegins:
      return Votes(output, consensus::DecreeKind::kEpochStart);
    case Moment::kElected:
      return leads && output.leadership_changed && !replica.ReadyLeader();
    case Moment::kProposed:
      return leads && Votes(output, consensus::DecreeKind::kCommandBatch);
    case Moment::kVoted:
      return !leads && Votes(output, consensus::DecreeKind::kCommandBatch);
    case Moment::kCampaigns:
      return replica.role() == consensus::Role::kCandidate && Prepares(output);
    case Moment::kLeased:
      return replica.LeaseUntil().has_value();
    case Moment::kCampaignsAgain:
      return replica.role() == consensus::Role::kCandidate && Prepares(output) &&
             cluster_.network().WasPromised(key);
    case Moment::kMoving:
      return leads && replica.ReadyLeader() && replica.config().voters.size() > 1 && IsMoving(key);
  }
  return false;
}

bool Faults::IsMoving(ReplicaKey key) {
  const auto& moves = cluster_.network().core_checker().placement().active();
  return std::any_of(moves.begin(), moves.end(), [&](const auto& entry) {
    const rebalance::MoveRecord& move = entry.second;
    const bool close =
        move.stage >= rebalance::Stage::kCatchUp && move.stage <= rebalance::Stage::kSeal;
    return close && move.shard == key.shard && move.source.replica != key.replica;
  });
}

bool Faults::SetTrap(const PlannedFault& fault, Random& random) {
  const bool at_holder =
      (fault.kind == Fault::kLateAnswers || fault.kind == Fault::kGrantorRestarts) &&
      cluster_.size() > 1;
  if (fault.kind != Fault::kTrap && !at_holder) return false;
  const auto moment = at_holder ? Moment::kLeased : DrawMoment(random);
  traps_.push_back({moment, fault.outage, Random(random.Next()), fault.kind});
  cluster_.network().core_checker().on_step = [this](ReplicaKey key, const auto& replica,
                                                     const consensus::Output& output) {
    OnStep(key, replica, output);
  };
  return true;
}

void Faults::OnStep(ReplicaKey key, const consensus::Replica& replica,
                    const consensus::Output& output) {
  WatchMuted(key, replica, output);
  const auto trap = std::find_if(traps_.begin(), traps_.end(), [&](const Trap& set) {
    return HasCome(set.moment, key, replica, output);
  });
  const consensus::Member* self = replica.config().Find(key.replica);
  if (trap == traps_.end() || self == nullptr) return;
  Trap sprung = std::move(*trap);
  traps_.erase(trap);
  // Before what the step sends has left, or while it is on its way.
  const auto delay = static_cast<Nanos>(sprung.random.Below(1 * kMillis));
  world_.After(delay,
               [this, node = self->node, key, sprung]() mutable { Spring(node, key, sprung); });
}

void Faults::Spring(NodeId node, ReplicaKey key, Trap& trap) {
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    Machine& machine = cluster_.node(id);
    if (!on_ || !machine.started() || machine.core().id() != node) continue;
    ++counts_["trap_sprung"];
    if (trap.does != Fault::kTrap) return HitHolder(trap.does, id, trap.outage, trap.random);
    if (trap.moment == Moment::kCampaignsAgain) return cluster_.network().ReplayPromises(key);
    if (trap.moment == Moment::kMoving) return Mute(id, key);
    const std::uint64_t way = trap.random.Below(4);
    if (way == 0) {
      machine.Crash(trap.random);
      return BootAfter(trap.outage, id);
    }
    if (way == 1) return machine.Pause(trap.outage / 2);
    // What it says reaches some, what they say reaches it or not.
    Links links;
    const bool deaf = way == 2;
    for (const Link& link : LinksOf(id, deaf, true, cluster_.size())) {
      if (link.second == id || trap.random.Chance(0.6)) links.push_back(link);
    }
    cluster_.network().Cut(links);
    // One after the other, so that what is repeated reaches some of them first.
    for (const Link& link : links) {
      const Nanos lasts =
          trap.outage / 2 +
          static_cast<Nanos>(trap.random.Below(static_cast<std::uint64_t>(trap.outage / 2 + 1)));
      world_.After(lasts, [this, link] { cluster_.network().Heal({link}); });
    }
    return;
  }
}

// Clients go on writing to it, others do not get its votes: the next leader begins below them, and
// seals below them if clients are silent then.
void Faults::Mute(MachineId id, ReplicaKey leader) {
  const std::uint64_t number = ++last_muted_;
  const Links links = LinksOf(id, false, true, cluster_.size());
  cluster_.network().Cut(links);
  muted_[number] = Muted{id, leader, links};
  if (surge) surge(id, leader.shard);
  world_.After(8 * kSeconds, [this, number] { Unmute(number); });
}

void Faults::WatchMuted(ReplicaKey key, const consensus::Replica& replica,
                        const consensus::Output& output) {
  if (replica.role() != consensus::Role::kLeader) return;
  const consensus::Member* self = replica.config().Find(key.replica);
  for (const auto& [number, muted] : muted_) {
    if (muted.leader.shard != key.shard || muted.leader == key || self == nullptr) continue;
    if (output.leadership_changed && silence) silence(world_.now() + 3 * kSeconds);
    if (!Votes(output, consensus::DecreeKind::kSeal)) continue;
    world_.After(0, [this, number, node = self->node] { HearOnly(number, node); });
  }
}

void Faults::HearOnly(std::uint64_t number, NodeId listener) {
  const auto muted = muted_.find(number);
  if (muted == muted_.end()) return;
  Links links;
  for (MachineId to = 1; to <= cluster_.size(); ++to) {
    Machine& machine = cluster_.node(to);
    if (!machine.started() || machine.core().id() != listener) continue;
    for (MachineId from = 1; from <= cluster_.size(); ++from) {
      if (from != to && from != muted->second.id) links.push_back({from, to});
    }
  }
  Unmute(number);
  if (!on_) return;
  ++counts_["trap_sealed_below"];
  cluster_.network().Cut(links);
  world_.After(2 * kSeconds, [this, links] { cluster_.network().Heal(links); });
}

void Faults::Unmute(std::uint64_t number) {
  const auto muted = muted_.find(number);
  if (muted == muted_.end()) return;
  cluster_.network().Heal(muted->second.links);
  muted_.erase(muted);
  if (silence) silence(world_.now());
}

}  // namespace decree::sim
