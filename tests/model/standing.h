// What a replica is among the others, and what must not be true of two of them at once: the
// invariants that no replica and no list of votes shows alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tests/model/local.h"

namespace decree::consensus::model {

struct Standing {
  Ballot leads;             // 0: none
  Ballot lease;             // by which it would serve a read, on its own clock; 0: none
  Ballot promised;          // durably
  bool sealing = false;     // leads, and proposed a Seal
  std::uint8_t self = 0;    // as in `voters`
  std::uint8_t voters = 0;  // of its epoch, a bit each
};

Standing StandingOf(const Local& local);

using Standings = std::span<const Standing* const>;

// INV-11: a lease is held, and somebody leads a higher ballot or holds one too. `acted` is the
// replica that changed.
const std::string* UnderALease(const Standings& all, std::size_t acted);

// INV-17: a leader that proposed a Seal would still read by its lease.
const std::string* ReadsBesideItsSeal(const Standing& leader);

// INV-16: `acted`, a leader, leads a ballot that no majority of its voters has durably promised (or
// a higher one).
const std::string* WithoutPromises(const Standings& all, std::size_t acted);

}  // namespace decree::consensus::model
