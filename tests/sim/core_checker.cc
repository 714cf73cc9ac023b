#include "tests/sim/core_checker.h"

namespace decree::sim {

consensus::Invariants& CoreChecker::Of(ShardId shard) {
  // Memberships are learned from the replicas; the first comes with the founder's genesis.
  consensus::Invariants& invariants = shards_.try_emplace(shard, consensus::Config{}).first->second;
  invariants.At(Instant{world_.now()});
  return invariants;
}

void CoreChecker::Report(ShardId shard) {
  const consensus::Invariants& invariants = Of(shard);
  if (invariants.ok()) return;
  world_.Fail("shard " + ToString(shard) + ", " + invariants.violations().front());
}

void CoreChecker::Opened(ReplicaKey key, const consensus::Replica& replica) {
  Of(key.shard).Restarted(replica);
  Report(key.shard);
}

void CoreChecker::Stepped(ReplicaKey key, const consensus::Replica& replica,
                          const consensus::Output& output) {
  Of(key.shard).Stepped(replica, output);
  Report(key.shard);
  if (on_step) on_step(key, replica, output);
}

void CoreChecker::Lease(ReplicaKey key, const consensus::Replica& replica,
                        std::optional<Nanos> until) {
  Of(key.shard).Lease(replica, until ? std::optional(Instant{*until}) : std::nullopt);
  Report(key.shard);
}

void CoreChecker::Durable(ReplicaKey key, const consensus::Persist& record) {
  Of(key.shard).Durable(key.replica, record);
  Report(key.shard);
}

void CoreChecker::OnSend(const consensus::Envelope& envelope) {
  Of(envelope.shard).Sent(envelope.from.id, envelope.message);
  Report(envelope.shard);
}

}  // namespace decree::sim
