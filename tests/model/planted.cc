#include "tests/model/planted.h"

#include "kv/base/check.h"

namespace decree::consensus::model {

const std::vector<PlantedCase>& PlantedCases() {
  static const std::vector<PlantedCase> cases = {
      {.bug = "REPLY_BEFORE_FSYNC", .scope = "paxos-2", .bound = 1'000, .violation = "INV-16"},
      {.bug = "PROMISE_NOT_PERSISTED", .scope = "paxos-2", .bound = 1'000, .violation = "INV-16"},
      {.bug = "OWN_VOTE_BEFORE_FSYNC", .scope = "disk", .bound = 1'000, .violation = "INV-10"},
      {.bug = "LEARNERS_COUNTED", .scope = "seal-1", .bound = 1'000, .violation = "INV-10"},
      {.bug = "ANY_VOTE", .scope = "paxos-3", .bound = 60'000, .violation = "INV-1"},
      {.bug = "NOOP_OVER_TRIMMED", .scope = "trim", .bound = 10'000, .violation = "INV-1"},
      {.bug = "PROMISES_MIXED", .scope = "stale", .bound = 1'000, .violation = "INV-16"},
      {.bug = "NONCONTIGUOUS_ACCEPT", .scope = "revival", .bound = 15'000, .violation = "INV-15"},
      {.bug = "NONCONTIGUOUS_ACCEPT",
       .scope = "revival",
       .bound = 900'000,
       .outcomes_only = true,
       .violation = "INV-7"},
      {.bug = "ACCEPT_BELOW_PROMISE", .scope = "disk", .bound = 120'000, .violation = "INV-2"},
      {.bug = "ACCEPT_OVERWRITES_CHOSEN",
       .scope = "paxos-2",
       .bound = 1'000,
       .violation = "check failed: !entry.chosen"},
      {.bug = "OLD_VOTE_CHOSEN", .scope = "paxos-2", .bound = 30'000, .violation = "INV-1"},
      {.bug = "LEARNED_NOT_STORED", .scope = "crash", .bound = 200'000, .violation = "INV-1"},
      {.bug = "HEARTBEAT_ANSWERED_EARLY",
       .scope = "disk-beat",
       .bound = 1'000,
       .violation = "INV-5"},
      {.bug = "BALLOT_REUSED", .scope = "disk", .bound = 1'000, .violation = "INV-16"},
      {.bug = "RESTART_RESUMES_LEADERSHIP",
       .scope = "crash",
       .bound = 1'000,
       .violation = "INV-16"},
      {.bug = "PROPOSAL_ABOVE_SEAL", .scope = "seal-1", .bound = 1'000, .violation = "INV-7"},
      {.bug = "SEAL_ABOVE_OPEN_SLOTS", .scope = "seal-2", .bound = 1'000, .violation = "INV-22"},
      {.bug = "BARRIER_ABOVE_SEAL", .scope = "seal-2", .bound = 2'000, .violation = "INV-7"},
      {.bug = "VOID_VOTES_BELIEVED",
       .scope = "void-votes",
       .bound = 150'000,
       .at_random = true,
       .violation = "INV-7"},
      {.bug = "SEALED_BELIEVED", .scope = "seal-stale", .bound = 10'000, .violation = "INV-9"},
      {.bug = "PROMOTED_WITH_GAP",
       .scope = "seal-1",
       .bound = 1'000,
       .violation = "check failed: ballot.epoch == config_.epoch"},
      {.bug = "OLD_MAJORITY_STARTS_EPOCH",
       .scope = "takeover",
       .bound = 1'000,
       .violation = "INV-16"},
      {.bug = "READ_OF_OLD_ROUND", .scope = "read", .bound = 40'000, .violation = "a stale read:"},
      {.bug = "READ_BEFORE_BARRIER",
       .scope = "read",
       .bound = 40'000,
       .violation = "a stale read:"},
      {.bug = "GRANT_NOT_KEPT", .scope = "lease", .bound = 1'000, .violation = "INV-11"},
      {.bug = "CLOCK_CACHED_OVER_PAUSE",
       .scope = "lease",
       .bound = 60'000,
       .violation = "a stale read:"},
      {.bug = "GRANT_FORGOTTEN_AT_RESTART",
       .scope = "lease-crash",
       .bound = 5'000,
       .violation = "INV-11"},
      {.bug = "LEASE_FROM_ANSWER", .scope = "lease-late", .bound = 30'000, .violation = "INV-11"},
      {.bug = "LEASE_KEPT_AT_SEAL", .scope = "lease-seal", .bound = 1'000, .violation = "INV-17"},
      {.bug = "LEASE_KEPT_AT_TRANSFER", .scope = "transfer", .bound = 2'000, .violation = "INV-11"},
  };
  return cases;
}

SearchResult SearchFor(const PlantedCase& planted) {
  const Scope* found = FindScope(planted.scope);
  DECREE_CHECK(found != nullptr);
  Scope scope = *found;
  scope.outcomes_only = planted.outcomes_only;
  Model model(scope);
  if (planted.at_random) return SearchAtRandom(model, {.seed = 1, .steps = planted.bound});
  SearchOptions options;
  options.max_states = planted.bound;
  return SearchAll(model, options);
}

}  // namespace decree::consensus::model
