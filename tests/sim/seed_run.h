// One seed, one run: the seed draws the cluster, its network and disks, the load and the kinds of
// faults (swarm fashion: a subset, so that rare combinations get their turn), then everything is
// judged.
//
// A seed counts if it covers at least 60 simulated seconds under load, 1,000 client operations and
// 2 moves that ended, completed or rolled back, while clients worked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/fault_plan.h"
#include "tests/sim/history.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/world.h"

namespace decree::sim {

struct RunOptions {
  std::uint64_t seed = 0;
  bool trace = false;
  // Seconds instead of a minute: enough for a test of the simulator, but it does not count.
  bool small = false;
  // Which tier of storage; none given: as the seed draws it.
  std::optional<Storage> storage;
  // Numbers of the faults that happen; none given: all that the seed plans.
  std::optional<std::set<std::uint32_t>> faults;
};

struct SeedReport {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  Nanos simulated = 0;
  Nanos loaded = 0;               // of it under load
  std::uint64_t moves_ended = 0;  // under load
  std::uint32_t machines = 0;
  std::uint32_t shards = 0;
  Storage storage = Storage::kMemory;
  // What the checkers compared, by what it is: none at all over many seeds is a checker that
  // starves.
  std::map<std::string, std::uint64_t> compared;
  HistoryCounts operations;
  std::uint64_t loaded_operations = 0;  // called under load
  FaultPlan plan;  // what was to happen in this run: all that the seed plans, or the subset of it
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> moves;  // by last stage
  std::uint64_t broken = 0;                    // machines that stayed so in the end (liveness.h)
  std::vector<std::string> failures;
  std::vector<std::uint64_t> checkpoints;  // of the digest (world.h)
  std::map<std::string, bool> marks;       // of the whole process; for its parent
  DECREE_FIELDS(seed, digest, events, simulated, loaded, moves_ended, machines, shards, storage,
                compared, operations, loaded_operations, plan, faults, moves, broken, failures,
                checkpoints, marks)
  bool ok() const { return failures.empty(); }
  bool counts() const { return Shortfall().empty(); }
  std::string Shortfall() const;  // why the seed does not count; empty: it does
};

SeedReport RunSeed(const RunOptions& options);
// The plan of that run, which does not take place.
FaultPlan PlanOf(const RunOptions& options);

}  // namespace decree::sim
