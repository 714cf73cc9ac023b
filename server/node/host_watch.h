// Sees every step of a node's replicas. A seam for checkers: the simulator has one, a production
// node has none.
#pragma once

#include "consensus/replica.h"
#include "kv/base/ids.h"

namespace decree::node {

class HostWatch {
 public:
  virtual ~HostWatch() = default;
  // A new life of a replica, made from what its disk kept.
  virtual void Opened(ReplicaKey key, const consensus::Replica& replica) = 0;
  // `output` is what the replica gave out after an event; nothing of it was carried out yet.
  virtual void Stepped(ReplicaKey key, const consensus::Replica& replica,
                       const consensus::Output& output) = 0;
};

}  // namespace decree::node
