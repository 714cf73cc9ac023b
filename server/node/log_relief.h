// Keeps the shared log of each disk near its goal: a replica that is written rarely keeps old
// segments needed, so it is asked to make its rows durable and to let go of the log. Worker 0;
// the replicas are asked by posts.
#pragma once

#include <cstdint>
#include <map>

#include "server/node/node_shared.h"

namespace decree::node {

class LogRelief {
 public:
  explicit LogRelief(NodeShared& node) : node_(&node) {}
  void Start() { Tick(++generation_); }
  void Stop() { ++generation_; }

 private:
  void Tick(std::uint64_t generation);
  bool Relieve(store::Disk& disk);  // whether there may be more to do at once

  NodeShared* node_;
  std::uint64_t generation_ = 0;
  // A trim takes effect with the log's next record: an idle disk may name the same replica again.
  std::map<const store::Disk*, ReplicaKey> asked_;
};

}  // namespace decree::node
