// Sees every step of a node's replicas, and what else must never go back. A seam for checkers: the
// simulator has one, a production node has none.
#pragma once

#include <cstdint>
#include <vector>

#include "consensus/replica.h"
#include "kv/base/ids.h"
#include "kv/store/state_machine.h"

namespace decree::node {

// Consecutive decrees that were just applied together.
struct AppliedRun {
  const std::vector<consensus::ChosenDecree>& decrees;
  const std::vector<store::AppliedSlot>& results;
  const store::StateMachine& machine;  // as of the last of them
  const store::Engine& rows;           // as of the last of them
};

class HostWatch {
 public:
  virtual ~HostWatch() = default;
  // A new life of a replica, made from what its disk kept.
  virtual void Opened(ReplicaKey key, const consensus::Replica& replica) = 0;
  // `output` is what the replica gave out after an event; nothing of it was carried out yet.
  virtual void Stepped(ReplicaKey key, const consensus::Replica& replica,
                       const consensus::Output& output) = 0;
  virtual void Applied(ReplicaKey key, const AppliedRun& run) = 0;
  // The replica is about to be asked for a linearizable read.
  virtual void ReadAsked(ReplicaKey key, const consensus::Replica& replica,
                         consensus::ReadId read) = 0;
  // The replica's tombstone is durable; its removal is about to be acknowledged.
  virtual void Buried(ReplicaKey key) = 0;
  virtual void Destroyed(ReplicaKey key) = 0;
  // The node goes by this version of the shard map now.
  virtual void MapChanged(NodeId node, std::uint64_t version) = 0;
};

}  // namespace decree::node
