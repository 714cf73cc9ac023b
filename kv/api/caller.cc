#include "kv/api/caller.h"

#include <algorithm>
#include <utility>

#include "kv/api/caller_impl.h"
#include "kv/api/limits.h"
#include "kv/base/mark.h"

namespace decree {
namespace {

constexpr Duration kLongestTimeout = std::chrono::hours(24 * 365);  // of what cannot overflow

std::size_t SizeOf(const Operation& operation) {
  return operation.key.size() + operation.value.size() + operation.condition.value.size() +
         operation.scan.prefix.size() + operation.scan.after.size() + sizeof(CallerOp);
}

// What no node would take is refused before it costs a session, or a frame that cannot hold it.
Status CheckOperation(const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kGet:
      return CheckKey(operation.key);
    case OperationKind::kScan:
      return CheckLimits(operation.scan);
    default:
      return CheckWriteLimits(KindOf(operation), operation.key, operation.value,
                              operation.condition, operation.ttl_ms);
  }
}

}  // namespace

CommandKind KindOf(const Operation& operation) {
  if (operation.kind == OperationKind::kPut) return CommandKind::kPut;
  return operation.kind == OperationKind::kDelete ? CommandKind::kDelete : CommandKind::kMark;
}

Caller::Caller(Executor& executor, Courier& courier, CallerOptions options)
    : impl_(std::make_shared<Impl>(executor, courier, options)) {
  impl_->Wire();
}

Caller::~Caller() { impl_->Close(); }

std::uint64_t Caller::Start(Operation operation, OperationCallback done) {
  return impl_->Start(std::move(operation), std::move(done));
}

void Caller::Cancel(std::uint64_t id) { impl_->Cancel(id); }

std::size_t Caller::under_way() const { return impl_->ops.size(); }

void Caller::OfferMap(std::shared_ptr<const ShardMap> map) { impl_->OnMap(std::move(map)); }

std::shared_ptr<const ShardMap> Caller::map() const { return impl_->map; }

void Caller::RefreshMap(Duration timeout, std::function<void(Errc)> done) {
  impl_->fetcher->Fetch(impl_->executor.Now() + timeout, std::move(done));
}

Caller::Impl::Impl(Executor& executor, Courier& courier, CallerOptions options)
    : executor(executor), courier(courier), options(options) {}

void Caller::Impl::Wire() {
  const std::weak_ptr<Impl> weak = weak_from_this();
  fetcher = std::make_shared<MapFetcher>(executor, courier, options,
                                         [weak](std::shared_ptr<const ShardMap> newer) {
                                           const auto self = weak.lock();
                                           if (self) self->OnMap(std::move(newer));
                                         });
  alarms = std::make_shared<Alarms>(executor, [weak](std::uint64_t id) {
    if (const auto self = weak.lock()) self->OnAlarm(id);
  });
}

// Answers what is pending. A callback may call into the Caller once more: it finds it closed.
void Caller::Impl::Close() {
  const auto self = shared_from_this();
  closed = true;
  alarms->Stop();
  while (!ops.empty()) {
    CallerOp& op = ops.begin()->second;
    Fail(op, Error(Errc::kCancelled, "the client is closing"));
  }
  fetcher->Close();
}

std::uint64_t Caller::Impl::Start(Operation operation, OperationCallback done) {
  const std::uint64_t id = ++last_id;
  CallerOp& op = ops[id];
  op.id = id;
  op.operation = std::move(operation);
  op.done = std::move(done);
  op.bytes = SizeOf(op.operation);
  op_bytes += op.bytes;
  op.deadline = executor.Now() + std::min(op.operation.timeout, kLongestTimeout);
  const Status limits = CheckOperation(op.operation);
  if (closed) {
    Fail(op, Error(Errc::kCancelled, "the client is closing"));
  } else if (!limits) {
    Refuse(op, limits.error().code(), limits.error().detail());
  } else if (ops.size() > kMaxOperations || op_bytes > kMaxOperationBytes) {
    Refuse(op, Errc::kBusy, "too many operations are under way");
  } else {
    Advance(op);
  }
  return id;
}

