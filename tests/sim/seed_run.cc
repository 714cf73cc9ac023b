#include "tests/sim/seed_run.h"

#include <algorithm>

#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/final_checks.h"
#include "tests/sim/liveness.h"
#include "tests/sim/load.h"

namespace decree::sim {
namespace {

constexpr Nanos kSurge = 200 * kMillis;

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

void DrawTimeouts(Random& random, consensus::Options& options) {
  options.election_min = milliseconds(random.Between(100, 600));
  options.election_max = options.election_min * 2;
  options.heartbeat = options.election_min / static_cast<int>(random.Between(3, 8));
  options.lease = options.election_min * static_cast<int>(random.Between(3, 9)) / 10;
}

ClusterOptions DrawCluster(Random& random) {
  ClusterOptions options;
  options.network = DrawNetwork(random);
  options.disk_times.max_sync = static_cast<Nanos>(random.Between(50, 3'000)) * kMicros;
  if (random.Chance(0.2)) options.disk_times.slow = 0.01;
  if (random.Chance(0.6)) {
    options.disk_times.max_flush = static_cast<Nanos>(random.Between(1, 300)) * kMillis;
  }
  options.shards = 1u << random.Below(random.Chance(0.1) ? 5 : 3);
  options.workers = 1 + random.Below(2);
  options.disks = random.Chance(0.4) ? random.Between(2, 3) : 1;
  if (random.Chance(0.3)) options.max_drift_ppm = 4'900;
  if (random.Chance(0.3)) options.max_wall_skew_ms = 30'000;
  if (random.Chance(0.3)) options.hops.max = 1 * kMillis;
  // Small limits, so that trimming, snapshots and full pipelines happen in seconds.
  if (random.Chance(0.6)) options.flush_bytes = random.Between(500, 20'000);
  if (random.Chance(0.3)) options.log_goal_bytes = random.Between(5'000, 50'000);
  options.consensus.leases = random.Chance(0.6);
  if (random.Chance(0.5)) DrawTimeouts(random, options.consensus);
  if (random.Chance(0.2)) options.consensus.max_inflight = random.Between(1, 4);
  // Many votes that others never get, for the next leader to begin and seal below.
  if (random.Chance(0.3)) options.max_open_batches = 64;
  if (random.Chance(0.2)) options.consensus.max_page_bytes = random.Between(100, 2'000);
  // Few sessions, soon forgotten: clients meet the end of theirs.
  if (random.Chance(0.2)) options.sessions.sessions = random.Between(2, 6);
  if (random.Chance(0.2)) options.sessions.idle_ms = random.Between(300, 5'000);
  return options;
}

// Some 30 to 60 operations a second, whatever the number of clients.
LoadOptions DrawLoad(Random& random) {
  LoadOptions load;
  load.outside_clients = random.Between(1, 4);
  load.door_clients = random.Between(1, 4);
  load.sleepy_clients = random.Below(2);
  load.ttl_clients = random.Below(3);
  load.keys = random.Between(2, 24);
  if (random.Chance(0.5)) load.hurried = static_cast<double>(random.Below(100)) / 1'000;
  if (random.Chance(0.5)) load.stale = static_cast<double>(random.Below(300)) / 1'000;
  if (random.Chance(0.5)) load.scans = static_cast<double>(random.Below(50)) / 1'000;
  const std::uint64_t clients = load.outside_clients + load.door_clients + load.ttl_clients;
  load.max_think = static_cast<Nanos>(2'000 * clients / random.Between(30, 60)) * kMillis;
  // As much at once, then silence: leaders have many writes open, and elections few between them.
  if (random.Chance(0.3)) {
    const auto share = static_cast<Nanos>(random.Between(8, 30));
    load.period = static_cast<Nanos>(random.Between(800, 3'000)) * kMillis;
    load.burst = load.period * share / 100;
    load.max_think = load.max_think * share / 200;
  }
  load.timeout = milliseconds(random.Between(200, 2'500));
  if (random.Chance(0.3)) load.value_bytes = random.Between(100, 4'000);
  return load;
}

// One seed of fifteen runs on files. Drawn apart, so that a seed is the same cluster on both tiers.
ClusterOptions OnStorage(ClusterOptions options, const RunOptions& run) {
  const bool files = Random(run.seed ^ 0x73746f72616765).Below(15) == 0;
  options.storage = run.storage.value_or(files ? Storage::kFiles : Storage::kMemory);
  return options;
}

// Drawn apart, too. Shards of five or one, and a cap on the log kept for members that lag.
ClusterOptions WithCopies(ClusterOptions options, std::uint64_t seed) {
  Random random(seed ^ 0x636f70696573);
  const std::uint64_t kind = random.Below(20);
  if (kind < 3) options.replicas = 5;
  if (kind == 3) options.replicas = 1;
  if (random.Chance(0.15)) options.kept_log_bytes = random.Between(500, 20'000);
  return options;
}

// Drawn apart for the same reason. Shards sleep between two uses, after a while, or never.
ClusterOptions WithSleep(ClusterOptions options, std::uint64_t seed) {
  Random random(seed ^ 0x736c656570);
  const std::uint64_t kind = random.Below(10);
  if (kind < 2) options.consensus.sleep_after = {};
  if (kind >= 4) options.consensus.sleep_after = milliseconds(random.Between(200, 2'000));
  return options;
}

// And workers that are kept from their work now and then, moves that wait for nearly every slot,
// and pauses that end soon if nobody repeats them.
ClusterOptions WithStalls(ClusterOptions options, std::uint64_t seed) {
  Random random(seed ^ 0x7374616c6c73);
  if (random.Chance(0.15)) options.hops.stall = 0.0005;
  if (random.Chance(0.15)) options.hops.max_opening = 200 * kMillis;
  if (random.Chance(0.3)) options.catch_up_gap = random.Between(1, 8);
  if (random.Chance(0.3)) options.fetch_hold = 1500ms;
  return options;
}

// And how snapshots travel: in chunks or with the answer, from followers or from leaders only.
ClusterOptions WithSnapshots(ClusterOptions options, std::uint64_t seed) {
  Random random(seed ^ 0x736e617073686f74);
  const bool together = random.Chance(0.3);
  options.inline_snapshot_bytes = together ? random.Between(1'000, 100'000) : 0;
  options.snapshots_from_followers = random.Chance(0.7);
  return options;
}

// Leases may be on at some machines only, and change when one is started again, as they do while
// an operator turns them on or off (PROTOCOL.md, A5).
ClusterOptions WithMixedLeases(ClusterOptions options, std::uint64_t seed) {
  Random random(seed ^ 0x6c6561736573);
  options.mixed_leases = options.consensus.leases && random.Chance(0.15);
  return options;
}

ClusterOptions OptionsOf(Random& random, const RunOptions& run) {
  ClusterOptions options = WithSleep(OnStorage(DrawCluster(random), run), run.seed);
  options = WithStalls(WithCopies(std::move(options), run.seed), run.seed);
  options = WithSnapshots(std::move(options), run.seed);
  return WithMixedLeases(std::move(options), run.seed);
}

// Swarm: a seed has some kinds of faults, not all, so that rare combinations get their turn. The
// moves are its subject: nearly every seed asks for some.
double ChanceOf(Fault fault) {
  switch (fault) {
    case Fault::kMove:
      return 0.9;
    case Fault::kDiskMove:
      return 0.8;
    case Fault::kJoin:
    case Fault::kTrap:
      return 0.5;
    case Fault::kCrashAll:
      return 0.15;
    default:
      return 0.3;
  }
}

std::size_t WeightOf(Fault fault) {
  if (fault == Fault::kMove || fault == Fault::kTrap) return 4;
  return fault == Fault::kDiskMove || fault == Fault::kCrash ? 2 : 1;
}

// Jumps are beyond what leases assume (PROTOCOL.md, A2); another speed, as far as it is drawn, is
// not.
bool BreaksLeases(Fault fault) { return fault == Fault::kSuspend; }

// Kinds that came later are drawn apart, so that a seed without them is what it was before.
bool IsDrawnApart(Fault fault) { return fault == Fault::kLateCalls; }

FaultPlan DrawFaults(Random& random, const ClusterOptions& cluster, MachineId machines,
                     Nanos length, Random apart) {
  PlanOptions options;
  options.length = length;
  options.machines = machines;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    const Fault fault = static_cast<Fault>(kind);
    Random& dice = IsDrawnApart(fault) ? apart : random;
    if (!dice.Chance(ChanceOf(fault)) || (cluster.consensus.leases && BreaksLeases(fault)))
      continue;
    options.kinds.insert(options.kinds.end(), WeightOf(fault), fault);
  }
  options.kinds.push_back(cluster.disks > 1 ? Fault::kDiskMove : Fault::kMove);
  options.max_gap = static_cast<Nanos>(random.Between(800, 5'000)) * kMillis;
  options.max_outage = static_cast<Nanos>(random.Between(200, 4'000)) * kMillis;
  if (apart.Chance(0.1)) options.max_outage = 20 * kSeconds;
  if (apart.Chance(0.3)) options.max_machines = machines + 2;
  return DrawPlan(random, options);
}

// With one disk each, there is room for a move from the fourth node on.
MachineId DrawMachines(Random& random, const ClusterOptions& options) {
  if (options.replicas == 5) return static_cast<MachineId>(random.Between(5, 6));
  if (options.disks == 1) return static_cast<MachineId>(random.Between(4, 5));
  return static_cast<MachineId>(random.Chance(0.15) ? random.Between(1, 2) : random.Between(3, 5));
}

Nanos DrawLength(Random& random, bool small) {
  return static_cast<Nanos>(small ? random.Between(4, 12) : random.Between(60, 70)) * kSeconds;
}

class Run {
 public:
  explicit Run(const RunOptions& options)
      : seed_(options.seed),
        world_(options.seed * 2 + 1, options.trace),
        draw_(options.seed),
        cluster_(world_, OptionsOf(draw_, options)),
        history_(world_),
        load_(cluster_, history_, DrawLoad(draw_)),
        faults_(cluster_),
        machines_(DrawMachines(draw_, cluster_.options())),
        length_(DrawLength(draw_, options.small)),
        whole_plan_(DrawFaults(draw_, cluster_.options(), machines_, length_,
                               Random(seed_ ^ 0x6661756c7473))),
        plan_(Subset(whole_plan_, options.faults)),
        lively_(draw_.Chance(0.9)) {
    faults_.silence = [this](Nanos until) { load_.BeSilentUntil(until); };
    faults_.surge = [this](MachineId at, ShardId shard) { load_.Surge(at, shard, kSurge); };
  }

  const FaultPlan& plan() const { return plan_; }

  SeedReport Go() {
    if (Form()) {
      if (draw_.Chance(0.8)) MakeThePlacementHasty();
      Work();
      faults_.HealAll();
      CheckAtRest(cluster_, history_, load_.Keys());
    }
    return Report();
  }

 private:
  bool Form() {
    Machine& first = cluster_.Add();
    if (draw_.Chance(0.1)) {  // in the middle of founding the cluster
      first.CrashInDiskCall(1 + draw_.Below(60));
      world_.After(Machine::kLongestDying, [this] { cluster_.BootAll(); });
      world_.RunFor(2 * Machine::kLongestDying);
    }
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

  void Work() {
    const std::uint64_t ended_before = MovesEnded();
    const Nanos begin = world_.now();
    load_.Start();
    faults_.Start(plan_);
    world_.RunFor(length_);
    loaded_ = world_.now() - begin;
    if (lively_) {
      Liveness liveness(cluster_, faults_, draw_.Next());
      liveness.Run();
      broken_ = liveness.broken().size();
    }
    faults_.Stop();
    faults_.HealAll();
    if (draw_.Chance(0.04)) BeSilent();
    // Load goes on for a while over the healing.
    world_.RunFor(1 * kSeconds);
    load_.Stop();
    world_.RunUntil([this] { return load_.Idle(); }, 30 * kSeconds);
    moves_ended_ = MovesEnded() - ended_before;
    loaded_operations_ = history_.counts().called;
  }

  // So long that sessions expire: after it, clients have to begin new ones.
  void BeSilent() {
    load_.Stop();
    world_.RunFor(700 * kSeconds);
    load_.Start();
    world_.RunFor(2 * kSeconds);
  }

  std::uint64_t MovesEnded() {
    std::map<std::string, std::uint64_t> stages = cluster_.MoveStages();
    return stages["done"] + stages["rolled_back"];
  }

  // Delays of seconds, so that moves are given up and dead nodes replaced among faults of seconds.
  // If nobody answers, the defaults stay.
  void MakeThePlacementHasty() {
    std::string body = "{\"dead_node_delay_s\":" + std::to_string(draw_.Between(3, 30));
    if (draw_.Chance(0.4)) body += ",\"move_stall_s\":" + std::to_string(draw_.Between(1, 3));
    cluster_.Admin(1, "PATCH", "/v1/admin/settings", body + "}");
  }

  std::map<std::string, std::uint64_t> Compared() {
    const AppliedChecker& applied = cluster_.network().core_checker().applied();
    return {{"values on the wire", cluster_.network().checker().chosen_seen()},
            {"applied slots", applied.slots_compared()},
            {"digests of rows", applied.rows_compared()},
            {"operations judged", history_.judged()},
            {"keys that expire", load_.expiries_judged()}};
  }

  SeedReport Report() {
    SeedReport report;
    report.moves = cluster_.MoveStages();
    report.seed = seed_;
    report.digest = world_.digest();
    report.events = world_.events();
    report.simulated = world_.now();
    report.loaded = loaded_;
    report.moves_ended = moves_ended_;
    report.machines = cluster_.size();
    report.shards = cluster_.options().shards;
    report.storage = cluster_.options().storage;
    report.compared = Compared();
    report.operations = history_.counts();
    report.loaded_operations = loaded_operations_;
    report.plan = plan_;
    report.faults = faults_.counts();
    report.broken = broken_;
    report.failures = world_.failures();
    report.checkpoints = world_.checkpoints();
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
  const FaultPlan whole_plan_;
  const FaultPlan plan_;
  const bool lively_;
  Nanos loaded_ = 0;
  std::uint64_t moves_ended_ = 0;
  std::uint64_t loaded_operations_ = 0;
  std::uint64_t broken_ = 0;
};

}  // namespace

std::string SeedReport::Shortfall() const {
  std::string text;
  const auto wants = [&text](std::uint64_t has, std::uint64_t least, const char* what) {
    if (has >= least) return;
    text += (text.empty() ? "" : ", ") + std::to_string(has) + " " + what;
  };
  wants(static_cast<std::uint64_t>(loaded / kSeconds), 60, "seconds");
  wants(loaded_operations, 1'000, "operations");
  wants(moves_ended, 2, "moves");
  return text;
}

SeedReport RunSeed(const RunOptions& options) { return Run(options).Go(); }

FaultPlan PlanOf(const RunOptions& options) { return Run(options).plan(); }

}  // namespace decree::sim
