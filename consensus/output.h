// What a step of a replica asks of its host. The host must, for each output, in this order:
//   1. hand `persist` (if any) to the log of the disk: one atomic record;
//   2. send `send` now, in parallel with the write (a leader's Accepts);
//   3. when the write is durable: send `send_after_persist`, then call Persisted(persist->id).
//      If the write fails the replica is dead: nothing more is sent (P7, P8). Without a `persist`
//      this list is empty: a reply that reveals only records still under way is held back by the
//      replica and comes in `send` after their Persisted;
//   4. apply `chosen` in order, then call Replica::Applied;
//   5. answer `reads`; 6. call Tick no later than `wake_at`.
// Take an output once after construction too: it hands over the decrees that recovery found chosen
// above the rows, and the first `wake_at`. Several records may be under way at once.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "consensus/messages.h"
#include "kv/base/time.h"

namespace decree::consensus {

using PersistId = std::uint64_t;
using ReadId = std::uint64_t;

// One atomic record of the shard's log. Replay is order-free: the highest promise, the highest
// ballot of a slot, the highest watermark win.
struct Persist {
  PersistId id = 0;                  // not stored
  std::optional<Ballot> promised;    // raised promise
  std::vector<Vote> votes;           // P3: promise and vote in one write
  std::vector<ChosenDecree> chosen;  // learned from others: stored as chosen, beats any vote
  Slot watermark;  // contiguous chosen; every slot <= it above the snapshot is stored
  DECREE_FIELDS(promised, votes, chosen, watermark)
};

struct Outgoing {
  Member to;
  Message message;
};

struct ReadReady {
  ReadId id = 0;
  bool ok = false;  // false: not the leader (any more), ask again elsewhere
};

// The replica's gap cannot be closed from the logs of others: fetch a snapshot that covers
// `at_least`. Said again at every occasion until InstalledSnapshot: fetch one at a time.
struct SnapshotNeed {
  Member from;  // a member that can serve it
  Slot at_least;
  auto operator<=>(const SnapshotNeed&) const = default;
};

struct Output {
  std::optional<Persist> persist;
  std::vector<Outgoing> send;
  std::vector<Outgoing> send_after_persist;
  std::vector<ChosenDecree> chosen;
  std::vector<ReadReady> reads;
  std::optional<SnapshotNeed> snapshot;
  // This replica became or ceased to be leader, became ready (barrier chosen), gave up a transfer,
  // did not get the epoch that its own Seal began, or the epoch changed: ask role() and
  // ReadyLeader().
  bool leadership_changed = false;
  Instant wake_at = kNever;
};

// What recovery hands back: the log's records above the snapshot, and the snapshot's own facts.
struct Recovered {
  Config config;  // as of `applied`, from the rows of the state machine
  Slot applied;   // durable in the rows
  Ballot promised;
  Slot watermark;                    // may lag what was known before the crash
  std::vector<Vote> votes;           // any order; at or below `applied` they are ignored, as a vote
                                     // older than an installed snapshot may not be the chosen value
  std::vector<ChosenDecree> chosen;  // stored as chosen
  Slot trimmed;  // the log let go of slots <= it: rows that do not cover it are lost (P9)
};

}  // namespace decree::consensus
