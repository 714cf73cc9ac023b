// What is sent, and what answers and silence mean. One rule keeps writes exactly-once: `unanswered`
// counts the attempts that may have been executed, and only an answer from the log, or certainty
// that there is no such attempt, ends a write with anything but kOutcomeUnknown.
#include <algorithm>
#include <utility>

#include "kv/api/caller_impl.h"
#include "kv/base/mark.h"

namespace decree {
namespace {

constexpr unsigned kQuickAttempts = 4;  // in a row, before a pause
constexpr unsigned kMaxPatience = 8;    // times attempt_timeout

enum class Verdict { kFinal, kFollow, kStaleMap, kBusy, kElsewhere, kAmbiguous, kSessionLost };

Verdict Judge(Errc code) {
  switch (code) {
    case Errc::kNotLeader:
      return Verdict::kFollow;
    case Errc::kStaleMap:
      return Verdict::kStaleMap;
    case Errc::kBusy:
      return Verdict::kBusy;
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
      return Verdict::kElsewhere;
    case Errc::kSessionExpired:
      return Verdict::kSessionLost;
    // A node that stops or whose disk fails may have passed the command on before.
    case Errc::kOutcomeUnknown:
    case Errc::kShuttingDown:
    case Errc::kCancelled:
    case Errc::kCorruption:
    case Errc::kIo:
    case Errc::kNoSpace:
      return Verdict::kAmbiguous;
    default:
      return Verdict::kFinal;
  }
}

}  // namespace

bool IsFinal(Errc code) { return Judge(code) == Verdict::kFinal; }

namespace {

// What people read when nobody had more to say.
std::string ReasonOf(const CallerOp& op, const RpcResponse& response) {
  if (!response.detail.empty() || response.code != Errc::kNotLeader) return response.detail;
  return "shard " + ToString(op.operation.shard) +
         " has no leader: too few of its nodes are up and reach each other";
}

Command BuildCommand(const CallerOp& op) {
  Command command;
  command.session.client = op.session->client;
  if (op.opens_session) {
    command.kind = CommandKind::kOpenSession;
    return command;
  }
  command.session.sequence = op.sequence;
  command.session.opened = op.session->opened;
  command.session.acked_below = *op.session->outstanding.begin();
  command.kind = KindOf(op.operation);
  command.key = op.operation.key;
  command.value = op.operation.value;
  command.condition = op.operation.condition;
  command.ttl_ms = op.operation.ttl_ms;
  return command;
}

// Fills the part of the result that the operation asked for; false: the body does not decode.
bool DecodeBody(const CallerOp& op, const std::string& body, OperationResult* result) {
  const auto take = [&body](auto& into) {
    auto decoded = Decode<std::decay_t<decltype(into)>>(body);
    if (decoded) into = std::move(*decoded);
    return static_cast<bool>(decoded);
  };
  if (op.operation.kind == OperationKind::kGet && !op.opens_session) return take(result->read);
  if (op.operation.kind == OperationKind::kScan) return take(result->scan);
  if (!take(result->command)) return false;
  result->code = result->command.code;
  result->detail = result->command.detail;
  return true;
}

}  // namespace

void Caller::Impl::Advance(CallerOp& op) {
  if (!map) return NeedMap(op);
  if (!Locate(op)) return;
  if (op.IsWrite() && !op.session && !BindSession(op)) return;
  Send(op);
}

void Caller::Impl::Send(CallerOp& op) {
  const NodeId target = ChooseTarget(op);
  if (!target) {
    op.last = Error(Errc::kUnavailable, "the shard map names no replica");
    fetcher->FetchInBackground();
    return Pause(op);
  }
  op.phase = CallerPhase::kSent;
  op.target = target;
  ++op.attempt;
  ++op.quick;
  ++op.unanswered;
  const unsigned patience = std::min(1 + op.silences / 2, kMaxPatience);
  SetAlarm(op, executor.Now() + options.attempt_timeout * patience);
  courier.Call(
      target, BuildRequest(op),
      [weak = weak_from_this(), id = op.id, attempt = op.attempt, target](RpcResponse response) {
        const auto self = weak.lock();
        if (self) self->OnAnswer(id, attempt, target, std::move(response));
      });
}

RpcRequest Caller::Impl::BuildRequest(const CallerOp& op) const {
  RpcRequest request;
  request.shard = op.operation.shard;
  const auto left = std::chrono::ceil<milliseconds>(op.deadline - executor.Now());
  request.timeout_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(1, left.count()));
  if (op.IsWrite()) {
    request.method = Method::kWrite;
    request.body = Encode(BuildCommand(op));
  } else if (op.operation.kind == OperationKind::kGet) {
    request.method = Method::kRead;
    request.body = Encode(ReadRequest{op.operation.key, op.operation.consistency});
  } else {
    request.method = Method::kScan;
    ScanRequest scan = op.operation.scan;
    scan.consistency = op.operation.consistency;
    request.body = Encode(scan);
  }
  return request;
}

