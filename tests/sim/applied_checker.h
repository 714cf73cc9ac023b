// What replicas did with chosen decrees, held together at every apply:
//   - equal digests at equal applied slots: one decree, one list of results and one state of the
//     machine a slot, whichever replica applies it, in whichever life; at every kRowsEvery-th slot
//     and at marks also one digest of all rows;
//   - exactly once: a command of a session has one result, however often it was applied, and a
//     version is given out once; a put is executed no more often than clients called it, in
//     whichever sessions;
//   - no acknowledged write is lost: what a client was told is the result of a command that was
//     applied at a chosen slot.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "kv/api/caller.h"
#include "server/node/host_watch.h"
#include "tests/sim/world.h"

namespace decree::sim {

class AppliedChecker {
 public:
  explicit AppliedChecker(World& world) : world_(world) {}

  // Of every put of one key and value all are told of here, before they begin, or none.
  void Called(const Operation& operation);
  void Applied(ReplicaKey key, const node::AppliedRun& run);
  void Answered(const Operation& operation, const OperationResult& result,
                const std::function<bool(Slot)>& chosen);

  static constexpr std::uint64_t kRowsEvery = 16;
  std::uint64_t slots_compared() const { return slots_compared_; }
  std::uint64_t rows_compared() const { return rows_compared_; }

 private:
  struct SlotFacts {
    std::uint64_t decree = 0;
    std::uint64_t results = 0;
    std::uint64_t machine = 0;  // of its facts, where a run ended here; 0: not seen
    std::string rows;           // digest; empty: not taken
  };
  // A write that was executed: what gave out a version.
  struct Write {
    Slot slot;
    std::uint64_t command = 0;  // hash of kind, key and value
    std::pair<std::uint64_t, std::uint64_t> session;
  };
  struct Puts {
    std::uint64_t called = 0;
    std::uint64_t executed = 0;
  };
  // client, the version that its opening answered, sequence
  using SessionCommand = std::tuple<ShardId, std::uint64_t, std::uint64_t, std::uint64_t>;

  void CompareSlot(ReplicaKey key, const consensus::ChosenDecree& decree,
                   const store::AppliedSlot& applied);
  void CompareMachine(ReplicaKey key, const node::AppliedRun& run);
  void CompareRows(ReplicaKey key, const node::AppliedRun& run);
  void ReadCommands(ShardId shard, const consensus::ChosenDecree& decree,
                    const store::AppliedSlot& applied);
  void NoteSession(ShardId shard, Slot slot, const Command& command, const CommandResult& result);
  void NoteVersion(ShardId shard, Slot slot, const Command& command, const CommandResult& result);
  void NotePut(ShardId shard, const Write& write, const std::string& key);
  void Fail(ReplicaKey key, Slot slot, const std::string& what);

  World& world_;
  std::uint64_t slots_compared_ = 0;
  std::uint64_t rows_compared_ = 0;
  std::map<std::pair<ShardId, Slot>, SlotFacts> slots_;
  std::map<std::pair<ShardId, std::uint64_t>, Write> writes_;  // by version
  std::map<SessionCommand, std::uint64_t> session_results_;    // hash
  std::map<std::uint64_t, Puts> puts_;                         // by hash of kind, key and value
};

}  // namespace decree::sim
