// One seed, one run: the seed draws the cluster, its network and disks, the load and the kinds of
// faults (swarm fashion: a subset, so that rare combinations get their turn), then everything is
// judged.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/fault_plan.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace decree::sim {

struct RunOptions {
  std::uint64_t seed = 0;
  bool trace = false;
  // Numbers of the faults that happen; none given: all that the seed plans.
  std::optional<std::set<std::uint32_t>> faults;
};

struct SeedReport {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  Nanos simulated = 0;
  std::uint32_t machines = 0;
  std::uint32_t shards = 0;
  std::uint64_t chosen_seen = 0;  // values that the wire checker compared
  HistoryCounts operations;
  FaultPlan plan;  // what was to happen in this run: all that the seed plans, or the subset of it
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> moves;  // by last stage
  std::vector<std::string> failures;
  bool ok() const { return failures.empty(); }
};

SeedReport RunSeed(const RunOptions& options);

}  // namespace decree::sim
