// Tells the placement leader, again and again, how this node and its replicas are; brings back
// newer maps and the rate of moves, of which it opens the gates as far as foreground work allows.
// Worker 0; collects from the other workers by posts.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "kv/base/histogram.h"
#include "server/node/move_pace.h"
#include "server/node/node_rpc.h"
#include "server/node/node_shared.h"

namespace decree::node {

class Reporter {
 public:
  explicit Reporter(NodeShared& node) : node_(&node) {}
  void Start();
  void Stop() { ++generation_; }

 private:
  struct Collection;
  void Tick(std::uint64_t generation);
  void Collect(std::uint64_t generation);
  void Submit(std::uint64_t generation, NodeReport&& report);
  std::vector<ReplicaReport> DescribeReplicas(Worker& worker);
  void Pace(const Histogram& latencies);

  NodeShared* node_;
  std::uint64_t generation_ = 0;
  struct Count {
    std::uint64_t operations = 0;
    Instant at;
  };
  // Only that worker touches its element.
  std::map<const Worker*, std::map<ReplicaKey, Count>> counts_;
  std::uint64_t move_rate_ = std::uint64_t{64} << 20;  // as the placement leader last said
  std::uint64_t moved_bytes_ = 0;                      // through all gates, so far
  MovePace pace_;
};

}  // namespace decree::node
