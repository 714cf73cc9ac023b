// Sessions, one a shard: opened before the first write, replaced under a new client id when the
// shard has forgotten it. A write keeps its session and sequence through all its attempts.
#include <utility>

#include "kv/api/caller_impl.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree {
namespace {

constexpr Duration kOpenPatience = 2s;  // then it starts anew, if anybody still waits

std::uint64_t DrawClientId(Executor& executor) {
  std::uint64_t id = 0;
  while (id == 0) id = executor.RandomWord();
  return id;
}

}  // namespace

bool Caller::Impl::BindSession(CallerOp& op) {
  CallerShard& shard = shards[op.operation.shard];
  const bool usable = shard.session && shard.session->Usable();
  if (usable && shard.session->HasRoom()) {
    op.session = shard.session;
    op.sequence = ++shard.session->last_sequence;
    op.session->outstanding.insert(op.sequence);
    return true;
  }
  op.phase = CallerPhase::kNeedsSession;
  SetAlarm(op, kNever);
  shard.waiting.insert(op.id);
  if (!usable) OpenSession(op.operation.shard);
  return false;
}

void Caller::Impl::OpenSession(ShardId number) {
  CallerShard& shard = shards[number];
  if (shard.opening || closed) return;
  if (!shard.session || shard.session->lost) {
    // A session that was lost is never opened again: a late duplicate of its commands could run.
    const bool first = !shard.session && options.client_id != 0;
    shard.session = std::make_shared<CallerSession>();
    shard.session->client = first ? options.client_id : DrawClientId(executor);
  }
  shard.opening = true;
  CallerOp& op = ops[++last_id];
  op.id = last_id;
  op.opens_session = true;
  op.operation.shard = number;
  op.session = shard.session;
  op.deadline = executor.Now() + kOpenPatience;
  // Sessions that get lost as soon as they are open: slow down.
  if (shard.reopened > 1) {
    op.pauses = shard.reopened;
    return Pause(op);
  }
  Advance(op);
}

// Called when the opening operation has ended, after it left `ops`.
void Caller::Impl::OnOpened(ShardId number, const OperationResult& result) {
  CallerShard& shard = shards[number];
  shard.opening = false;
  if (result.code == Errc::kOk) {
    shard.session->open = true;
    shard.session->opened = result.command.version;
    shard.refusal.clear();
    return;
  }
  SOMETIMES(caller_session_not_opened);
  shard.refusal = Error(result.code, result.detail).ToString();
  if (shard.waiting.empty()) return;
  if (!IsFinal(result.code)) return OpenSession(number);
  for (const std::uint64_t id : std::set<std::uint64_t>(shard.waiting)) {
    if (CallerOp* op = Find(id)) Fail(*op, Error(result.code, result.detail));
  }
}

// The shard does not know the session: this attempt was not executed. If no other attempt may have
// been, the write goes again under a new session; else nobody can say.
void Caller::Impl::OnSessionLost(CallerOp& op) {
  SOMETIMES(caller_session_lost);
  op.session->lost = true;
  if (op.opens_session) return Pause(op);  // no answer a correct node gives
  if (op.unanswered > 0 && !DECREE_BUG_RETRIED_IN_A_NEW_SESSION) {
    SOMETIMES(caller_outcome_lost_with_its_session);
    return Fail(op, Error(Errc::kOutcomeUnknown, "the session expired before it was answered"));
  }
  CallerShard& shard = shards[op.operation.shard];
  if (shard.session == op.session) ++shard.reopened;
  ReleaseSequence(op);
  op.session = nullptr;
  op.sequence = 0;
  op.quick = 0;
  Advance(op);
}

void Caller::Impl::ReleaseSequence(CallerOp& op) {
  const auto shard = shards.find(op.operation.shard);
  if (shard != shards.end()) shard->second.waiting.erase(op.id);
  if (op.session && op.sequence != 0) op.session->outstanding.erase(op.sequence);
}

void Caller::Impl::PumpWaiting(ShardId number) {
  const auto at = shards.find(number);
  if (at == shards.end()) return;
  CallerShard& shard = at->second;
  while (!closed && !shard.waiting.empty() && shard.session && shard.session->Usable() &&
         shard.session->HasRoom()) {
    const std::uint64_t id = *shard.waiting.begin();
    shard.waiting.erase(shard.waiting.begin());
    if (CallerOp* op = Find(id)) Advance(*op);
  }
}

}  // namespace decree
