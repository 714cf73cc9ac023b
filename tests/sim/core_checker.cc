#include "tests/sim/core_checker.h"

#include "kv/base/frame.h"
#include "server/node/placement_machine.h"
#include "tests/consensus/describe.h"

namespace decree::sim {

consensus::Invariants& CoreChecker::Of(ShardId shard) {
  consensus::Invariants& invariants = shards_[shard].invariants;
  invariants.At(Instant{world_.now()});
  return invariants;
}

void CoreChecker::RowsPutBack(ReplicaKey key) { Of(key.shard).RowsPutBack(key.replica); }

void CoreChecker::Report(ShardId shard) {
  Shard& checked = shards_[shard];
  const auto& violations = checked.invariants.violations();
  for (; checked.reported < violations.size(); ++checked.reported) {
    world_.Fail("shard " + ToString(shard) + ", " + violations[checked.reported]);
  }
}

void CoreChecker::Opened(ReplicaKey key, const consensus::Replica& replica) {
  Of(key.shard).Restarted(replica);
  placement_.Opened(key);
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

void CoreChecker::Applied(ReplicaKey key, const node::AppliedRun& run) {
  applied_.Applied(key, run);
  const auto* machine = dynamic_cast<const node::PlacementMachine*>(&run.machine);
  if (machine == nullptr) return;
  placement_.Applied(key, run.machine.facts().applied, machine->state(),
                     [this](ShardId shard, Epoch epoch) { return Of(shard).ConfigOf(epoch); });
}

void CoreChecker::ReadAsked(ReplicaKey key, const consensus::Replica& replica,
                            consensus::ReadId read) {
  Of(key.shard).Asked(replica, read);
}

std::uint64_t CoreChecker::Decided(ShardId shard) const {
  const auto known = shards_.find(shard);
  return known != shards_.end() ? known->second.invariants.decided() : 0;
}

void CoreChecker::Buried(ReplicaKey key) {
  world_.Trace("buried", 0, key.shard.value, key.replica.value);
  Of(key.shard).Buried(key.replica);
  Report(key.shard);
}

void CoreChecker::Destroyed(ReplicaKey key) { Of(key.shard).Destroyed(key.replica); }

void CoreChecker::MapChanged(NodeId node, std::uint64_t from, std::uint64_t to) {
  if (to >= from) return;
  world_.Fail("the shard map of node " + ToString(node) + " went back from version " +
              std::to_string(from) + " to " + std::to_string(to));
}

void CoreChecker::Durable(ReplicaKey key, const consensus::Persist& record) {
  world_.Trace("durable", 0, key.replica.value, Hash64(Encode(record)));
  Of(key.shard).Durable(key.replica, record);
  Report(key.shard);
}

void CoreChecker::OnSend(const consensus::Envelope& envelope) {
  if (world_.tracing()) {
    world_.Say(0, "shard " + ToString(envelope.shard) + ", replica " + ToString(envelope.from.id) +
                      " to " + ToString(envelope.to.id) + ": " +
                      consensus::testing::Describe(envelope.message));
  }
  Of(envelope.shard).Sent(envelope.from.id, envelope.message);
  Report(envelope.shard);
}

void CoreChecker::Answered(const Operation& operation, const OperationResult& result) {
  if (!result.shard) return;
  applied_.Answered(operation, result,
                    [&](Slot slot) { return Of(*result.shard).ChosenHash(slot) != 0; });
}

}  // namespace decree::sim
