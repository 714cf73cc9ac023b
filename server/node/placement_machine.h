// The placement group's state machine: applies kPlacement commands to PlacementState and keeps the
// changed records as rows of the replica's engine, in the same batch as the facts row. So
// snapshots, catch-up, digests and recovery of the placement group work as those of any shard.
#pragma once

#include <memory>
#include <vector>

#include "kv/store/state_machine.h"
#include "rebalance/placement.h"

namespace decree::node {

class PlacementMachine : public store::StateMachine {
 public:
  // Reads the rows; an empty engine starts from `genesis`. kCorruption if a row does not decode.
  static Result<std::unique_ptr<store::StateMachine>> Open(store::Engine& engine,
                                                           const consensus::Config& genesis);

  Result<std::vector<store::AppliedSlot>> Apply(
      const std::vector<consensus::ChosenDecree>& decrees) override;
  const store::MachineFacts& facts() const override { return facts_; }
  const rebalance::PlacementState& state() const { return state_; }

 private:
  PlacementMachine(store::Engine& engine, store::MachineFacts facts,
                   rebalance::PlacementState state);
  store::AppliedSlot ApplyOne(const consensus::ChosenDecree& chosen);
  CommandResult Execute(Slot slot, const Command& command);

  store::Engine* engine_;
  store::MachineFacts facts_;
  rebalance::PlacementState state_;
};

}  // namespace decree::node
