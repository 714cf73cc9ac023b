// What must be true at the end, when everything is mended: the cluster comes to rest, every shard
// takes a write, every acknowledged write is read at every node, equal logs gave equal rows.
#pragma once

#include "tests/sim/cluster.h"
#include "tests/sim/history.h"

namespace decree::sim {

struct FinalOptions {
  Nanos ready = 30 * kSeconds;
  Nanos write = 10 * kSeconds;   // every shard answers a write
  Nanos settle = 90 * kSeconds;  // moves end, copies are complete
  Nanos digests = 10 * kSeconds;
};

// Failures go to the world.
void CheckAtRest(Cluster& cluster, History& history, const std::vector<std::string>& keys,
                 const FinalOptions& options = {});
// Marks every shard, and compares the digests of all its replicas as of that slot.
void CheckDigests(Cluster& cluster, Nanos at_most);

}  // namespace decree::sim
