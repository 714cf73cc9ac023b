// Sessions: exactly-once execution of a client's commands (design.md section 5). A session
// remembers the results of commands whose answers the client has not acknowledged; a repeated
// command gets its first result. Checked at apply, where duplicates in flight at the same time are
// seen too. All decisions depend on the log alone: replicated time, slots and the commands
// themselves.
//
// The table in memory mirrors the rows "s" and "r" (kv_rows.h), without the results themselves: a
// put costs no read for its session, one small row for its result and one header row a batch.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "decree/result.h"
#include "kv/api/command.h"
#include "kv/store/kv_rows.h"
#include "kv/store/row_overlay.h"

namespace decree::store {

struct SessionLimits {
  std::size_t sessions = 10'000;                  // of a shard
  std::uint64_t bytes = std::uint64_t{16} << 20;  // of a shard
  std::size_t results = 4'096;                    // unacknowledged, of one session
  WallMs idle_ms = 10 * 60 * 1000;                // replicated time without a command
  std::size_t expiries_per_slot = 64;             // bounds the work of one batch
};

// When a command is applied.
struct ApplyMoment {
  Slot slot;
  WallMs time_ms = 0;
};

class SessionTable {
 public:
  explicit SessionTable(SessionLimits limits = {}) : limits_(limits) {}

  // Rebuilds the table from rows: after start-up, a snapshot, or a batch that could not be written.
  Status Load(const RowView& view);

  // kOpenSession: opening an open one is fine and counts as use.
  CommandResult Open(std::uint64_t client, ApplyMoment moment, RowOverlay& rows);
  // What becomes of a command: a result means "answer this, do not execute"; none means "execute,
  // then Remember". Drops results that the client acknowledged.
  Result<std::optional<CommandResult>> Admit(const SessionRef& session, ApplyMoment moment,
                                             RowOverlay& rows);
  // Keeps the result of a command that Admit let through. Evicts least recently used sessions over
  // the limits.
  void Remember(const SessionRef& session, const CommandResult& result, RowOverlay& rows);
  // Ends sessions that were idle too long, a bounded number of them: the rest count as unknown
  // already.
  void ExpireIdle(WallMs now, RowOverlay& rows);
  // Writes the headers of the sessions used since the last call.
  void WriteHeaders(RowOverlay& rows);

  std::size_t count() const { return sessions_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  WallMs NextExpiry() const;  // 0: there is no session

 private:
  struct Session {
    SessionHeader header;
    std::map<std::uint64_t, std::uint64_t> results;  // sequence -> bytes counted for it
  };
  using Sessions = std::unordered_map<std::uint64_t, Session>;

  Status LoadResults(const RowView& view);
  bool Idle(const Session& session, WallMs now) const;
  void Touch(Sessions::iterator at, ApplyMoment moment);
  void DropResultsBelow(Sessions::iterator at, std::uint64_t sequence, RowOverlay& rows);
  void End(Sessions::iterator at, RowOverlay& rows);
  void EvictOverLimits(RowOverlay& rows);

  SessionLimits limits_;
  Sessions sessions_;
  std::set<std::pair<Slot, std::uint64_t>> by_use_;  // (last used, client), oldest first
  std::uint64_t bytes_ = 0;
  std::set<std::uint64_t> touched_;  // clients whose header row is behind
};

}  // namespace decree::store
