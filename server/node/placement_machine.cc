#include "server/node/placement_machine.h"

#include <algorithm>
#include <utility>

#include "kv/base/check.h"

namespace decree::node {
namespace {

constexpr std::string_view kRowPrefix = "p";

Result<rebalance::PlacementState> LoadState(const store::Engine& engine) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto view = engine.View();
  const auto cursor = view->NewCursor();
  for (cursor->Seek(kRowPrefix); cursor->Valid() && cursor->key().starts_with(kRowPrefix);
       cursor->Next()) {
    rows.emplace_back(cursor->key(), cursor->value());
  }
  if (!cursor->status()) return cursor->status().error();
  return rebalance::PlacementState::FromRows(rows);
}

}  // namespace

PlacementMachine::PlacementMachine(store::Engine& engine, store::MachineFacts facts,
                                   rebalance::PlacementState state)
    : engine_(&engine), facts_(std::move(facts)), state_(std::move(state)) {}

Result<std::unique_ptr<store::StateMachine>> PlacementMachine::Open(
    store::Engine& engine, const consensus::Config& genesis) {
  auto stored = store::ReadFacts(engine);
  if (!stored) return stored.error();
  store::MachineFacts facts;
  facts.config = genesis;
  if (*stored) facts = **stored;
  auto state = LoadState(engine);
  if (!state) return state.error();
  return std::unique_ptr<store::StateMachine>(
      new PlacementMachine(engine, std::move(facts), std::move(*state)));
}

Result<std::vector<store::AppliedSlot>> PlacementMachine::Apply(
    const std::vector<consensus::ChosenDecree>& decrees) {
  std::vector<store::AppliedSlot> applied;
  for (const consensus::ChosenDecree& chosen : decrees) applied.push_back(ApplyOne(chosen));
  store::RowBatch batch;
  for (auto& [key, value] : state_.TakeChangedRows()) batch.push_back({key, std::move(value)});
  batch.push_back(store::FactsRow(facts_));
  const Status written = engine_->Write(batch);
  if (!written) return written.error();
  return applied;
}

store::AppliedSlot PlacementMachine::ApplyOne(const consensus::ChosenDecree& chosen) {
  DECREE_CHECK(chosen.slot == facts_.applied.Next());
  facts_.applied = chosen.slot;
  facts_.config = consensus::Advance(facts_.config, chosen.slot, chosen.decree);
  store::AppliedSlot applied{chosen.slot, {}, store::HoldsMark(chosen.decree)};
  if (chosen.decree.kind != consensus::DecreeKind::kCommandBatch) return applied;
  const Result<CommandBatch> batch = Decode<CommandBatch>(View(chosen.decree.payload));
  if (!batch) return applied;
  facts_.time_ms = std::max(facts_.time_ms, batch->time_ms);
  for (const Command& command : batch->commands) {
    applied.results.push_back(Execute(chosen.slot, command));
  }
  return applied;
}

CommandResult PlacementMachine::Execute(Slot slot, const Command& command) {
  CommandResult result;
  if (command.kind == CommandKind::kMark) {
    result.version = slot.value;
    return result;
  }
  if (command.kind != CommandKind::kPlacement) {
    result.code = Errc::kInvalidArgument;
    result.detail = "the placement group takes placement commands only";
    return result;
  }
  const auto change = Decode<rebalance::PlacementCommand>(command.value);
  if (!change) {
    result.code = Errc::kInvalidArgument;
    result.detail = "malformed placement command";
    return result;
  }
  return state_.Apply(slot, facts_.time_ms, *change);
}

}  // namespace decree::node
