// One seed, one run: the seed draws the cluster, its network and disks, the load and the kinds of
// faults (swarm fashion: a subset, so that rare combinations get their turn), then everything is
// judged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace decree::sim {

struct SeedReport {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  Nanos simulated = 0;
  std::uint32_t machines = 0;
  std::uint32_t shards = 0;
  std::uint64_t chosen_seen = 0;  // values that the wire checker compared
  HistoryCounts operations;
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> moves;  // by last stage
  std::vector<std::string> failures;
  bool ok() const { return failures.empty(); }
};

SeedReport RunSeed(std::uint64_t seed, bool trace = false);

}  // namespace decree::sim
