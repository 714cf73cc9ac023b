// Ballots and slots: who may decide, and what is being decided.
#pragma once

#include <compare>
#include <cstdint>

#include "kv/base/codec.h"
#include "kv/base/ids.h"

namespace decree::consensus {

// Totally ordered: a later epoch beats every round of an earlier one.
struct Ballot {
  Epoch epoch;
  std::uint64_t round = 0;
  ReplicaId replica;  // the leader of this ballot
  auto operator<=>(const Ballot&) const = default;
  explicit operator bool() const { return round != 0; }
  DECREE_FIELDS(epoch, round, replica)
};

std::string ToString(const Ballot& ballot);  // "1.7.3"

}  // namespace decree::consensus
