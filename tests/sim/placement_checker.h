// What the placement group's replicas hold true, looked at after every apply:
//   - a move goes along the stage table of rebalance/MOVES.md and never leaves its end;
//   - no move ends well whose two copies were not compared;
//   - the epoch published for a shard never falls;
//   - one owner an epoch: who is published as its voters are those that the shard's own log names.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rebalance/placement.h"
#include "tests/sim/world.h"

namespace decree::sim {

// Whether a move can have come from one stage to the other, in any number of steps.
bool CanComeFrom(rebalance::Stage from, rebalance::Stage to, bool fill_up);

class PlacementChecker {
 public:
  // The members of a shard's epoch as its replicas have them; null: none has got there.
  using MembersOf = std::function<const consensus::Config*(ShardId, Epoch)>;

  explicit PlacementChecker(World& world) : world_(world) {}

  void Applied(ReplicaKey key, Slot applied, const rebalance::PlacementState& state,
               const MembersOf& members);
  // A new life applies again what its rows had not kept.
  void Opened(ReplicaKey key) { seen_.erase(key); }
  // Moves that have not ended, as the replica has it that applied most.
  const std::map<MoveId, rebalance::MoveRecord>& active() const { return active_; }
  std::vector<MoveId> Paused() const;                   // of them
  std::uint32_t replicas() const { return replicas_; }  // the setting, by the same replica

 private:
  struct Seen {  // of one replica in one life; a snapshot takes it forward
    std::uint64_t version = 0;
    std::map<MoveId, rebalance::Stage> stages;
    std::map<ShardId, Epoch> epochs;
  };

  void CheckMoves(Seen& seen, const rebalance::PlacementState& state);
  void CheckShard(Seen& seen, ShardId shard, const ShardEntry& entry, const MembersOf& members);

  World& world_;
  std::map<ReplicaKey, Seen> seen_;
  Slot latest_;
  std::map<MoveId, rebalance::MoveRecord> active_;
  std::uint32_t replicas_ = 0;
};

}  // namespace decree::sim
