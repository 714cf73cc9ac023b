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

class CoreChecker : public node::HostWatch {
 public:
  explicit CoreChecker(World& world) : world_(world), applied_(world), placement_(world) {}

  // ---- node::HostWatch ----
  void Opened(ReplicaKey key, const consensus::Replica& replica) override;
  void Stepped(ReplicaKey key, const consensus::Replica& replica,
               const consensus::Output& output) override;
  void Applied(ReplicaKey key, const node::AppliedRun& run) override;
  void Buried(ReplicaKey key) override;
  void Destroyed(ReplicaKey key) override;
  void MapChanged(NodeId node, std::uint64_t version) override;

  // ---- from disks, network and clients ----
  // Until when the replica may serve reads by its lease, in the world's time.
  void Lease(ReplicaKey key, const consensus::Replica& replica, std::optional<Nanos> until);
  void Durable(ReplicaKey key, const consensus::Persist& record);
  void OnSend(const consensus::Envelope& envelope);
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
  std::map<NodeId, std::uint64_t> map_versions_;
};

}  // namespace decree::sim
