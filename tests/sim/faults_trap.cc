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

bool HasCome(Moment moment, const consensus::Replica& replica, const consensus::Output& output) {
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
  }
  return false;
}

}  // namespace

bool Faults::SetTrap(const PlannedFault& fault, Random& random) {
  const bool at_holder =
      (fault.kind == Fault::kLateAnswers || fault.kind == Fault::kGrantorRestarts) &&
      cluster_.size() > 1;
  if (fault.kind != Fault::kTrap && !at_holder) return false;
  const auto moment = at_holder ? Moment::kLeased : static_cast<Moment>(random.Below(kMoments));
  traps_.push_back({moment, fault.outage, Random(random.Next()), fault.kind});
  cluster_.network().core_checker().on_step = [this](ReplicaKey key, const auto& replica,
                                                     const consensus::Output& output) {
    OnStep(key, replica, output);
  };
  return true;
}

void Faults::OnStep(ReplicaKey key, const consensus::Replica& replica,
                    const consensus::Output& output) {
  const auto trap = std::find_if(traps_.begin(), traps_.end(), [&](const Trap& set) {
    return HasCome(set.moment, replica, output);
  });
  const consensus::Member* self = replica.config().Find(key.replica);
  if (trap == traps_.end() || self == nullptr) return;
  Trap sprung = std::move(*trap);
  traps_.erase(trap);
  // Before what the step sends has left, or while it is on its way.
  const auto delay = static_cast<Nanos>(sprung.random.Below(1 * kMillis));
  world_.After(delay, [this, node = self->node, sprung]() mutable { Spring(node, sprung); });
}

void Faults::Spring(NodeId node, Trap& trap) {
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    Machine& machine = cluster_.node(id);
    if (!on_ || !machine.started() || machine.core().id() != node) continue;
    ++counts_["trap_sprung"];
    if (trap.does != Fault::kTrap) return HitHolder(trap.does, id, trap.outage, trap.random);
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

}  // namespace decree::sim
