// What a search may do: who takes part, how many ballots, proposals, crashes and reads there are. A
// scope bounds the search; within it everything is tried in every order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "consensus/decree.h"

namespace decree::consensus::model {

// Ways to break the disk under the real core, to see that the search finds what comes of it.
enum class DiskFault : std::uint8_t { kNone, kForgetsPromise, kForgetsVotes, kAnswersEarly };

struct Scope {
  std::string name;
  std::string about;
  std::vector<std::uint64_t> voters{1, 2, 3};  // A, B, X
  std::vector<std::uint64_t> learners;         // Y is 4
  std::array<std::uint64_t, 4> rounds{};       // [epoch]: the highest round of a ballot
  std::uint64_t slots = 2;                     // the last slot that a client's decree may take
  unsigned commands = 0;                       // how many commands are proposed
  std::uint64_t commands_in_epoch = 0;         // in this one only; 0: in any
  std::vector<Decree> decrees;                 // membership decrees, each proposed at most once
  unsigned trims = 0;          // how often a replica's rows become durable and its log forgets them
  bool snapshots = false;      // and are offered to all others from then on
  bool empty_learner = false;  // learners begin without rows: a snapshot is their first word
  unsigned crashes = 0;        // each may hit any replica
  unsigned reads = 0;
  unsigned ticks = 0;        // how often time passes
  unsigned lease_ticks = 1;  // the length of a lease
  unsigned lags = 0;         // how often time passes for all clocks but one
  std::uint32_t drift_ppm = 0;
  unsigned beats = 0;  // heartbeats after the first of a leader
  unsigned transfers = 0;
  bool leases = false;
  bool writes_take_time = false;  // a record becomes durable in an event of its own
  bool leader_at_start = false;   // A leads and its barrier is chosen and known: round 1 is used
  bool everything = false;        // no message is left out, none taken out as dead: what a broken
                                  // rule could make matter
  bool heartbeats = false;        // heartbeats that ask for an answer are sent and answered
  bool outcomes_only = false;     // what only leads to harm (INV-9, 15, 16, 17) is let pass
  DiskFault fault = DiskFault::kNone;
  std::vector<std::uint64_t> alike;  // replicas that may be exchanged for one another
};

const std::vector<Scope>& Scopes();
const Scope* FindScope(const std::string& name);

}  // namespace decree::consensus::model
