#include "tests/sim/faults.h"

#include <utility>

namespace decree::sim {

Faults::Faults(Cluster& cluster)
    : cluster_(cluster), world_(cluster.world()), calm_network_(cluster.network().options()) {}

void Faults::Start(const FaultPlan& plan) {
  on_ = true;
  for (const PlannedFault& fault : plan) {
    world_.After(fault.at, [this, fault] {
      if (on_) Inject(fault);
    });
  }
}

void Faults::Stop() { on_ = false; }

MachineId Faults::AnyMachine(Random& random) {
  return 1 + static_cast<MachineId>(random.Below(cluster_.size()));
}

void Faults::Inject(const PlannedFault& fault) {
  const bool join = fault.kind == Fault::kJoin;
  if (!join && fault.machine > cluster_.size()) return;
  ++counts_[FaultName(fault.kind)];
  world_.Trace("fault", fault.machine, static_cast<std::uint64_t>(fault.kind), fault.number);
  Random random(fault.dice);
  Machine& machine = cluster_.node(join ? 1 : fault.machine);
  switch (fault.kind) {
    case Fault::kCrash:
      machine.Crash();
      return BootAfter(fault.outage, fault.machine);
    case Fault::kCrashAll:
      return CrashAll(fault, random);
    case Fault::kStopCleanly:
      return StopCleanly(fault, random);
    case Fault::kPause:
      return machine.Pause(fault.outage / 2);
    case Fault::kSlowDisk:
      return SlowDisk(fault);
    case Fault::kWallJump:
      machine.clock().wall_offset_ms += static_cast<std::int64_t>(random.Below(120'001)) - 60'000;
      return;
    case Fault::kMove:
      return Move(fault, random);
    case Fault::kTransfer:
      return Transfer(fault, random);
    case Fault::kJoin:
      cluster_.Add();
      return;
    default:
      return InjectNetwork(fault, random);
  }
}

void Faults::InjectNetwork(const PlannedFault& fault, Random& random) {
  if (fault.kind == Fault::kSlowNetwork) return SlowNetwork(fault, random);
  if (fault.kind == Fault::kSplit) return Split(fault, random);
  Links cuts;
  if (fault.kind == Fault::kCutLink) {
    const MachineId other = AnyMachine(random);
    if (other != fault.machine) cuts.emplace_back(fault.machine, other);
  } else {
    const std::uint64_t way = random.Below(3);
    cuts = LinksOf(fault.machine, way != 0, way != 1, cluster_.size());
  }
  cluster_.network().Cut(cuts);
  HealAfter(fault.outage, std::move(cuts));
}

void Faults::BootAfter(Nanos delay, MachineId id) {
  world_.After(delay, [this, id] { cluster_.node(id).Boot(); });
}

void Faults::HealAfter(Nanos delay, Links cuts) {
  world_.After(delay, [this, cuts = std::move(cuts)] { cluster_.network().Heal(cuts); });
}

void Faults::CrashAll(const PlannedFault& fault, Random& random) {
  for (MachineId id = 1; id <= cluster_.size(); ++id) cluster_.node(id).Crash();
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    BootAfter(static_cast<Nanos>(random.Below(static_cast<std::uint64_t>(fault.outage))), id);
  }
}

void Faults::StopCleanly(const PlannedFault& fault, Random& random) {
  const auto grace = static_cast<Nanos>(random.Below(1 * kSeconds));
  cluster_.node(fault.machine).StopCleanly(grace);
  BootAfter(grace + fault.outage, fault.machine);
}

void Faults::Split(const PlannedFault& fault, Random& random) {
  std::vector<MachineId> sides[2];
  for (MachineId id = 1; id <= cluster_.size(); ++id) sides[random.Below(2)].push_back(id);
  Links cuts = LinksBetween(sides[0], sides[1]);
  cluster_.network().Cut(cuts);
  HealAfter(fault.outage, std::move(cuts));
}

void Faults::SlowNetwork(const PlannedFault& fault, Random& random) {
  NetworkOptions& options = cluster_.network().options();
  options.loss = static_cast<double>(random.Below(30)) / 100;
  options.spike = static_cast<double>(random.Below(30)) / 100;
  ++slow_networks_;
  world_.After(fault.outage, [this] {
    if (--slow_networks_ == 0) cluster_.network().options() = calm_network_;
  });
}

void Faults::SlowDisk(const PlannedFault& fault) {
  DiskTimes& times = cluster_.node(fault.machine).disk_times();
  times.slow = 0.5;
  world_.After(fault.outage, [this, &times] { times.slow = cluster_.options().disk_times.slow; });
}

void Faults::Move(const PlannedFault& fault, Random& random) {
  if (!cluster_.node(fault.machine).started()) return;
  const std::string body = "{\"shard\":" + std::to_string(random.Below(cluster_.options().shards)) +
                           ",\"from\":" + std::to_string(AnyMachine(random)) +
                           ",\"to\":" + std::to_string(AnyMachine(random)) + "}";
  cluster_.StartAdmin(
      fault.machine, {"POST", "/v1/admin/moves", body},
      [this](AdminResponse response) { ++counts_["move_" + std::to_string(response.status)]; });
}

void Faults::Transfer(const PlannedFault& fault, Random& random) {
  if (!cluster_.node(fault.machine).started()) return;
  const std::string target = "/v1/admin/shards/" +
                             std::to_string(random.Below(cluster_.options().shards)) +
                             ":transfer-leader";
  const std::string body = "{\"to\":" + std::to_string(AnyMachine(random)) + "}";
  cluster_.StartAdmin(fault.machine, {"POST", target, body}, [](AdminResponse) {});
}

void Faults::HealAll() {
  cluster_.network().HealAll();
  NetworkOptions& network = cluster_.network().options();
  network = calm_network_;
  network.loss = network.spike = network.duplicate = 0;
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    cluster_.node(id).disk_times().slow = 0;
    if (cluster_.node(id).paused()) cluster_.node(id).Pause(0);
  }
  cluster_.BootAll();
}

}  // namespace decree::sim
