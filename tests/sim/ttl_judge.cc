#include "tests/sim/ttl_judge.h"

#include <algorithm>

namespace decree::sim {

void TtlJudge::Called(const Operation& operation, ShardId shard) {
  Key& key = keys_[operation.key];
  key.called = world_.Stamp();
  key.known_then = time_[shard];
}

void TtlJudge::Answered(const Operation& operation, ShardId shard, const OperationResult& result) {
  Key& key = keys_[operation.key];
  if (operation.kind == OperationKind::kGet) return OnRead(key, operation, shard, result);
  if (result.code == Errc::kOk) OnPut(key, operation, shard, result);
}

void TtlJudge::OnPut(Key& key, const Operation& operation, ShardId shard,
                     const OperationResult& result) {
  key.value = operation.value;
  key.expires = result.command.expires_at_ms;
  const WallMs applied = key.expires - operation.ttl_ms;
  WallMs& time = time_[shard];
  time = std::max(time, applied);
  for (const Absence& absence : absences_[shard]) {
    if (absence.seen >= key.called || applied >= absence.expires) continue;
    world_.Fail("key " + absence.key + " was missing, and " +
                std::to_string(absence.expires - applied) + " ms later it had yet to expire");
  }
  // What lies further back than the shard's time says nothing about later puts either.
  std::erase_if(absences_[shard], [&](const Absence& absence) { return absence.expires <= time; });
}

void TtlJudge::OnRead(const Key& key, const Operation& operation, ShardId shard,
                      const OperationResult& result) {
  if (key.expires == 0) return;
  if (result.code == Errc::kNotFound) {
    ++judged_;
    if (key.expires > time_[shard]) {
      absences_[shard].push_back({world_.Stamp(), key.expires, operation.key});
    }
    return;
  }
  if (result.code != Errc::kOk) return;
  ++judged_;
  if (result.read.value != key.value) {
    world_.Fail("key " + operation.key + " holds " + result.read.value + ", its owner put " +
                key.value);
  } else if (key.known_then > key.expires) {
    world_.Fail("key " + operation.key + " was read " +
                std::to_string(key.known_then - key.expires) + " ms after it had expired");
  }
}

}  // namespace decree::sim
