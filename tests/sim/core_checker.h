// Holds all replicas of every shard to the invariants of consensus/invariants.h, and what they do
// with chosen decrees to applied_checker.h and placement_checker.h, at every event.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "consensus/invariants.h"
#include "server/node/host_watch.h"
#include "tests/sim/applied_checker.h"
#include "tests/sim/placement_checker.h"
#include "tests/sim/world.h"

namespace decree::sim {

class CoreChecker {
 public:
  explicit CoreChecker(World& world) : world_(world), applied_(world), placement_(world) {}

  // ---- as node::HostWatch; machine.h passes on what it sees ----
  void Opened(ReplicaKey key, const consensus::Replica& replica);
  void Stepped(ReplicaKey key, const consensus::Replica& replica, const consensus::Output& output);
  void Applied(ReplicaKey key, const node::AppliedRun& run);
  void ReadAsked(ReplicaKey key, const consensus::Replica& replica, consensus::ReadId read);
  void RowsPutBack(ReplicaKey key);  // by a fault
  void Buried(ReplicaKey key);
  void Destroyed(ReplicaKey key);
  // Within one life of a node.
  void MapChanged(NodeId node, std::uint64_t from, std::uint64_t to);

  // ---- from disks, network and clients ----
  // Until when the replica may serve reads by its lease, in the world's time.
  void Lease(ReplicaKey key, const consensus::Replica& replica, std::optional<Nanos> until);
  void Durable(ReplicaKey key, const consensus::Persist& record);
  void OnSend(const consensus::Envelope& envelope);
  void Called(const Operation& operation) { applied_.Called(operation); }
  void Answered(const Operation& operation, const OperationResult& result);

  // ---- what is true of a shard, whoever knows it ----
  const consensus::Config& LatestConfig(ShardId shard) { return Of(shard).latest(); }
  std::uint64_t Decided(ShardId shard) const;  // slots
  const PlacementChecker& placement() const { return placement_; }
  const AppliedChecker& applied() const { return applied_; }

  // For scenarios: sees each step too. What it wants to do about one is done in an event of its
  // own.
  std::function<void(ReplicaKey, const consensus::Replica&, const consensus::Output&)> on_step;

 private:
  struct Shard {
    consensus::Invariants invariants{consensus::Config{}};
    std::size_t reported = 0;
  };
  consensus::Invariants& Of(ShardId shard);
  void Report(ShardId shard);

  World& world_;
  // Memberships are learned from the replicas; the first comes with the founder's genesis.
  std::map<ShardId, Shard> shards_;
  AppliedChecker applied_;
  PlacementChecker placement_;
};

}  // namespace decree::sim
