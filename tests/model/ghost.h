// What really happened, as nobody in the system can see it: the durable votes ever cast and the
// values they chose. It is part of a state, and each fact that joins it is checked (the names are
// those of consensus/invariants.h).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "consensus/decree.h"

namespace decree::consensus::model {

using ValueId = std::uint16_t;  // 0: none

// The decrees of a search, numbered.
class Values {
 public:
  ValueId IdOf(const Decree& decree);
  const Decree& operator[](ValueId id) const { return decrees_[id - 1u]; }

 private:
  std::map<std::string, ValueId> ids_;
  std::vector<Decree> decrees_;
};

enum class FactKind : std::uint8_t {
  kVote,    // durable at `replica`
  kHanded,  // handed out as chosen by `replica`
  kAcked,   // and answered to the client that proposed it
};

struct Fact {
  FactKind kind = FactKind::kVote;
  std::uint8_t replica = 0;
  std::uint8_t slot = 0;
  std::uint8_t epoch = 0;  // of the vote's ballot, and so on
  std::uint8_t round = 0;
  std::uint8_t owner = 0;
  ValueId value = 0;
  auto operator<=>(const Fact&) const = default;
};

Fact VoteFact(ReplicaId replica, const Vote& vote, Values& values);
Fact HandedFact(ReplicaId replica, const ChosenDecree& chosen, Values& values);

class Ghost {
 public:
  static constexpr std::size_t kSlots = 16;

  // Empty if all is well, else the invariant that the fact breaks.
  std::string Add(const Fact& fact, const Config& genesis, const Values& values);
  // INV-15, before the vote is added: below it every slot is chosen, or voted by the same replica
  // in that ballot.
  std::string AboveHole(const Fact& vote) const;

  Slot acked() const { return Slot{acked_}; }
  ValueId decided(std::size_t slot) const { return decided_[slot]; }
  // What distinguishes it from others.
  std::string Key() const;

 private:
  std::string AddVote(const Fact& vote, const Config& genesis, const Values& values);
  std::string Decide(const Fact& vote, const Config& genesis, const Values& values);

  std::array<ValueId, kSlots> decided_{};
  std::vector<Fact> votes_;  // sorted; those for the chosen value of a slot say nothing new
  std::uint8_t acked_ = 0;
};

// The configuration of an epoch as the chosen decrees make it; of epoch 0 if it is not begun.
Config ConfigOf(Epoch epoch, const Config& genesis, const Ghost& ghost, const Values& values);

}  // namespace decree::consensus::model
