#include "kv/store/kv_apply.h"

#include <algorithm>
#include <utility>

#include "kv/api/limits.h"
#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::store {
namespace {

CommandResult Refusal(Errc code, std::string detail, std::uint64_t version = 0) {
  CommandResult result;
  result.code = code;
  result.version = version;
  result.detail = std::move(detail);
  return result;
}

bool Holds(const Condition& condition, std::uint64_t version, std::string_view value) {
  switch (condition.kind) {
    case ConditionKind::kNone:
      return true;
    case ConditionKind::kAbsent:
      return version == 0;
    case ConditionKind::kPresent:
      return version != 0;
    case ConditionKind::kVersionIs:
      return version == condition.version;
    case ConditionKind::kValueIs:
      return version != 0 && value == condition.value;
  }
  return false;
}

}  // namespace

Result<AppliedSlot> KvApply::ApplyDecree(const consensus::ChosenDecree& chosen) {
  DECREE_CHECK(chosen.slot == facts_.applied.Next());
  AppliedSlot applied{chosen.slot, {}, false};
  slot_ = chosen.slot;
  if (chosen.decree.kind == consensus::DecreeKind::kCommandBatch) {
    // A payload that is no batch does nothing, on every replica alike.
    const Result<CommandBatch> batch = Decode<CommandBatch>(View(chosen.decree.payload));
    if (batch) {
      const Status done = ApplyCommands(*batch, &applied);
      if (!done) return done.error();
    }
  }
  facts_.config = consensus::Advance(facts_.config, chosen.slot, chosen.decree);
  facts_.applied = chosen.slot;
  return applied;
}

Status KvApply::ApplyCommands(const CommandBatch& batch, AppliedSlot* applied) {
  facts_.time_ms = std::max(facts_.time_ms, batch.time_ms);
  if (const Status purged = PurgeExpired(); !purged) return purged;
  sessions_.ExpireIdle(facts_.time_ms, rows_);
  applied->results.reserve(batch.commands.size());
  for (const Command& command : batch.commands) {
    Result<CommandResult> result = RunOnce(command, applied);
    if (!result) return result.error();
    applied->results.push_back(std::move(*result));
  }
  return {};
}

Status KvApply::PurgeExpired() {
  if (key_expiry_ > facts_.time_ms) return {};
  struct Due {
    std::string row_key;
    std::string key;
    std::uint64_t value_bytes;
  };
  std::vector<Due> due;
  std::optional<Error> error;
  key_expiry_ = kNoExpiry;
  const Status visited = rows_.Visit("e", [&](std::string_view key, std::string_view value) {
    const Result<ExpiryRow> row = ParseExpiryRow(key, value);
    if (!row) {
      error = row.error();
      return false;
    }
    if (!HasExpired(row->expires_at_ms, facts_.time_ms) || due.size() == kPurgedKeysPerSlot) {
      key_expiry_ = row->expires_at_ms;
      return false;
    }
    due.push_back({std::string(key), std::string(row->key), row->value_bytes});
    return true;
  });
  if (error) return *error;
  if (!visited) return visited;
  for (Due& row : due) {
    SOMETIMES(expired_key_purged);
    --facts_.keys;
    facts_.data_bytes -= row.key.size() + row.value_bytes;
    rows_.Delete(DataKey(row.key));
    rows_.Delete(std::move(row.row_key));
  }
  return {};
}

Result<CommandResult> KvApply::RunOnce(const Command& command, AppliedSlot* applied) {
  const SessionRef& session = command.session;
  if (command.kind == CommandKind::kOpenSession) {
    return sessions_.Open(session.client, Now(), rows_);
  }
  if (session.client == 0) return Execute(command, applied);
  Result<std::optional<CommandResult>> known = sessions_.Admit(session, Now(), rows_);
  if (!known) return known.error();
  const bool expired = *known && (*known)->code == Errc::kSessionExpired;
  if (DECREE_BUG_SESSION_CHECK_AT_PROPOSE && *known && !expired) return Execute(command, applied);
  if (DECREE_BUG_EXPIRED_SESSION_EXECUTES && expired) return Execute(command, applied);
  if (*known) return std::move(**known);
  Result<CommandResult> result = Execute(command, applied);
  if (result) sessions_.Remember(session, *result, rows_);
  return result;
}

