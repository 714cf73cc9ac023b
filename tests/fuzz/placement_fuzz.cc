// Placement decrees: whatever sequence of them is chosen, the state takes or refuses each, its rows
// give the same state again, and a second replica that applies the same comes to the same rows.
#include <map>

#include "rebalance/placement.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

using rebalance::PlacementCommand;
using rebalance::PlacementState;
using Rows = std::map<std::string, std::string>;

class Replica {
 public:
  CommandResult Apply(Slot slot, const PlacementCommand& command) {
    CommandResult result = state_.Apply(slot, 1000 * slot.value, command);
    for (auto& [key, value] : state_.TakeChangedRows()) {
      if (value) {
        rows_[key] = std::move(*value);
      } else {
        rows_.erase(key);
      }
    }
    return result;
  }
  // A restart: what is not in the rows is forgotten.
  void Restart() {
    auto state = PlacementState::FromRows({rows_.begin(), rows_.end()});
    DECREE_CHECK_MSG(state.has_value(), state ? "" : state.error().ToString());
    state_ = std::move(*state);
  }
  const Rows& rows() const { return rows_; }
  const PlacementState& state() const { return state_; }

 private:
  PlacementState state_;
  Rows rows_;
};

// Shards by the thousand make an input slow, and nothing that a few do not show.
bool TooLarge(const PlacementCommand& command) {
  const auto* bootstrap = std::get_if<rebalance::Bootstrap>(&command.change);
  return bootstrap != nullptr && bootstrap->shards > 64;
}

void CheckAnswers(const PlacementState& state) {
  DECREE_CHECK(DecodesOrRefuses<ShardMap>(Encode(state.Map())).has_value());
  for (const auto& [id, node] : state.nodes()) {
    state.DrainProblem(id);
    state.HoldsReplicas(id);
  }
  for (const rebalance::MoveRecord* move : state.ActiveMoves()) {
    DECREE_CHECK(state.Move(move->id) == move);
    state.WhyGone(move->target);
  }
}

void Run(std::string_view input) {
  Replica steady;
  Replica restarted;
  Slot slot;
  Pieces pieces(input);
  while (!pieces.empty() && slot.value < 64) {
    const auto command = DecodesOrRefuses<PlacementCommand>(pieces.Piece());
    if (!command || TooLarge(*command)) continue;
    slot = slot.Next();
    const std::string one = Encode(steady.Apply(slot, *command));
    const std::string other = Encode(restarted.Apply(slot, *command));
    DECREE_CHECK(one == other);
    DECREE_CHECK(steady.rows() == restarted.rows());
    if (restarted.state().bootstrapped()) restarted.Restart();
  }
  CheckAnswers(steady.state());
}

rebalance::NodeRecord SomeNode(std::uint32_t node) {
  rebalance::NodeRecord record;
  record.name = "n" + std::to_string(node);
  record.rpc = "rpc-" + std::to_string(node);
  record.disks = {{Incarnation{node * 10}, "/disk", std::uint64_t{1} << 40}};
  return record;
}

std::string Chosen(std::initializer_list<rebalance::PlacementChange> changes) {
  std::string input;
  for (const auto& change : changes) input += Piece(Encode(PlacementCommand{NodeId{1}, change}));
  return input;
}

std::vector<std::string> Seeds() {
  using namespace rebalance;
  NodeRecord first = SomeNode(1);
  first.id = NodeId{1};
  const Bootstrap bootstrap{ClusterId{5}, 2, 3, first};
  StartMove move;
  move.epoch = Epoch{1};
  move.to = NodeId{2};
  AdvanceMove advance{MoveId{1}, Stage::kAddLearner, "note", 700, 12, {}};
  ChangeSettings settings;
  settings.repair = false;
  settings.moves_per_disk = 3;
  return {Chosen({bootstrap, RegisterNode{SomeNode(2)}, RegisterNode{SomeNode(3)}, move, advance}),
          Chosen({bootstrap, RegisterNode{SomeNode(2)}, move, CancelMove{MoveId{1}, "stop"},
                  AdvanceMove{MoveId{1}, Stage::kRolledBack, "stop"}}),
          Chosen({bootstrap, RegisterNode{SomeNode(2)}, settings,
                  SetNodeState{NodeId{2}, NodeState::kDraining, "old"},
                  SetNodeState{NodeId{2}, NodeState::kDead, "gone"}})};
}

const Registration kPlacement{{"placement", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz
