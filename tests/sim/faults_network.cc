#include <utility>

#include "tests/sim/faults.h"

namespace decree::sim {

bool Faults::InjectNetwork(const PlannedFault& fault, Random& random) {
  switch (fault.kind) {
    case Fault::kSplit:
    case Fault::kIsolate:
    case Fault::kCutLink:
    case Fault::kQuorumLoss:
    case Fault::kConstrained:
    case Fault::kChain: {
      Links cuts = LinksToCut(fault, random);
      if (cuts.empty()) return false;
      cluster_.network().Cut(cuts);
      world_.After(fault.outage, [this, cuts = std::move(cuts)] { cluster_.network().Heal(cuts); });
      return true;
    }
    case Fault::kClog:
      if (cluster_.size() == 1) return false;
      Clog(fault, random);
      return true;
    case Fault::kSlowNetwork:
      SlowNetwork(fault, random);
      return true;
    case Fault::kLateAnswers:
    case Fault::kGrantorRestarts:
      if (cluster_.size() == 1 || cluster_.options().consensus.leases) return false;  // a trap
      HitHolder(fault.kind, fault.machine, fault.outage, random);
      return true;
    case Fault::kLateCalls:
      return LateCalls(fault, random);
    case Fault::kReplay:
      return cluster_.network().Replay(random, 1 + random.Below(20)) > 0;
    default:
      return false;
  }
}

// Some of the faults that hit a link or a machine hit a client instead: some of its links, in one
// direction or both. Drawn apart, so that the others are what they were. Empty: not this one.
Links Faults::LinksOfAnOutsider(const PlannedFault& fault) {
  Random random(fault.dice ^ 0x6f75747369646572);
  const std::vector<MachineId> outsiders = cluster_.network().Outsiders();
  if (outsiders.empty() || !random.Chance(0.25)) return {};
  const MachineId outsider = outsiders[random.Below(outsiders.size())];
  const std::uint64_t way = random.Below(3);
  Links links;
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    if (!random.Chance(0.7)) continue;
    if (way != 0) links.emplace_back(outsider, id);
    if (way != 1) links.emplace_back(id, outsider);
  }
  return links;
}

Links Faults::LinksToCut(const PlannedFault& fault, Random& random) {
  const MachineId machines = cluster_.size();
  if (fault.kind == Fault::kIsolate || fault.kind == Fault::kCutLink) {
    Links outsiders = LinksOfAnOutsider(fault);
    if (!outsiders.empty()) return outsiders;
  }
  const MachineId other = AnyMachine(random);
  switch (fault.kind) {
    case Fault::kSplit: {
      std::vector<MachineId> sides[2];
      for (MachineId id = 1; id <= machines; ++id) sides[random.Below(2)].push_back(id);
      return LinksBetween(sides[0], sides[1]);
    }
    case Fault::kIsolate: {
      const std::uint64_t way = random.Below(3);
      return LinksOf(fault.machine, way != 0, way != 1, machines);
    }
    case Fault::kCutLink:
      return other == fault.machine ? Links{} : Links{{fault.machine, other}};
    case Fault::kQuorumLoss:
      return LinksButStar(fault.machine, machines);
    case Fault::kConstrained: {
      Links links = LinksButStar(fault.machine, machines);
      if (other != fault.machine)
        links.insert(links.end(), {{fault.machine, other}, {other, fault.machine}});
      return links;
    }
    default:
      return LinksButChain(fault.machine, machines);
  }
}

void Faults::Clog(const PlannedFault& fault, Random& random) {
  Network& network = cluster_.network();
  Links links = LinksOfAnOutsider(fault);
  if (!links.empty()) {
    // Whom it clogs is drawn.
  } else if (random.Chance(0.5)) {
    links = LinksOf(fault.machine, random.Chance(0.5), true, cluster_.size());
  } else {
    const MachineId other = AnyMachine(random);
    links = {{fault.machine, other == fault.machine ? 1 + other % cluster_.size() : other}};
  }
  network.Clog(links);
  world_.After(fault.outage, [&network, links] { network.Unclog(links); });
}

// Of everybody to one machine, or of one to everybody; late by up to several outages, so that what
// came of the second try may have ended, too.
bool Faults::LateCalls(const PlannedFault& fault, Random& random) {
  if (cluster_.size() == 1) return false;
  Network& network = cluster_.network();
  const bool in = random.Chance(0.5);
  Links links = LinksOfAnOutsider(fault);
  if (links.empty()) links = LinksOf(fault.machine, in, !in, cluster_.size());
  sim::LateCalls late;
  late.most = static_cast<Nanos>(random.Between(2, 20)) * kSeconds;
  late.changes_only = random.Chance(0.5);
  network.MakeCallsLate(links, late);
  world_.After((late.changes_only ? 5 : 2) * fault.outage,
               [&network, links] { network.EndLateCalls(links); });
  return true;
}

void Faults::SlowNetwork(const PlannedFault& fault, Random& random) {
  NetworkOptions& options = cluster_.network().options();
  options.loss = static_cast<double>(random.Below(30)) / 100;
  options.spike = static_cast<double>(random.Below(30)) / 100;
  ++slow_networks_;
  world_.After(fault.outage, [this] {
    if (--slow_networks_ == 0 && on_) cluster_.network().options() = calm_network_;
  });
}

void Faults::HitHolder(Fault kind, MachineId id, Nanos outage, Random& random) {
  if (kind == Fault::kLateAnswers) return LateAnswers(id, outage, random);
  GrantorRestarts(id, outage, random);
}

// The answers come steadily, and so late that a lease counted from them outlasts what the others
// think they granted: they elect another leader while what they said is still on its way.
void Faults::LateAnswers(MachineId id, Nanos outage, Random& random) {
  Network& network = cluster_.network();
  const auto lease = static_cast<std::uint64_t>(cluster_.options().consensus.lease.count());
  const auto late = static_cast<Nanos>(random.Between(lease / 2, lease));
  const Links in = LinksOf(id, true, false, cluster_.size());
  const Links out = LinksOf(id, false, true, cluster_.size());
  network.Slow(in, late);
  const Nanos silent = 2 * late + static_cast<Nanos>(random.Below(1 * kSeconds));
  world_.After(silent, [this, &network, out] {
    if (on_) network.Cut(out);
  });
  world_.After(silent + 2 * late + outage, [&network, in, out, late] {
    network.Heal(out);
    network.Quicken(in, late);
  });
}

// The others have long missed the holder when its grantor comes back: all that keeps it from
// promising to one of them is what it remembers of its grant.
void Faults::GrantorRestarts(MachineId id, Nanos outage, Random& random) {
  const MachineId others = cluster_.size() - 1;
  const MachineId grantor = 1 + (id + static_cast<MachineId>(random.Below(others))) % (others + 1);
  Links cuts;
  for (const Link& link : LinksOf(id, true, true, cluster_.size())) {
    if (link.first != grantor && link.second != grantor) cuts.push_back(link);
  }
  cluster_.network().Cut(cuts);
  const auto patience =
      static_cast<std::uint64_t>(2 * cluster_.options().consensus.election_max.count());
  const auto alone = static_cast<Nanos>(random.Between(patience / 2, patience));
  world_.After(alone, [this, grantor, random]() mutable {
    if (!on_ || !cluster_.node(grantor).up()) return;
    cluster_.node(grantor).Crash(random);
    BootAfter(static_cast<Nanos>(random.Below(50 * kMillis)), grantor);
  });
  world_.After(alone + outage, [this, cuts] { cluster_.network().Heal(cuts); });
}

}  // namespace decree::sim
