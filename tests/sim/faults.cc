#include "tests/sim/faults.h"

#include <utility>

namespace decree::sim {

std::string FaultName(Fault fault) {
  static constexpr const char* kNames[kFaultKinds] = {
      "crash",        "crash_all", "stop",      "pause", "split",    "isolate", "cut_link",
      "slow_network", "slow_disk", "wall_jump", "move",  "transfer", "join"};
  return kNames[static_cast<std::size_t>(fault)];
}

Faults::Faults(Cluster& cluster, FaultOptions options)
    : cluster_(cluster),
      world_(cluster.world()),
      options_(std::move(options)),
      calm_network_(cluster.network().options()) {}

void Faults::Start() {
  on_ = true;
  Next();
}

void Faults::Stop() { on_ = false; }

void Faults::Next() {
  if (options_.kinds.empty()) return;
  world_.After(world_.Between(options_.min_gap, options_.max_gap), [this] {
    if (!on_) return;
    Inject(options_.kinds[world_.random().Below(options_.kinds.size())]);
    Next();
  });
}

MachineId Faults::AnyMachine() {
  return 1 + static_cast<MachineId>(world_.random().Below(cluster_.size()));
}

void Faults::Inject(Fault fault) {
  ++counts_[FaultName(fault)];
  const MachineId id = AnyMachine();
  world_.Trace("fault", id, static_cast<std::uint64_t>(fault));
  switch (fault) {
    case Fault::kCrash:
      return Crash(id);
    case Fault::kCrashAll:
      return CrashAll();
    case Fault::kStopCleanly:
      return StopCleanly(id);
    case Fault::kPause:
      return cluster_.node(id).Pause(Outage() / 2);
    case Fault::kSlowDisk:
      return SlowDisk(id);
    case Fault::kWallJump:
      cluster_.node(id).clock().wall_offset_ms += world_.Between(0, 120'000) - 60'000;
      return;
    case Fault::kMove:
      return Move(id);
    case Fault::kTransfer:
      return Transfer(id);
    case Fault::kJoin:
      if (cluster_.size() < options_.max_machines) cluster_.Add();
      return;
    default:
      return InjectNetwork(fault);
  }
}

void Faults::InjectNetwork(Fault fault) {
  Network& network = cluster_.network();
  Random& random = world_.random();
  const MachineId a = AnyMachine();
  const MachineId b = AnyMachine();
  if (fault == Fault::kSlowNetwork) return SlowNetwork();
  if (fault == Fault::kSplit) Split();
  if (fault == Fault::kCutLink && a != b) network.Cut(a, b);
  if (fault == Fault::kIsolate) {
    const std::uint64_t way = random.Below(3);
    network.Isolate(a, way != 0, way != 1, cluster_.size());
  }
  world_.After(Outage(), [&network] { network.HealAll(); });
}

void Faults::Crash(MachineId id) {
  cluster_.node(id).Crash();
  world_.After(Outage(), [this, id] { cluster_.node(id).Boot(); });
}

void Faults::CrashAll() {
  for (MachineId id = 1; id <= cluster_.size(); ++id) cluster_.node(id).Crash();
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    world_.After(Outage(), [this, id] { cluster_.node(id).Boot(); });
  }
}

void Faults::StopCleanly(MachineId id) {
  const Nanos grace = world_.Between(0, 1 * kSeconds);
  cluster_.node(id).StopCleanly(grace);
  world_.After(grace + Outage(), [this, id] { cluster_.node(id).Boot(); });
}

void Faults::Split() {
  std::vector<MachineId> sides[2];
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    sides[world_.random().Below(2)].push_back(id);
  }
  cluster_.network().CutBothWays(sides[0], sides[1]);
}

void Faults::SlowNetwork() {
  NetworkOptions& options = cluster_.network().options();
  options.loss = static_cast<double>(world_.random().Below(30)) / 100;
  options.spike = static_cast<double>(world_.random().Below(30)) / 100;
  world_.After(Outage(), [this] { cluster_.network().options() = calm_network_; });
}

void Faults::SlowDisk(MachineId id) {
  DiskTimes& times = cluster_.node(id).disk_times();
  times.slow = 0.5;
  world_.After(Outage(), [&times] { times.slow = 0; });
}

void Faults::Move(MachineId at) {
  if (!cluster_.node(at).started()) return;
  const std::string body =
      "{\"shard\":" + std::to_string(world_.random().Below(cluster_.options().shards)) +
      ",\"from\":" + std::to_string(AnyMachine()) + ",\"to\":" + std::to_string(AnyMachine()) + "}";
  cluster_.StartAdmin(at, {"POST", "/v1/admin/moves", body}, [this](AdminResponse response) {
    ++counts_["move_" + std::to_string(response.status)];
  });
}

void Faults::Transfer(MachineId at) {
  if (!cluster_.node(at).started()) return;
  const std::string target = "/v1/admin/shards/" +
                             std::to_string(world_.random().Below(cluster_.options().shards)) +
                             ":transfer-leader";
  cluster_.StartAdmin(at, {"POST", target, "{\"to\":" + std::to_string(AnyMachine()) + "}"},
                      [](AdminResponse) {});
}

void Faults::HealAll() {
  cluster_.network().HealAll();
  calm_network_.loss = 0;
  calm_network_.spike = 0;
  calm_network_.duplicate = 0;
  cluster_.network().options() = calm_network_;
  for (MachineId id = 1; id <= cluster_.size(); ++id) {
    cluster_.node(id).disk_times().slow = 0;
    if (cluster_.node(id).paused()) cluster_.node(id).Pause(0);
  }
  cluster_.BootAll();
}

}  // namespace decree::sim