void Caller::Impl::OnAnswer(std::uint64_t id, std::uint64_t attempt, NodeId target,
                            RpcResponse response) {
  CallerOp* op = Find(id);
  if (op == nullptr) return;
  NoteAnswer(*op, target, response);
  if (response.code == Errc::kOk) return OnResult(*op, attempt, target, std::move(response));
  const Verdict verdict = Judge(response.code);
  if (op->silent == target) op->silent = NodeId{};
  if (verdict != Verdict::kAmbiguous || !op->IsWrite()) --op->unanswered;
  op->refuser = {response.served_by, response.epoch};
  if (verdict == Verdict::kFinal) {
    Error reason(response.code, std::move(response.detail));
    return Fail(*op, std::move(reason));
  }
  op->last = Error(response.code, ReasonOf(*op, response));
  if (op->opens_session) {
    shards[op->operation.shard].refusal = op->last.ToString();
    shards[op->operation.shard].refuser = op->refuser;
  }
  if (verdict == Verdict::kSessionLost && op->session) op->session->lost = true;
  // An attempt that was given up on does not steer any more: its successor does.
  if (attempt != op->attempt || op->phase != CallerPhase::kSent) {
    SOMETIMES(caller_late_refusal);
    return;
  }
  OnRefusal(*op, target, response);
}

void Caller::Impl::OnRefusal(CallerOp& op, NodeId target, const RpcResponse& response) {
  switch (Judge(response.code)) {
    case Verdict::kFollow:
      return Follow(op, response.leader);
    case Verdict::kStaleMap:
      ForgetLeader(op, target);
      if (response.leader) {
        SOMETIMES(caller_stale_map_with_a_hint);
        fetcher->FetchInBackground();
        return Follow(op, response.leader);
      }
      return NeedMap(op);
    case Verdict::kBusy:
      SOMETIMES(caller_waits_for_a_busy_node);
      return Pause(op);
    case Verdict::kSessionLost:
      return OnSessionLost(op);
    default:
      ForgetLeader(op, target);
      return TryElsewhere(op);
  }
}

void Caller::Impl::OnResult(CallerOp& op, std::uint64_t attempt, NodeId target,
                            RpcResponse response) {
  OperationResult result;
  if (!DecodeBody(op, response.body, &result)) {
    return Fail(op, Error(Errc::kCorruption, "malformed answer from node " + ToString(target)));
  }
  --op.unanswered;
  if (op.IsWrite() && result.code == Errc::kSessionExpired) {
    op.last = Error(result.code, result.detail);
    op.session->lost = true;
    if (attempt == op.attempt && op.phase == CallerPhase::kSent) OnSessionLost(op);
    return;
  }
  if (op.IsWrite() && !op.opens_session) shards[op.operation.shard].reopened = 0;
  if (attempt != op.attempt) SOMETIMES(caller_late_answer_counted);
  result.epoch = response.epoch;
  result.node = response.served_by ? response.served_by : target;
  Finish(op, std::move(result));
}

// The attempt may still be answered, and counts then; meanwhile another one tries elsewhere.
void Caller::Impl::OnSilence(CallerOp& op) {
  SOMETIMES(caller_attempt_silent);
  op.silent = op.target;
  op.refuser = {};
  ++op.silences;
  op.quick = 0;
  if (op.opens_session) {
    shards[op.operation.shard].refusal = "no answer from node " + ToString(op.target);
  }
  ForgetLeader(op, op.target);
  fetcher->FetchInBackground();
  Send(op);
}

void Caller::Impl::TryElsewhere(CallerOp& op) {
  if (op.quick >= Candidates(op).size() || op.quick >= kQuickAttempts) {
    SOMETIMES(caller_every_replica_tried);
    fetcher->FetchInBackground();
    return Pause(op);
  }
  Send(op);
}

void Caller::Impl::Follow(CallerOp& op, NodeId hint) {
  CallerShard& shard = shards[op.operation.shard];
  if (!hint || hint == op.target || hint == op.silent || op.quick >= kQuickAttempts) {
    ForgetLeader(op, op.target);
    if (hint && hint == op.silent) SOMETIMES(caller_hint_to_a_silent_node);
    if (hint == op.silent) ForgetLeader(op, hint);
    return Pause(op);
  }
  shard.leader = hint;
  Send(op);
}

void Caller::Impl::Pause(CallerOp& op) {
  op.phase = CallerPhase::kPaused;
  op.quick = 0;
  SetAlarm(op, executor.Now() + FullJitter(executor, options, op.pauses++));
}

}  // namespace decree
