// Holds all replicas of every shard to the invariants of consensus/invariants.h, at every event.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "consensus/invariants.h"
#include "server/node/host_watch.h"
#include "tests/sim/world.h"

namespace decree::sim {

class CoreChecker : public node::HostWatch {
 public:
  explicit CoreChecker(World& world) : world_(world) {}

  void Opened(ReplicaKey key, const consensus::Replica& replica) override;
  void Stepped(ReplicaKey key, const consensus::Replica& replica,
               const consensus::Output& output) override;
  // Until when the replica may serve reads by its lease, in the world's time.
  void Lease(ReplicaKey key, const consensus::Replica& replica, std::optional<Nanos> until);
  void Durable(ReplicaKey key, const consensus::Persist& record);
  void OnSend(const consensus::Envelope& envelope);

  // For scenarios: sees each step too. What it wants to do about one is done in an event of its
  // own.
  std::function<void(ReplicaKey, const consensus::Replica&, const consensus::Output&)> on_step;

 private:
  consensus::Invariants& Of(ShardId shard);
  void Report(ShardId shard);

  World& world_;
  std::map<ShardId, consensus::Invariants> shards_;
};

}  // namespace decree::sim
