#include "kv/store/sessions.h"

#include <algorithm>
#include <memory>

#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::store {
namespace {

// What a session and a result count against the byte limit besides the result itself: their keys
// and headers. Fixed numbers, so that every replica counts alike.
constexpr std::uint64_t kSessionBytes = 64;
constexpr std::uint64_t kResultBytes = 32;

CommandResult Refusal(Errc code, const char* detail) {
  CommandResult result;
  result.code = code;
  result.detail = detail;
  return result;
}

}  // namespace

Status SessionTable::Load(const RowView& view) {
  *this = SessionTable(limits_);
  const std::unique_ptr<RowCursor> cursor = view.NewCursor();
  for (cursor->Seek("s"); cursor->Valid() && cursor->key().starts_with('s'); cursor->Next()) {
    const Result<std::uint64_t> client = ParseSessionKey(cursor->key());
    if (!client) return client.error();
    Result<SessionHeader> header = Decode<SessionHeader>(cursor->value());
    if (!header) return header.error();
    by_use_.emplace(header->used, *client);
    sessions_[*client].header = *header;
    bytes_ += kSessionBytes;
  }
  if (!cursor->status()) return cursor->status();
  return LoadResults(view);
}

Status SessionTable::LoadResults(const RowView& view) {
  const std::unique_ptr<RowCursor> cursor = view.NewCursor();
  for (cursor->Seek("r"); cursor->Valid() && cursor->key().starts_with('r'); cursor->Next()) {
    const auto id = ParseResultKey(cursor->key());
    if (!id) return id.error();
    const auto at = sessions_.find(id->first);
    if (at == sessions_.end()) return Error(Errc::kCorruption, "a result without its session");
    const std::uint64_t bytes = kResultBytes + cursor->value().size();
    at->second.results.emplace(id->second, bytes);
    bytes_ += bytes;
  }
  return cursor->status();
}

CommandResult SessionTable::Open(std::uint64_t client, ApplyMoment moment, RowOverlay& rows) {
  if (client == 0) return Refusal(Errc::kInvalidArgument, "a session needs a client id");
  auto at = sessions_.find(client);
  if (at != sessions_.end() && Idle(at->second, moment.time_ms)) {
    End(at, rows);
    at = sessions_.end();
  }
  if (at == sessions_.end()) {
    at = sessions_.emplace(client, Session{}).first;
    at->second.header.opened = moment.slot;
    bytes_ += kSessionBytes;
  }
  if (at->second.header.opened != moment.slot) SOMETIMES(session_opened_again);
  Touch(at, moment);
  CommandResult result;
  result.version = at->second.header.opened.value;
  EvictOverLimits(rows);
  return result;
}

Result<std::optional<CommandResult>> SessionTable::Admit(const SessionRef& session,
                                                         ApplyMoment moment, RowOverlay& rows) {
  const auto at = sessions_.find(session.client);
  if (at == sessions_.end() || Idle(at->second, moment.time_ms) ||
      (session.opened != 0 && session.opened != at->second.header.opened.value)) {
    SOMETIMES(session_unknown_at_apply);
    return std::optional(Refusal(Errc::kSessionExpired, "the session is unknown to this shard"));
  }
  Touch(at, moment);
  DropResultsBelow(at, session.acked_below, rows);
  if (session.sequence < at->second.header.acked_below) {
    // The client has this answer already: a late duplicate, whose result is gone.
    SOMETIMES(session_stale_duplicate);
    return std::optional(Refusal(Errc::kSessionExpired, "the sequence was acknowledged already"));
  }
  if (!at->second.results.contains(session.sequence)) return std::optional<CommandResult>();
  SOMETIMES(session_duplicate_answered);
  if (DECREE_BUG_RETRY_ANSWERED_FRESH) {
    return std::optional(Refusal(Errc::kPreconditionFailed, "the condition does not hold"));
  }
  Result<std::optional<std::string>> row = rows.Get(ResultKey(session.client, session.sequence));
  if (!row) return row.error();
  if (!*row) return Error(Errc::kCorruption, "the result of a session's command is missing");
  Result<CommandResult> result = Decode<CommandResult>(**row);
  if (!result) return result.error();
  return std::optional(std::move(*result));
}

void SessionTable::Remember(const SessionRef& session, const CommandResult& result,
                            RowOverlay& rows) {
  const auto at = sessions_.find(session.client);
  DECREE_CHECK(at != sessions_.end());
  std::string row = Encode(result);
  const std::uint64_t bytes = kResultBytes + row.size();
  DECREE_CHECK(at->second.results.emplace(session.sequence, bytes).second);
  bytes_ += bytes;
  rows.Put(ResultKey(session.client, session.sequence), std::move(row));
  if (at->second.results.size() > limits_.results) {
    // A client that never acknowledges: its oldest results go, and those sequences with them.
    DropResultsBelow(at, at->second.results.begin()->first + 1, rows);
  }
  EvictOverLimits(rows);
}

void SessionTable::ExpireIdle(WallMs now, RowOverlay& rows) {
  for (std::size_t i = 0; i < limits_.expiries_per_slot && !by_use_.empty(); ++i) {
    const auto at = sessions_.find(by_use_.begin()->second);
    DECREE_CHECK(at != sessions_.end());
    if (!Idle(at->second, now)) return;
    SOMETIMES(session_expired_idle);
    End(at, rows);
  }
}

void SessionTable::WriteHeaders(RowOverlay& rows) {
  for (const std::uint64_t client : touched_) {
    const auto at = sessions_.find(client);
    if (at == sessions_.end()) {
      rows.Delete(SessionKey(client));
    } else {
      rows.Put(SessionKey(client), Encode(at->second.header));
    }
  }
  touched_.clear();
}

WallMs SessionTable::NextExpiry() const {
  if (by_use_.empty()) return 0;
  return sessions_.at(by_use_.begin()->second).header.used_ms + limits_.idle_ms;
}

bool SessionTable::Idle(const Session& session, WallMs now) const {
  return session.header.used_ms + limits_.idle_ms <= now;
}

void SessionTable::Touch(Sessions::iterator at, ApplyMoment moment) {
  SessionHeader& header = at->second.header;
  touched_.insert(at->first);
  if (header.used != moment.slot) {
    by_use_.erase({header.used, at->first});
    by_use_.emplace(moment.slot, at->first);
  }
  header.used = moment.slot;
  header.used_ms = moment.time_ms;
}

void SessionTable::DropResultsBelow(Sessions::iterator at, std::uint64_t sequence,
                                    RowOverlay& rows) {
  auto& results = at->second.results;
  while (!results.empty() && results.begin()->first < sequence) {
    SOMETIMES(session_result_acknowledged);
    bytes_ -= results.begin()->second;
    rows.Delete(ResultKey(at->first, results.begin()->first));
    results.erase(results.begin());
  }
  std::uint64_t& acked_below = at->second.header.acked_below;
  acked_below = std::max(acked_below, sequence);
}

void SessionTable::End(Sessions::iterator at, RowOverlay& rows) {
  for (const auto& [sequence, bytes] : at->second.results) {
    bytes_ -= bytes;
    rows.Delete(ResultKey(at->first, sequence));
  }
  bytes_ -= kSessionBytes;
  by_use_.erase({at->second.header.used, at->first});
  touched_.insert(at->first);
  sessions_.erase(at);
}

void SessionTable::EvictOverLimits(RowOverlay& rows) {
  while (sessions_.size() > limits_.sessions || bytes_ > limits_.bytes) {
    SOMETIMES(session_evicted_over_limit);
    End(sessions_.find(by_use_.begin()->second), rows);
  }
}

}  // namespace decree::store
