#include "tests/model/scope.h"

#include <algorithm>

#include "tests/consensus/bare_host.h"

namespace decree::consensus::model {
namespace {

using testing::RemoveLearnerOf;
using testing::SealOf;

// X (3) leaves, Y (4) comes.
Decree SealForY() { return SealOf(MoveId{1}, {1, 2, 4}); }
// The same move with another member leaving.
Decree RivalSeal() { return SealOf(MoveId{1}, {1, 3, 4}); }

std::vector<Scope> PaxosScopes() {
  return {
      {.name = "paxos-2",
       .about = "two ballots and two commands, from nothing",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 2,
       .alike = {1, 2, 3}},
      {.name = "paxos-3",
       .about = "three ballots and two commands under a leader",
       .rounds = {0, 3},
       .slots = 3,
       .commands = 2,
       .leader_at_start = true},
      {.name = "crash",
       .about = "two ballots, a command, any replica crashes once",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .crashes = 1,
       .alike = {1, 2, 3}},
      {.name = "five",
       .about = "five voters, two ballots and a command under a leader",
       .voters = {1, 2, 3, 4, 5},
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .leader_at_start = true},
      {.name = "trim",
       .about = "a second leader, a command, and a log that forgets once",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .trims = 1,
       .leader_at_start = true},
      {.name = "stale",
       .about = "a second leader, a command, and no message is ever taken out",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .leader_at_start = true,
       .everything = true},
      {.name = "disk",
       .about = "a second leader, a command, a crash, and writes take time",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .crashes = 1,
       .writes_take_time = true,
       .leader_at_start = true},
      {.name = "disk-beat",
       .about = "a second leader whose heartbeats are answered, and writes take time",
       .rounds = {0, 2},
       .slots = 2,
       .writes_take_time = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "crashes",
       .about = "a second leader, a command, and two crashes",
       .rounds = {0, 2},
       .slots = 2,
       .commands = 1,
       .crashes = 2,
       .leader_at_start = true},
  };
}

std::vector<Scope> ReadScopes() {
  return {
      {.name = "read",
       .about = "a command, a read and two ballots",
       .rounds = {0, 2},
       .slots = 3,
       .commands = 1,
       .reads = 1,
       .leader_at_start = true,
       .heartbeats = true},
  };
}

std::vector<Scope> LeaseScopes() {
  return {
      {.name = "lease",
       .about = "a lease, a second leader, a command, a read",
       .rounds = {0, 2},
       .slots = 3,
       .commands = 1,
       .reads = 1,
       .ticks = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "lease-crash",
       .about = "a lease, a second leader, a command, a read; two crashes",
       .rounds = {0, 2},
       .slots = 3,
       .commands = 1,
       .crashes = 2,
       .reads = 1,
       .ticks = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "lease-late",
       .about = "a lease that is renewed, two ticks long; a second leader, a command, a read",
       .rounds = {0, 2},
       .slots = 3,
       .commands = 1,
       .reads = 1,
       .ticks = 3,
       .lease_ticks = 2,
       .beats = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "clocks",
       .about = "as lease-late, and one clock may go half as fast as the others",
       .rounds = {0, 2},
       .slots = 3,
       .commands = 1,
       .reads = 1,
       .ticks = 3,
       .lease_ticks = 2,
       .lags = 1,
       .drift_ppm = 500'000,
       .beats = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "transfer",
       .about = "a leader hands over under its lease, or fails to; a command, a read",
       .rounds = {0, 3},
       .slots = 3,
       .commands = 1,
       .reads = 1,
       .ticks = 1,
       .beats = 1,
       .transfers = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
  };
}

std::vector<Scope> SealScopes() {
  return {
      {.name = "seal-1",
       .about = "a leader seals; one ballot of the next epoch",
       .learners = {4},
       .rounds = {0, 1, 1},
       .slots = 2,
       .decrees = {SealForY()},
       .leader_at_start = true},
      {.name = "seal-2",
       .about = "a leader seals, a second one comes, a command; one ballot of the next epoch",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 3,
       .commands = 1,
       .decrees = {SealForY()},
       .leader_at_start = true},
      {.name = "seal-stale",
       .about = "a leader seals, a second one comes, and no message is left or taken out",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 2,
       .decrees = {SealForY()},
       .leader_at_start = true,
       .everything = true},
      {.name = "seal-crash",
       .about = "a leader seals, a second one comes, any replica crashes once",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 2,
       .decrees = {SealForY()},
       .crashes = 1,
       .leader_at_start = true},
      {.name = "seal-disk",
       .about = "a leader seals, any replica crashes once, and writes take time",
       .learners = {4},
       .rounds = {0, 1, 1},
       .slots = 2,
       .decrees = {SealForY()},
       .crashes = 1,
       .writes_take_time = true,
       .leader_at_start = true},
  };
}

std::vector<Scope> SnapshotScopes() {
  return {
      {.name = "snapshot",
       .about = "Y begins empty; a snapshot may replace rows; a leader seals, a second one comes",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 3,
       .decrees = {SealForY()},
       .trims = 2,
       .snapshots = true,
       .empty_learner = true,
       .leader_at_start = true},
      {.name = "snapshot-crash",
       .about = "as snapshot, under one leader, and any replica crashes once",
       .learners = {4},
       .rounds = {0, 1, 1},
       .slots = 3,
       .decrees = {SealForY()},
       .trims = 2,
       .snapshots = true,
       .empty_learner = true,
       .crashes = 1,
       .leader_at_start = true},
  };
}

std::vector<Scope> SealedReadScopes() {
  return {
      {.name = "seal-read",
       .about = "a Seal, a command in each epoch, a read",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 4,
       .commands = 1,
       .decrees = {SealForY()},
       .reads = 1,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "lease-seal",
       .about = "a Seal under a lease, a second leader: nobody leads beside the lease",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 2,
       .decrees = {SealForY()},
       .ticks = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
      {.name = "seal-lease",
       .about = "a Seal, a command in the next epoch, a read under a lease of the old one",
       .learners = {4},
       .rounds = {0, 1, 1},
       .slots = 4,
       .commands = 1,
       .decrees = {SealForY()},
       .reads = 1,
       .ticks = 1,
       .leases = true,
       .leader_at_start = true,
       .heartbeats = true},
  };
}

std::vector<Scope> EpochScopes() {
  return {
      {.name = "epoch-2",
       .about = "a leader seals; two ballots and a command in the next epoch",
       .learners = {4},
       .rounds = {0, 1, 2},
       .slots = 4,
       .commands = 1,
       .decrees = {SealForY()},
       .leader_at_start = true},
      {.name = "void-votes",
       .about = "three commands that only their leader voted for; another one seals below them",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 4,
       .commands = 3,
       .commands_in_epoch = 1,
       .decrees = {SealForY()},
       .leader_at_start = true},
      {.name = "takeover",
       .about = "two leaders may seal, two lead the next epoch and take a command each",
       .learners = {4},
       .rounds = {0, 2, 1},
       .slots = 4,
       .commands = 2,
       .commands_in_epoch = 2,
       .decrees = {SealForY()},
       .leader_at_start = true},
      {.name = "two-seals",
       .about = "X leaves and Y comes, then B leaves and X comes back: three epochs",
       .learners = {4},
       .rounds = {0, 1, 1, 1},
       .slots = 4,
       .decrees = {SealOf(MoveId{1}, {1, 2, 4}, {3}), SealOf(MoveId{2}, {1, 3, 4})},
       .leader_at_start = true},
  };
}

std::vector<Scope> RivalScopes() {
  return {
      {.name = "rival",
       .about = "two Seals of one epoch under three leaders; one ballot of the next epoch",
       .learners = {4},
       .rounds = {0, 3, 1},
       .slots = 2,
       .decrees = {SealForY(), RivalSeal()},
       .leader_at_start = true},
      {.name = "rollback",
       .about = "a Seal against the RemoveLearner of its move, under three leaders",
       .learners = {4},
       .rounds = {0, 3},
       .slots = 3,
       .decrees = {SealForY(), RemoveLearnerOf(MoveId{1}, 4)},
       .leader_at_start = true},
      {.name = "revival",
       .about = "a Seal voted once, four ballots: it must not come back",
       .learners = {4},
       .rounds = {0, 4},
       .slots = 2,
       .decrees = {SealForY()},
       .leader_at_start = true},
  };
}

std::vector<Scope> MakeScopes() {
  std::vector<Scope> scopes = PaxosScopes();
  for (const auto& more : {ReadScopes(), LeaseScopes(), SealScopes(), SnapshotScopes(),
                           SealedReadScopes(), EpochScopes(), RivalScopes()}) {
    scopes.insert(scopes.end(), more.begin(), more.end());
  }
  return scopes;
}

}  // namespace

const std::vector<Scope>& Scopes() {
  static const std::vector<Scope> scopes = MakeScopes();
  return scopes;
}

const Scope* FindScope(const std::string& name) {
  const auto& all = Scopes();
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Scope& scope) { return scope.name == name; });
  return at != all.end() ? &*at : nullptr;
}

}  // namespace decree::consensus::model
