#include "tests/sim/seed_run.h"

#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/final_checks.h"
#include "tests/sim/load.h"

namespace decree::sim {
namespace {

NetworkOptions DrawNetwork(Random& random) {
  NetworkOptions network;
  network.min_delay = static_cast<Nanos>(random.Between(20, 300)) * kMicros;
  network.mean_delay = static_cast<Nanos>(random.Between(50, 1'500)) * kMicros;
  network.ordered = random.Chance(0.5);
  if (random.Chance(0.5)) network.loss = static_cast<double>(random.Below(50)) / 1'000;
  if (random.Chance(0.5)) network.duplicate = static_cast<double>(random.Below(50)) / 1'000;
  if (random.Chance(0.3)) network.spike = static_cast<double>(random.Below(20)) / 1'000;
  return network;
}

ClusterOptions DrawCluster(Random& random) {
  ClusterOptions options;
  options.network = DrawNetwork(random);
  options.disk_times.max_sync = static_cast<Nanos>(random.Between(50, 3'000)) * kMicros;
  if (random.Chance(0.2)) options.disk_times.slow = 0.01;
  options.shards = 1u << random.Below(3);
  options.workers = 1 + random.Below(2);
  options.disks = random.Chance(0.15) ? 2 : 1;
  if (random.Chance(0.3)) options.max_drift_ppm = 5'000;
  if (random.Chance(0.3)) options.max_wall_skew_ms = 30'000;
  if (random.Chance(0.3)) options.max_hop = 1 * kMillis;
  // Small limits, so that trimming, snapshots and full pipelines happen in seconds.
  if (random.Chance(0.6)) options.flush_bytes = random.Between(500, 20'000);
  if (random.Chance(0.3)) options.log_goal_bytes = random.Between(5'000, 50'000);
  if (random.Chance(0.2)) options.consensus.max_inflight = random.Between(1, 4);
  if (random.Chance(0.2)) options.consensus.max_page_bytes = random.Between(100, 2'000);
  return options;
}

LoadOptions DrawLoad(Random& random) {
  LoadOptions load;
  load.outside_clients = random.Between(1, 3);
  load.door_clients = random.Between(1, 3);
  load.keys = random.Between(2, 10);
  load.max_think = static_cast<Nanos>(random.Between(10, 200)) * kMillis;
  load.timeout = milliseconds(random.Between(200, 2'500));
  if (random.Chance(0.3)) load.value_bytes = random.Between(100, 4'000);
  return load;
}

FaultPlan DrawFaults(Random& random, MachineId machines, Nanos length) {
  PlanOptions options;
  options.length = length;
  options.machines = machines;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    const Fault fault = static_cast<Fault>(kind);
    const bool on = random.Chance(fault == Fault::kMove ? 0.7 : 0.4);
    if (on) options.kinds.push_back(fault);
    if (on && fault == Fault::kMove) options.kinds.insert(options.kinds.end(), 2, fault);
  }
  options.max_gap = static_cast<Nanos>(random.Between(400, 3'000)) * kMillis;
  options.max_outage = static_cast<Nanos>(random.Between(200, 4'000)) * kMillis;
  return DrawPlan(random, options);
}

class Run {
 public:
  explicit Run(const RunOptions& options)
      : seed_(options.seed),
        world_(options.seed * 2 + 1, options.trace),
        draw_(options.seed),
        cluster_(world_, DrawCluster(draw_)),
        history_(world_),
        load_(cluster_, history_, DrawLoad(draw_)),
        faults_(cluster_),
        machines_(static_cast<MachineId>(draw_.Between(1, 4))),
        length_(static_cast<Nanos>(draw_.Between(4, 12)) * kSeconds),
        plan_(Subset(DrawFaults(draw_, machines_, length_), options.faults)) {}

  SeedReport Go() {
    if (Form()) {
      if (draw_.Chance(0.4)) GiveUpMovesSoon();
      load_.Start();
      faults_.Start(plan_);
      world_.RunFor(length_);
      faults_.Stop();
      faults_.HealAll();
      // Load goes on for a while over the healing.
      world_.RunFor(1 * kSeconds);
      load_.Stop();
      world_.RunUntil([this] { return load_.Idle(); }, 30 * kSeconds);
      faults_.HealAll();
      CheckAtRest(cluster_, history_, load_.Keys());
    }
    return Report();
  }

 private:
  bool Form() {
    cluster_.Add();
    if (!cluster_.WaitReady(5 * kSeconds)) world_.Fail("the first node does not come up");
    for (MachineId i = 1; i < machines_; ++i) cluster_.Add();
    if (!cluster_.WaitReady(20 * kSeconds)) world_.Fail("the cluster does not form");
    std::string problem;
    // Half of the seeds let faults loose on the growing cluster.
    if (draw_.Chance(0.5) && !cluster_.WaitSettled(60 * kSeconds, &problem)) {
      world_.Fail("a new cluster does not come to rest: " + problem);
    }
    return world_.failures().empty();
  }

  // A stall of seconds, so that moves are given up among faults of seconds. If nobody answers, the
  // default stays.
  void GiveUpMovesSoon() {
    const std::string seconds = std::to_string(draw_.Between(1, 3));
    cluster_.Admin(1, "PATCH", "/v1/admin/settings", "{\"move_stall_s\":" + seconds + "}");
  }

  SeedReport Report() {
    SeedReport report;
    report.moves = cluster_.MoveStages();
    report.seed = seed_;
    report.digest = world_.digest();
    report.events = world_.events();
    report.simulated = world_.now();
    report.machines = cluster_.size();
    report.shards = cluster_.options().shards;
    report.chosen_seen = cluster_.network().checker().chosen_seen();
    report.operations = history_.counts();
    report.plan = plan_;
    report.faults = faults_.counts();
    report.failures = world_.failures();
    return report;
  }

  const std::uint64_t seed_;
  World world_;
  Random draw_;
  Cluster cluster_;
  History history_;
  Load load_;
  Faults faults_;
  const MachineId machines_;
  const Nanos length_;
  const FaultPlan plan_;
};

}  // namespace

SeedReport RunSeed(const RunOptions& options) { return Run(options).Go(); }

}  // namespace decree::sim