Result<CommandResult> KvApply::Execute(const Command& command, AppliedSlot* applied) {
  // The door checks the limits too; here they hold for every command that reached the log.
  if (const Status limits = CheckLimits(command); !limits) {
    return Refusal(limits.error().code(), limits.error().detail());
  }
  if (command.kind == CommandKind::kPut || command.kind == CommandKind::kDelete) {
    return Mutate(command);
  }
  if (command.kind == CommandKind::kMark) {
    applied->has_mark = true;
    CommandResult result;
    result.version = slot_.value;
    return result;
  }
  return Refusal(Errc::kInvalidArgument, "this shard does not know that command");
}

Result<CommandResult> KvApply::Mutate(const Command& command) {
  const Result<Current> current = Load(command.key);
  if (!current) return current.error();
  if (!Holds(command.condition, current->version(), current->value())) {
    SOMETIMES(condition_failed_at_apply);
    return Refusal(Errc::kPreconditionFailed, "the condition does not hold", current->version());
  }
  return command.kind == CommandKind::kPut ? Put(command, *current) : Delete(command, *current);
}

Result<KvApply::Current> KvApply::Load(std::string_view key) const {
  Result<std::optional<std::string>> bytes = rows_.Get(DataKey(key));
  if (!bytes) return bytes.error();
  Current current;
  current.bytes = std::move(*bytes);
  if (!current.bytes) return current;
  const Result<DataRow> row = ParseDataValue(*current.bytes);
  if (!row) return row.error();
  current.value_at = current.bytes->size() - row->value.size();
  current.row_version = row->version;
  current.expires_at_ms = row->expires_at_ms;
  current.live = !HasExpired(row->expires_at_ms, facts_.time_ms);
  return current;
}

CommandResult KvApply::Put(const Command& command, const Current& current) {
  Forget(command.key, current);
  CommandResult result;
  result.version = ++facts_.last_version;
  if (DECREE_BUG_DELETE_FORGETS_VERSION && !current.live) result.version = 1;
  result.created = !current.live;
  if (command.ttl_ms != 0) {
    const WallMs latest = kNoExpiry - 1;
    result.expires_at_ms =
        facts_.time_ms > latest - command.ttl_ms ? latest : facts_.time_ms + command.ttl_ms;
    key_expiry_ = std::min(key_expiry_, result.expires_at_ms);
    rows_.Put(ExpiryKey(result.expires_at_ms, command.key), ExpiryValue(command.value.size()));
  }
  rows_.Put(DataKey(command.key), DataValue({result.version, result.expires_at_ms, command.value}));
  ++facts_.keys;
  facts_.data_bytes += command.key.size() + command.value.size();
  return result;
}

CommandResult KvApply::Delete(const Command& command, const Current& current) {
  CommandResult result;
  if (!current.bytes) return result;
  Forget(command.key, current);
  rows_.Delete(DataKey(command.key));
  if (!current.live) return result;  // it had expired: its absence is no news
  result.version = ++facts_.last_version;
  result.created = true;
  return result;
}

void KvApply::Forget(std::string_view key, const Current& current) {
  if (!current.bytes) return;
  --facts_.keys;
  facts_.data_bytes -= key.size() + current.value().size();
  if (current.expires_at_ms != 0) rows_.Delete(ExpiryKey(current.expires_at_ms, key));
}

RowBatch KvApply::TakeBatch() {
  sessions_.WriteHeaders(rows_);
  facts_.sessions = sessions_.count();
  facts_.session_bytes = sessions_.bytes();
  RowBatch batch = rows_.Take();
  if (DECREE_BUG_APPLIED_NOT_IN_BATCH && facts_.applied.value % 2 == 0) return batch;
  batch.push_back(FactsRow(facts_));
  return batch;
}

}  // namespace decree::store
