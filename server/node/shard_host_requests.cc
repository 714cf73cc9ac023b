// What clients and operators ask of a shard: writes, reads, changes of members, status.
#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"
#include "server/node/shard_host.h"

namespace decree::node {
namespace {

// What falls due within this shares an empty batch; keys go within 500 ms of their expiry.
constexpr Duration kExpiryPause = 50ms;
// Clocks are read again after this, whatever was computed from them before.
constexpr Duration kLongestSleep = 60s;
// Election timeouts for which a leader refuses writes before it lets another lead.
constexpr int kStallPatience = 4;

}  // namespace

WallMs ShardHost::ReadClock(WallMs floor) {
  return clock_.Read(Now(), env_->executor().WallNow(), floor);
}

RpcResponse ShardHost::AnswerFrame() const {
  RpcResponse response;
  response.served_by = env_->node();
  response.map_version = env_->map_version();
  response.epoch = replica_->config().epoch;
  return response;
}

RpcResponse ShardHost::Refusal() const {
  RpcResponse response = AnswerFrame();
  const bool member = replica_->config().Find(key_.replica) != nullptr;
  response.code = member ? Errc::kNotLeader : Errc::kStaleMap;
  if (!member) SOMETIMES(request_to_a_removed_member);
  const auto leader = replica_->leader();
  if (leader && leader->id != key_.replica) response.leader = leader->node;
  return response;
}

// Nobody heard of the leader of a sleeping shard for a while: whoever sends others there sees to it
// that there is one.
RpcResponse ShardHost::Redirect() {
  if (!closed_ && replica_->asleep()) SOMETIMES(sleeper_woken_by_a_request);
  WakeUp();
  return Refusal();
}

// ---- writes ----

void ShardHost::Write(Command&& command, RpcReply&& reply) {
  // A shard in its switch keeps writers waiting: the same replica usually leads the next epoch.
  const consensus::Role role = replica_->role();
  const bool mine =
      role == consensus::Role::kLeader || (role == consensus::Role::kCandidate && pause_.holding());
  if (closed_ || !mine) return reply(Redirect());
  ++operations_;
  if (pause_.holding()) pause_.OnWriteWaits(Now());
  if (DECREE_BUG_CAS_AT_PROPOSE && kv_) {
    const auto now = kv_->Read({command.key, Consistency::kStale});
    if (now && now->version == command.condition.version) command.condition = {};
  }
  if (engine_->Stalled()) {
    reply(Busy("the disk of this shard's leader cannot keep up"));
    return NoteStall();
  }
  stall_refusals_.End();
  if (!writes_.Push(std::move(command), std::move(reply))) {
    return reply(Busy("too many writes are waiting for this shard"));
  }
  ScheduleProposals();
}

RpcResponse ShardHost::Busy(const char* why) const {
  RpcResponse busy = AnswerFrame();
  busy.code = Errc::kBusy;
  busy.detail = why;
  return busy;
}

// Most stalls pass. One that stays would keep the shard from every write, although others could
// take them.
void ShardHost::NoteStall() {
  const Duration patience = kStallPatience * env_->config().consensus.election_max;
  if (!stall_refusals_.Note(Now(), patience)) return;
  SOMETIMES(leadership_given_up_in_a_stall);
  GiveUpLeadership();
}

void ShardHost::ScheduleProposals() {
  if (proposals_scheduled_) return;
  proposals_scheduled_ = true;
  OnWorker<int>([](ShardHost& host, int) { host.ProposeWaiting(); })(0);
}

void ShardHost::ProposeWaiting() {
  proposals_scheduled_ = false;
  while (writes_.HasWaiting() && ProposeOneBatch()) {
  }
  Pump();
}

// False: nothing was proposed; what waits goes out when a slot is chosen or leadership settles.
bool ShardHost::ProposeOneBatch() {
  if (!replica_->ReadyLeader()) return false;
  if (replica_->inflight() >= env_->config().max_open_batches) return false;
  const WallMs floor = std::max(facts().time_ms, proposed_time_ms_);
  CommandBatch batch{ReadClock(floor), writes_.TakeBatch()};
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kCommandBatch;
  decree.payload = std::make_shared<const std::string>(Encode(batch));
  const Blob payload = decree.payload;
  const consensus::ProposeResult result = replica_->Propose(Now(), std::move(decree));
  if (result.code != consensus::ProposeCode::kProposed) {
    writes_.PutBack(std::move(batch.commands));
    return false;
  }
  proposed_time_ms_ = batch.time_ms;
  writes_.Opened(result.slot, payload);
  return true;
}

// Keys and sessions expire when an applied batch carries a later time; if none comes by itself, the
// leader proposes an empty one.
void ShardHost::ProposeExpiry() {
  if (!kv_ || !replica_->ReadyLeader() || replica_->inflight() > 0 || writes_.HasWaiting()) return;
  const WallMs due = kv_->NextExpiry();
  if (due != 0 && ReadClock(facts().time_ms) > due) ProposeOneBatch();
}

// When ProposeExpiry has something to do: a lone leader beats no heart that would wake it. While
// something is proposed already, its end comes by here again.
Instant ShardHost::ExpiryWake() {
  const bool idle = kv_ && replica_->ReadyLeader() && replica_->inflight() == 0;
  const WallMs due = idle ? kv_->NextExpiry() : 0;
  if (due == 0) return expiry_at_ = kNever;
  const WallMs now = ReadClock(facts().time_ms);
  const auto longest = static_cast<WallMs>(kLongestSleep / milliseconds(1));
  const WallMs left = now > due ? 0 : std::min(due - now + 1, longest);
  // An earlier appointment stays: reads that never pause would put it off for ever.
  expiry_at_ = std::min(expiry_at_, Now() + std::max<Duration>(milliseconds(left), kExpiryPause));
  return expiry_at_;
}

// ---- reads ----

void ShardHost::Read(ReadRequest&& request, RpcReply&& reply) {
  if (closed_ || !kv_) return reply(Refusal());
  ++operations_;
  Consistency consistency = request.consistency;
  if (DECREE_BUG_REMOVED_MEMBER_SERVES_READS && !replica_->config().Find(key_.replica)) {
    consistency = Consistency::kStale;
  }
  auto serve = [this, request = std::move(request)] {
    RpcResponse response = AnswerFrame();
    Result<ReadResult> result = kv_->Read(request);
    if (result) {
      response.body = Encode(*result);
    } else {
      response.code = result.error().code();
      response.detail = result.error().detail();
    }
    return response;
  };
  if (consistency == Consistency::kStale && replica_->config().epoch) return reply(serve());
  QueueRead(std::move(serve), std::move(reply));
}

void ShardHost::Scan(ScanRequest&& request, RpcReply&& reply) {
  if (closed_ || !kv_) return reply(Refusal());
  ++operations_;
  const Consistency consistency = request.consistency;
  auto serve = [this, request = std::move(request)] {
    RpcResponse response = AnswerFrame();
    Result<ScanResult> result = kv_->Scan(request);
    if (result) {
      response.body = Encode(*result);
    } else {
      response.code = result.error().code();
      response.detail = result.error().detail();
    }
    return response;
  };
  if (consistency == Consistency::kStale && replica_->config().epoch) return reply(serve());
  QueueRead(std::move(serve), std::move(reply));
}

void ShardHost::QueueRead(std::function<RpcResponse()> serve, RpcReply&& reply) {
  if (replica_->role() != consensus::Role::kLeader) return reply(Redirect());
  waiting_reads_.push_back({std::move(serve), std::move(reply)});
  if (read_round_scheduled_) return;
  read_round_scheduled_ = true;
  OnWorker<int>([](ShardHost& host, int) { host.StartReadRound(); })(0);
}

// All reads of a turn share a round; the round starts after every one of them arrived.
void ShardHost::StartReadRound() {
  read_round_scheduled_ = false;
  open_reads_[++last_read_] = std::move(waiting_reads_);
  waiting_reads_.clear();
  if (HostWatch* watch = env_->config().watch) watch->ReadAsked(key_, *replica_, last_read_);
  replica_->RequestRead(Now(), last_read_);
  Pump();
}

void ShardHost::FinishReads(const std::vector<consensus::ReadReady>& ready) {
  for (const consensus::ReadReady& round : ready) {
    const auto open = open_reads_.find(round.id);
    if (open == open_reads_.end()) continue;
    std::vector<PendingRead> reads = std::move(open->second);
    open_reads_.erase(open);
    for (PendingRead& read : reads) read.reply(round.ok && kv_ ? read.serve() : Refusal());
  }
}

// ---- changes of members ----

void ShardHost::Change(ChangeMembers&& change, RpcReply&& reply) {
  if (closed_) return reply(Refusal());
  if (change_) {
    SOMETIMES(change_refused_beside_another);
    RpcResponse busy = AnswerFrame();
    busy.code = Errc::kBusy;
    busy.detail = "another change of members is on its way";
    return reply(std::move(busy));
  }
  if (replica_->role() != consensus::Role::kLeader) return reply(Redirect());
  change_.emplace(std::move(change), std::move(reply), Now());
  StepChange();
  Pump();
}

// True: the replica was asked for something, so that there may be output to carry out.
bool ShardHost::StepChange() {
  if (!change_) return false;
  const bool held = change_->holds_writes();
  const MemberChange::Progress progress = change_->Step(*replica_, Now());
  const bool finished = progress == MemberChange::Progress::kFinished;
  if (!finished && !held && change_->holds_writes()) {
    pause_.OnHold();
    if (writes_.HasWaiting()) pause_.OnWriteWaits(Now());
  }
  if (!finished) return progress == MemberChange::Progress::kMoved;
  change_.reset();
  if (pause_.holding() && replica_->ReadyLeader()) {
    pause_.OnResume(Now(), replica_->config().epoch);
    ScheduleProposals();
  }
  return true;
}

rebalance::ReplicaStatus ShardHost::Describe() const {
  rebalance::ReplicaStatus status;
  status.exists = true;
  status.leader = replica_->ReadyLeader();
  status.leader_hint = replica_->leader();
  status.config = replica_->config();
  status.chosen = replica_->chosen();
  status.durable_chosen = replica_->durable_chosen();
  status.applied = replica_->applied();
  const Slot start = status.config.start;
  status.epoch_started =
      status.config.epoch && (status.config.epoch == Epoch{1} || status.chosen >= start);
  status.has_snapshot = static_cast<bool>(status.config.epoch);
  status.snapshot_bytes_total = fetch_ ? fetch_->bytes_total() : facts().data_bytes;
  status.snapshot_bytes_done = fetch_ ? fetch_->bytes_done() : facts().data_bytes;
  status.data_bytes = facts().data_bytes;
  status.switch_pause_ms = pause_.last_ms();
  status.switch_epoch = pause_.last_epoch();
  status.digests = digests_;
  if (problem_ != Errc::kOk) status.problem = problem_.ToString();
  return status;
}

}  // namespace decree::node
