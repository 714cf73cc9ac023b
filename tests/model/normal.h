// The model's way into a replica. A state of the model is free of time: every event happens long
// after whatever was to be waited for, and what only measures time or numbers things is set to one
// value after each event. What is then left is compared by the replica's own StateHash. Only leases
// keep their instants: a scope with leases lets time pass in a few large steps.
#pragma once

#include "consensus/core_state.h"
#include "consensus/replica.h"

namespace decree::consensus {

struct ModelAccess {
  static constexpr Instant kBegin{1'000'000'000'000};
  static constexpr Duration kTick = 1ms;  // short against all timeouts but the lease

  static void Normalise(Replica& replica, Instant now);

  // ---- what decides whether a message can ever matter again ----
  static bool AwaitsPromises(const Replica& replica, const Ballot& ballot);
  static bool MayLead(const Replica& replica, const Ballot& ballot);  // leads or is a candidate in
  static const Peer* PeerOf(const Replica& replica, ReplicaId member);
  // The ballot whose lease a read at `now` would be served by; 0: it would not.
  static Ballot LeaseOf(const Replica& replica, Instant now);
  static bool Sealing(const Replica& replica);  // it leads, and proposed a Seal or found one
  // A leader's next tick sends a heartbeat instead of finding that nobody was heard.
  static void HearQuorum(Replica& replica, Instant now);
  static Slot NextSlot(const Replica& replica);  // of a leader's next proposal
  static Slot VotedTo(const Replica& replica);
  // For runs in which time passes: replicas whose random numbers are alike would duel for ever.
  static void Reseed(Replica& replica, std::uint64_t seed);
};

}  // namespace decree::consensus