// What is refused at once is still answered later: no callback runs inside Start.
void Caller::Impl::Refuse(CallerOp& op, Errc code, std::string detail) {
  op.phase = CallerPhase::kRefused;
  op.last = Error(code, std::move(detail));
  alarms->Clear(op.id);
  executor.Post([weak = weak_from_this(), id = op.id] {
    const auto self = weak.lock();
    CallerOp* refused = self ? self->Find(id) : nullptr;
    if (refused != nullptr) self->Fail(*refused, refused->last);
  });
}

CallerOp* Caller::Impl::Find(std::uint64_t id) {
  const auto at = ops.find(id);
  return at == ops.end() ? nullptr : &at->second;
}

void Caller::Impl::Cancel(std::uint64_t id) {
  const auto self = shared_from_this();
  if (CallerOp* op = Find(id)) Fail(*op, Error(Errc::kCancelled, "cancelled by its caller"));
}

void Caller::Impl::Fail(CallerOp& op, Error error) {
  OperationResult result;
  result.code = error.code();
  result.detail = error.detail();
  result.epoch = op.refuser.epoch;
  result.node = op.refuser.node;
  if (op.IsWrite() && op.unanswered > 0) {
    result.code = Errc::kOutcomeUnknown;
    result.detail = "a write was sent to node " + ToString(op.target) + " and not answered";
    if (!error.detail().empty()) result.detail += "; " + error.detail();
  }
  Finish(op, std::move(result));
}

// The deadline has passed. Certain refusals of the last attempt say more than "late".
void Caller::Impl::FailLate(CallerOp& op) {
  Error reason = op.last;
  if (reason.code() == Errc::kOk && op.phase == CallerPhase::kNeedsMap) {
    reason = Error(Errc::kUnavailable, "no shard map: " + fetcher->last_error());
  }
  if (reason.code() == Errc::kOk && op.phase == CallerPhase::kNeedsSession) {
    const CallerShard& shard = shards[op.operation.shard];
    if (!shard.refusal.empty()) reason = Error(Errc::kUnavailable, "no session: " + shard.refusal);
    op.refuser = shard.refuser;
  }
  if (op.attempt > 0 && op.unanswered > 0) {
    SOMETIMES(caller_unanswered_to_the_end);
    reason = Error(Errc::kUnavailable, "no answer from node " + ToString(op.target));
  }
  switch (reason.code()) {
    case Errc::kOk:
      return Fail(op, Error(Errc::kDeadlineExceeded, "the time ran out before it was sent"));
    case Errc::kUnavailable:
    case Errc::kBusy:
    case Errc::kCorruption:
    case Errc::kIo:
    case Errc::kNoSpace:
      return Fail(op, reason);
    default:
      return Fail(op, Error(Errc::kUnavailable, reason.ToString()));
  }
}

void Caller::Impl::Finish(CallerOp& op, OperationResult result) {
  const auto self = shared_from_this();
  const OperationCallback done = std::move(op.done);
  const bool opens_session = op.opens_session;
  const ShardId shard = op.operation.shard;
  if (op.located) result.shard = shard;
  alarms->Clear(op.id);
  ReleaseSequence(op);
  op_bytes -= op.bytes;
  ops.erase(op.id);
  if (opens_session) OnOpened(shard, result);
  PumpWaiting(shard);
  if (done) done(std::move(result));
}

void Caller::Impl::SetAlarm(CallerOp& op, Instant when) {
  alarms->Set(op.id, std::min(when, op.deadline));
}

void Caller::Impl::OnAlarm(std::uint64_t id) {
  CallerOp* op = Find(id);
  if (op == nullptr) return;
  if (executor.Now() >= op->deadline) return FailLate(*op);
  if (op->phase == CallerPhase::kSent) return OnSilence(*op);
  if (op->phase == CallerPhase::kPaused) return Advance(*op);
  SetAlarm(*op, kNever);
}

}  // namespace decree
