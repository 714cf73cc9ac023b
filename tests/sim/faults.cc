#include "tests/sim/faults.h"

namespace decree::sim {

Faults::Faults(Cluster& cluster)
    : cluster_(cluster),
      world_(cluster.world()),
      calm_network_(cluster.network().options()),
      operator_(cluster, counts_) {}

void Faults::Start(const FaultPlan& plan) {
  on_ = true;
  for (const PlannedFault& fault : plan) {
    world_.After(fault.at, [this, fault] {
      if (on_) Inject(fault);
    });
  }
}

void Faults::Stop() {
  on_ = false;
  traps_.clear();
  cluster_.network().options() = calm_network_;  // a slow network that was to last longer
}

void Faults::FinishWhatBegan() {
  world_.RunUntil([this] { return pending_ == 0; }, 60 * kSeconds);
}

MachineId Faults::AnyMachine(Random& random) {
  return 1 + static_cast<MachineId>(random.Below(cluster_.size()));
}

// Counted is what found something to do: a paused machine cannot be paused, a removed one not
// crashed.
void Faults::Inject(const PlannedFault& fault) {
  const bool join = fault.kind == Fault::kJoin;
  if (!join && (fault.machine > cluster_.size() || cluster_.node(fault.machine).retired())) return;
  world_.Trace("fault", fault.machine, static_cast<std::uint64_t>(fault.kind), fault.number);
  Random random(fault.dice);
  const bool did = InjectProcess(fault, random) || InjectNetwork(fault, random) ||
                   InjectDisk(fault, random) || InjectClock(fault, random) ||
                   InjectOperator(fault, random) || SetTrap(fault, random);
  if (did) ++counts_[FaultName(fault.kind)];
}

// ---- processes ----

bool Faults::InjectProcess(const PlannedFault& fault, Random& random) {
  Machine& machine = cluster_.node(std::min(fault.machine, cluster_.size()));
  switch (fault.kind) {
    case Fault::kCrash:
      if (!machine.up()) return false;
      if (random.Chance(0.5)) {
        machine.CrashInDiskCall(1 + random.Below(60));
      } else {
        machine.Crash(random);
      }
      BootAfter(Machine::kLongestDying + fault.outage, fault.machine);
      return true;
    case Fault::kCrashAll:
      CrashAll(fault, random);
      return true;
    case Fault::kStopCleanly:
      if (!machine.up() || machine.stopping()) return false;
      StopCleanly(fault, random);
      return true;
    case Fault::kPause:
      if (!machine.up() || machine.paused()) return false;
      machine.Pause(fault.outage / 2);
      return true;
    case Fault::kJoin:
      cluster_.Add();
      return true;
    default:
      return false;
  }
}

void Faults::BootAfter(Nanos delay, MachineId id) {
  world_.After(delay, [this, id] { cluster_.node(id).Boot(); });
}

void Faults::CrashAll(const PlannedFault& fault, Random& random) {
  for (MachineId id = 1; id <= cluster_.size(); ++id) cluster_.node(id).Crash(random);
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    BootAfter(static_cast<Nanos>(random.Below(static_cast<std::uint64_t>(fault.outage))), id);
  }
}

void Faults::StopCleanly(const PlannedFault& fault, Random& random) {
  const auto grace = static_cast<Nanos>(random.Below(1 * kSeconds));
  cluster_.node(fault.machine).StopCleanly(grace);
  BootAfter(grace + fault.outage, fault.machine);
}

// ---- clocks ----

bool Faults::InjectClock(const PlannedFault& fault, Random& random) {
  Machine& machine = cluster_.node(std::min(fault.machine, cluster_.size()));
  switch (fault.kind) {
    case Fault::kWallJump:
      machine.JumpWall(static_cast<std::int64_t>(random.Below(120'001)) - 60'000);
      return true;
    case Fault::kSuspend:
      if (!machine.up()) return false;
      machine.JumpAhead(fault.outage);
      return true;
    case Fault::kDrift: {
      const std::int64_t most = cluster_.options().max_drift_ppm;
      machine.SetDrift(
          static_cast<std::int64_t>(random.Below(static_cast<std::uint64_t>(2 * most + 1))) - most);
      return most > 0;
    }
    default:
      return false;
  }
}

// ---- the operator ----

bool Faults::InjectOperator(const PlannedFault& fault, Random& random) {
  const std::optional<MachineId> door = cluster_.AnyUp(random);
  if (!door) return false;
  switch (fault.kind) {
    case Fault::kMove:
    case Fault::kDiskMove:
      operator_.Move(*door, random, fault.kind == Fault::kDiskMove);
      return true;
    case Fault::kTransfer:
      operator_.Transfer(*door, random);
      return true;
    case Fault::kCancel:
      operator_.Cancel(*door, random);
      return true;
    case Fault::kRest:
      operator_.Rest(*door, random, fault.outage);
      return true;
    case Fault::kSettings:
      operator_.ChangeSettings(*door, random);
      return true;
    case Fault::kDrain:
      operator_.Drain(*door, fault.machine, random, fault.outage);
      return true;
    default:
      return false;
  }
}

void Faults::HealAll() {
  cluster_.network().HealAll();
  NetworkOptions& network = cluster_.network().options();
  network = calm_network_;
  network.loss = network.spike = network.duplicate = 0;
  for (MachineId id = 1; id <= cluster_.size(); ++id) cluster_.node(id).Heal();
  cluster_.BootAll();
  FinishWhatBegan();
  operator_.SettleDown(60 * kSeconds);
}

}  // namespace decree::sim
