// The state space of a scope. A state is small: for each replica the number of a node (its own
// state and what the network still holds for it), the number of a ghost, and what the scope has
// left. What an event does to a replica is computed once by the real code and then remembered: a
// search visits millions of states and runs the replica for a few thousand.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/model/flat_map.h"
#include "tests/model/network.h"
#include "tests/model/standing.h"

namespace decree::consensus::model {

inline constexpr std::size_t kReplicas = 5;

// What the scope has left, and what only the search as a whole knows.
struct Left {
  std::array<std::uint16_t, 4> rounds{};  // [epoch]: for each round who used it, in three bits
  std::uint8_t commands = 0;
  std::uint8_t decrees_used = 0;  // bit k: decree k of the scope
  std::uint8_t crashes = 0;
  std::uint8_t trims = 0;
  std::uint8_t reads = 0;
  std::uint8_t ticks = 0;
  std::uint8_t beats = 0;
  std::uint8_t transfers = 0;
  std::uint8_t lags = 0;
  std::uint8_t read_floor = 0;  // what was acknowledged when the read began
  std::uint8_t campaigned = 0;  // bit k: replica k did, ever
  std::uint8_t without_gaps = 0;
  auto operator<=>(const Left&) const = default;

  std::size_t OwnerOf(const Ballot& ballot) const;  // index + 1; 0: nobody yet
  void Own(const Ballot& ballot, std::size_t owner);
};

struct State {
  std::array<std::uint32_t, kReplicas> nodes{};
  std::uint32_t ghost = 0;
  Left left;
  bool operator==(const State&) const = default;
  std::uint64_t Fingerprint() const;
};

// One step from a state.
struct Successor {
  State state;
  std::size_t replica = 0;
  Event event;
  const std::string* violation = nullptr;
};

class Model {
 public:
  explicit Model(const Scope& scope);

  const Scope& scope() const { return world_.scope; }
  State Initial();
  // Every step that the scope allows.
  using Visitor = std::function<void(const Successor&)>;
  void Successors(const State& state, const Visitor& visit);

  const Local& LocalOf(const State& state, std::size_t replica) const;
  std::size_t replicas() const { return ids_.size(); }
  ReplicaId IdAt(std::size_t replica) const { return ReplicaId{ids_[replica]}; }
  const Ghost& GhostOf(const State& state) const { return ghosts_[state.ghost].ghost; }
  const World& world() const { return world_; }
  std::string Describe(std::size_t replica, Event event) const;
  std::string Describe(const State& state) const;
  // How often the real code ran, and of what there is how much.
  std::string Sizes() const;

 private:
  using Number = std::uint32_t;
  struct KnownLocal {
    Local local;
    Floor floor;
    Standing standing;
    std::optional<std::vector<Number>> own_steps;  // those that need no message
  };
  struct Node {
    Number local = 0;
    Number inbox = 0;
    bool expanded = false;
    Number later = FlatMap::kNone;                   // the node when time has passed
    std::vector<std::pair<Number, Number>> moves{};  // step, node afterwards
  };
  // What an event does to a replica.
  struct KnownStep {
    Event event;
    Number local = 0;
    Number facts = 0;
    Number violation = 0;                                  // 0: none
    std::vector<std::pair<std::uint8_t, Number>> sends{};  // receiver, inbox to add
    Ballot campaign{};                                     // that began
    std::optional<Slot> served{};
  };
  struct KnownGhost {
    Ghost ghost;
  };

  Number LocalNumber(Local local);
  Number MessageNumber(Packet packet);
  Number InboxNumber(std::vector<Number> messages);
  Number NodeNumber(Number local, const std::vector<Number>& messages);
  Number GhostNumber(Ghost ghost);
  Number FactsNumber(const std::vector<Fact>& facts);
  Number ViolationNumber(const std::string& text);

  Number StepNumber(Number local, Event event);
  std::optional<Number> Compute(Number local, Event event);
  bool Run(Step& step, Event event);
  Number Keep(const Local& before, Step step, Event event);
  const std::vector<Number>& OwnSteps(Number local);
  void Expand(Number node);
  bool Changes(Number node, const KnownStep& step) const;
  Number Later(Number node);
  Number Receive(Number node, Number inbox);
  Number Remember(Number ghost, Number facts, Number& violation);

  bool Allowed(const State& state, std::size_t replica, const KnownStep& step) const;
  bool IsFree(const Left& left, const Ballot& ballot, std::size_t replica) const;
  bool InOrder(const Left& left, std::size_t replica) const;
  void PassTime(const State& state, const Visitor& visit);
  const std::string* WhatIsWrong(const State& state, std::size_t acted) const;
  void Spend(State& state, std::size_t replica, const KnownStep& step) const;
  std::size_t IndexOf(ReplicaId id) const;
  State StartWithLeader(const State& first);

  World world_;
  std::vector<std::uint64_t> ids_;
  std::deque<KnownLocal> locals_;
  std::deque<Packet> messages_;
  std::deque<std::vector<Number>> inboxes_;
  std::deque<Node> nodes_;
  std::deque<KnownGhost> ghosts_;
  std::deque<KnownStep> steps_;
  std::deque<std::vector<Fact>> facts_;
  std::deque<std::string> violations_{""};
  FlatMap local_numbers_, message_numbers_, inbox_numbers_, node_numbers_, ghost_numbers_;
  FlatMap facts_numbers_, step_numbers_, received_, remembered_;
  std::unordered_map<std::uint64_t, Number> ghost_violations_;
};

}  // namespace decree::consensus::model
