#include "tests/sim/applied_checker.h"

#include <algorithm>

#include "kv/base/frame.h"
#include "kv/store/row_digest.h"

namespace decree::sim {
namespace {

std::uint64_t HashOfWrite(bool put, const std::string& key, const std::string& value) {
  return Hash64((put ? "p" : "d") + std::to_string(key.size()) + key + (put ? value : ""));
}

bool Executed(const Command& command, const CommandResult& result) {
  if (result.code != Errc::kOk) return false;
  if (command.kind == CommandKind::kPut) return true;
  return command.kind == CommandKind::kDelete && result.created;
}

}  // namespace

void AppliedChecker::Fail(ReplicaKey key, Slot slot, const std::string& what) {
  world_.Fail("replica " + ToString(key) + " at slot " + ToString(slot) + ": " + what);
}

void AppliedChecker::Called(const Operation& operation) {
  if (operation.kind != OperationKind::kPut) return;
  ++puts_[HashOfWrite(true, operation.key, operation.value)].called;
}

void AppliedChecker::Applied(ReplicaKey key, const node::AppliedRun& run) {
  for (std::size_t i = 0; i < run.decrees.size(); ++i) {
    CompareSlot(key, run.decrees[i], run.results[i]);
  }
  CompareMachine(key, run);
  const bool mark = run.results.back().has_mark;
  if (mark || run.decrees.back().slot.value % kRowsEvery == 0) CompareRows(key, run);
}

void AppliedChecker::CompareSlot(ReplicaKey key, const consensus::ChosenDecree& decree,
                                 const store::AppliedSlot& applied) {
  const std::uint64_t decree_hash = Hash64(Encode(decree.decree));
  const std::uint64_t results_hash = Hash64(Encode(applied.results));
  world_.Trace("applied", 0, key.replica.value, decree_hash ^ (results_hash << 1));
  const auto [known, fresh] = slots_.try_emplace({key.shard, decree.slot});
  SlotFacts& facts = known->second;
  if (fresh) {
    facts.decree = decree_hash;
    facts.results = results_hash;
    return ReadCommands(key.shard, decree, applied);
  }
  ++slots_compared_;
  if (facts.decree != decree_hash) Fail(key, decree.slot, "applied another decree than a peer");
  if (facts.results != results_hash) Fail(key, decree.slot, "got other results than a peer");
}

void AppliedChecker::CompareMachine(ReplicaKey key, const node::AppliedRun& run) {
  const std::uint64_t hash = Hash64(Encode(run.machine.facts())) | 1;
  std::uint64_t& known = slots_[{key.shard, run.decrees.back().slot}].machine;
  if (known == 0) known = hash;
  if (known != hash) Fail(key, run.decrees.back().slot, "its machine's facts are not a peer's");
}

void AppliedChecker::CompareRows(ReplicaKey key, const node::AppliedRun& run) {
  const Slot slot = run.decrees.back().slot;
  const Result<std::string> digest = store::DigestRows(*run.rows.View());
  if (!digest) return;  // a disk that cannot be read is another matter
  std::string& known = slots_[{key.shard, slot}].rows;
  if (known.empty()) {
    known = *digest;
    return;
  }
  ++rows_compared_;
  if (known != *digest) Fail(key, slot, "its rows are not a peer's");
}

void AppliedChecker::ReadCommands(ShardId shard, const consensus::ChosenDecree& decree,
                                  const store::AppliedSlot& applied) {
  if (decree.decree.kind != consensus::DecreeKind::kCommandBatch) return;
  const Result<CommandBatch> batch = Decode<CommandBatch>(View(decree.decree.payload));
  if (!batch || batch->commands.size() != applied.results.size()) return;
  for (std::size_t i = 0; i < applied.results.size(); ++i) {
    NoteSession(shard, decree.slot, batch->commands[i], applied.results[i]);
    NoteVersion(shard, decree.slot, batch->commands[i], applied.results[i]);
  }
}

void AppliedChecker::NoteSession(ShardId shard, Slot slot, const Command& command,
                                 const CommandResult& result) {
  const SessionRef& session = command.session;
  if (session.client == 0 || session.opened == 0 || result.code == Errc::kSessionExpired) return;
  if (command.kind == CommandKind::kOpenSession) return;
  const std::uint64_t hash = Hash64(Encode(result));
  const SessionCommand name(shard, session.client, session.opened, session.sequence);
  const auto [known, fresh] = session_results_.emplace(name, hash);
  if (known->second == hash) return;
  world_.Fail("shard " + ToString(shard) + " at slot " + ToString(slot) + ": command " +
              std::to_string(session.sequence) + " of session " + std::to_string(session.client) +
              " has a second result");
}

void AppliedChecker::NoteVersion(ShardId shard, Slot slot, const Command& command,
                                 const CommandResult& result) {
  if (!Executed(command, result)) return;
  const bool put = command.kind == CommandKind::kPut;
  const Write write{slot,
                    HashOfWrite(put, command.key, command.value),
                    {command.session.client, command.session.sequence}};
  const auto [known, fresh] = writes_.emplace(std::pair(shard, result.version), write);
  const bool repeat = known->second.session == write.session && write.session.first != 0;
  if (fresh && put) NotePut(shard, write, command.key);
  if (fresh || repeat) return;
  world_.Fail("shard " + ToString(shard) + " at slot " + ToString(slot) + ": version " +
              std::to_string(result.version) + " was given out at slot " +
              ToString(known->second.slot) + " already");
}

void AppliedChecker::NotePut(ShardId shard, const Write& write, const std::string& key) {
  const auto puts = puts_.find(write.command);
  if (puts == puts_.end() || ++puts->second.executed <= puts->second.called) return;
  world_.Fail("shard " + ToString(shard) + " at slot " + ToString(write.slot) + ": a put of " +
              key + " was executed more often than it was called");
}

void AppliedChecker::Answered(const Operation& operation, const OperationResult& result,
                              const std::function<bool(Slot)>& chosen) {
  const bool put = operation.kind == OperationKind::kPut;
  const bool deleted = operation.kind == OperationKind::kDelete && result.command.created;
  if (result.code != Errc::kOk || !(put || deleted)) return;
  const auto write = writes_.find({*result.shard, result.command.version});
  const std::string what = "an acknowledged write of " + operation.key + ", version " +
                           std::to_string(result.command.version) + ", ";
  if (write == writes_.end()) return world_.Fail(what + "was applied nowhere");
  if (write->second.command != HashOfWrite(put, operation.key, operation.value)) {
    return world_.Fail(what + "is another one in the log");
  }
  if (!chosen(write->second.slot)) world_.Fail(what + "is not chosen");
}

}  // namespace decree::sim
