#include "server/node/shard_host.h"

#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::node {

ShardHost::ShardHost(HostEnv& env, store::Disk& disk, ReplicaKey key, MachineFactory factory)
    : env_(&env),
      disk_(&disk),
      key_(key),
      factory_(std::move(factory)),
      room_(std::make_shared<SpacePromise>(env.space_ledger(disk))) {}

ShardHost::~ShardHost() = default;

Result<std::shared_ptr<ShardHost>> ShardHost::Open(HostEnv& env, store::Disk& disk, ReplicaKey key,
                                                   const consensus::Config& genesis,
                                                   MachineFactory factory, Rows rows) {
  std::shared_ptr<ShardHost> host(new ShardHost(env, disk, key, std::move(factory)));
  if (!rows) return rows.error();
  host->engine_ = *std::move(rows);
  const Status opened = host->OpenMachine(genesis);
  if (!opened) return opened.error();
  auto recovered = disk.log().Recover(key);
  if (!recovered) return recovered.error();
  recovered->config = host->facts().config;
  recovered->applied = host->facts().applied;
  host->flushed_ = host->facts().applied;
  const Slot trimmed = recovered->trimmed;
  const Slot watermark = recovered->watermark;
  consensus::Options options = env.config().consensus;
  // The placement group notices lost nodes, and wakes others for them.
  if (key.shard == kPlacementShard) options.sleep_after = {};
  host->replica_ = std::make_unique<consensus::Replica>(key.replica, std::move(*recovered), options,
                                                        env.executor().RandomWord(), host->Now());
  const Status whole = host->CheckRows(trimmed, watermark);
  if (!whole) return whole.error();
  if (env.config().watch) env.config().watch->Opened(key, *host->replica_);
  return host;
}

// P9: corrupt is not absent. Rows that end below what the log let go of, or from which the log does
// not lead on to what it knows to be chosen, were lost: with them votes are, which a quorum may
// count on.
Status ShardHost::CheckRows(Slot trimmed, Slot watermark) const {
  if (facts().applied >= trimmed && replica_->chosen() >= watermark) return {};
  if (DECREE_BUG_LOST_ROWS_ACCEPTED) return {};
  return Error(
      Errc::kCorruption,
      disk_->RowsPath(key_) + ": the rows were lost or are an old copy: they end at slot " +
          ToString(facts().applied) + ", and the disk's log keeps only what is above slot " +
          ToString(trimmed) + " of " + ToString(std::max(trimmed, watermark)) + " chosen");
}

Status ShardHost::OpenMachine(const consensus::Config& genesis) {
  auto machine = factory_(*engine_, genesis);
  if (!machine) return machine.error();
  machine_ = std::move(*machine);
  kv_ = dynamic_cast<store::KvMachine*>(machine_.get());
  return {};
}

template <class Value>
std::function<void(Value)> ShardHost::OnWorker(std::function<void(ShardHost&, Value)> step) {
  return
      [executor = &env_->executor(), weak = weak_from_this(), step = std::move(step)](Value value) {
        auto shared = std::make_shared<Value>(std::move(value));
        executor->Post([weak, step, shared] {
          const auto host = weak.lock();
          if (host && !host->closed_) step(*host, std::move(*shared));
        });
      };
}

void ShardHost::Start() { Tick(); }

void ShardHost::Tick() {
  if (closed_) return;
  replica_->Tick(Now());
  expiry_at_ = kNever;
  ProposeExpiry();
  StepChange();
  Pump();
}

void ShardHost::Receive(consensus::Envelope&& envelope) {
  if (closed_) return;
  const auto* heartbeat = std::get_if<consensus::Heartbeat>(&envelope.message);
  const WallMs leader_time = heartbeat ? heartbeat->time_ms : 0;
  replica_->Receive(Now(), envelope.from, std::move(envelope.message));
  if (leader_time != 0 && replica_->leader() == envelope.from) clock_.Follow(Now(), leader_time);
  Pump();
}

void ShardHost::Pump() {
  if (closed_ || pumping_) return;
  pumping_ = true;
  Instant wake = kNever;
  for (bool busy = true; busy && !closed_;) {
    consensus::Output output = replica_->TakeOutput();
    if (env_->config().watch) env_->config().watch->Stepped(key_, *replica_, output);
    wake = output.wake_at;
    busy = output.persist || !output.send.empty() || !output.send_after_persist.empty() ||
           !output.chosen.empty() || !output.reads.empty() || output.snapshot ||
           output.leadership_changed;
    if (busy) CarryOut(std::move(output));
    if (!closed_) busy |= StepChange();
    if (!closed_ && writes_.HasWaiting() && !proposals_scheduled_) busy |= ProposeOneBatch();
  }
  pumping_ = false;
  if (closed_) return;
  if (change_) wake = std::min(wake, change_->deadline());
  env_->Wake(*this, std::min(wake, ExpiryWake()));
}

// The order is demanded by consensus/output.h.
void ShardHost::CarryOut(consensus::Output&& output) {
  PersistOutput(output);
  SendAll(output.send);
  if (!output.chosen.empty()) Apply(std::move(output.chosen));
  if (closed_) return;
  if (output.leadership_changed) OnLeadershipChange();
  if (!output.reads.empty()) FinishReads(output.reads);
  if (output.snapshot) StartFetch(*output.snapshot);
}

void ShardHost::PersistOutput(consensus::Output& output) {
  if (!output.persist) {
    // The core holds back what reveals unpersisted state; what comes without a write may leave.
    SendAll(output.send_after_persist);
    return;
  }
  const consensus::PersistId id = output.persist->id;
  auto after =
      std::make_shared<std::vector<consensus::Outgoing>>(std::move(output.send_after_persist));
  disk_->log().Append(key_, std::move(*output.persist),
                      OnWorker<Status>([id, after](ShardHost& host, Status status) {
                        host.OnPersisted(id, *after, std::move(status));
                      }));
}

void ShardHost::OnPersisted(consensus::PersistId id, std::vector<consensus::Outgoing>& after,
                            Status status) {
  if (!status && !DECREE_BUG_FAILED_SYNC_IGNORED)
    return Fail(status.error());  // P8: nothing more is sent
  SendAll(after);
  replica_->Persisted(Now(), id);
  Pump();
}

void ShardHost::SendAll(std::vector<consensus::Outgoing>& messages) {
  for (consensus::Outgoing& outgoing : messages) {
    auto* heartbeat = std::get_if<consensus::Heartbeat>(&outgoing.message);
    if (heartbeat != nullptr && led_) heartbeat->time_ms = ReadClock(facts().time_ms);
    env_->Send({key_.shard, Self(), outgoing.to, std::move(outgoing.message)});
  }
  messages.clear();
}

void ShardHost::OnLeadershipChange() {
  const bool leads = replica_->role() == consensus::Role::kLeader;
  if (leads && !led_) {
    clock_.Lead(Now(), env_->executor().WallNow(), facts().time_ms);
    proposed_time_ms_ = 0;
  }
  if (!leads) {
    // What was proposed may be chosen by the next leader: the client asks again under its session.
    RpcResponse unknown = Refusal();
    unknown.code = DECREE_BUG_UNKNOWN_SAID_AS_REFUSED ? unknown.code : Errc::kOutcomeUnknown;
    writes_.FailOpen(unknown);
  }
  // A switch in which this replica will lead the next epoch keeps its writers waiting.
  const bool electing = replica_->role() == consensus::Role::kCandidate && pause_.holding();
  if (electing) SOMETIMES(writers_wait_over_a_switch);
  if (!leads && !electing) writes_.FailWaiting(Refusal());
  if (leads && replica_->ReadyLeader()) pause_.OnResume(Now(), replica_->config().epoch);
  if (!leads && !electing) pause_.OnLost();
  led_ = leads;
  env_->HostChanged(*this);
}

void ShardHost::WakeUp() {
  if (closed_ || !replica_->asleep()) return;
  replica_->Wake(Now());
  Pump();
}

// Only whom this leader hears can take over. While a transfer is open no writes are taken, so one
// is begun only when the one before has ended, and goes to whoever was asked least, then to whoever
// knows most.
void ShardHost::GiveUpLeadership() {
  if (closed_ || replica_->role() != consensus::Role::kLeader || replica_->HandingOver()) return;
  WakeUp();  // whom it hears then is told at the next try
  const Duration patience = env_->config().consensus.election_min;
  std::optional<std::pair<int, Slot>> best;  // fewer times asked, then a higher slot
  ReplicaId target;
  for (const consensus::Member& voter : replica_->config().voters) {
    const auto heard = replica_->HeardAt(voter.id);
    if (voter.id == key_.replica || !heard || Now() - *heard > patience) continue;
    const std::pair<int, Slot> rank{-asked_to_lead_[voter.id],
                                    *replica_->DurableChosenOf(voter.id)};
    if (best && rank <= *best) continue;
    best = rank;
    target = voter.id;
  }
  if (!target) return;
  ++asked_to_lead_[target];
  replica_->TransferLeadership(Now(), target);
  Pump();
}

void ShardHost::Fail(const Error& error) {
  if (closed_) return;
  Close();
  env_->HostFailed(*this, error);
}

void ShardHost::Close() {
  if (closed_) return;
  closed_ = true;
  fetch_.reset();
  partial_ = {};
  room_->Release();
  DropDigests();
  NoteKept(0);
  RefuseSnapshots(Error(Errc::kUnavailable, "the replica is closing"));
  RpcResponse answer;
  answer.code = Errc::kUnavailable;
  answer.detail = "the replica is closing";
  writes_.FailWaiting(answer);
  for (PendingRead& read : waiting_reads_) read.reply(answer);
  for (auto& [id, reads] : open_reads_) {
    for (PendingRead& read : reads) read.reply(answer);
  }
  waiting_reads_.clear();
  open_reads_.clear();
  answer.code = Errc::kOutcomeUnknown;
  writes_.FailOpen(answer);
  if (change_) change_->Abandon(answer);
  change_.reset();
}

// Explicit instantiations for the other files of this class.
template std::function<void(Status)> ShardHost::OnWorker(std::function<void(ShardHost&, Status)>);
template std::function<void(Result<ShardHost::SnapshotFiles>)> ShardHost::OnWorker(
    std::function<void(ShardHost&, Result<ShardHost::SnapshotFiles>)>);
template std::function<void(Result<bool>)> ShardHost::OnWorker(
    std::function<void(ShardHost&, Result<bool>)>);
template std::function<void(int)> ShardHost::OnWorker(std::function<void(ShardHost&, int)>);

}  // namespace decree::node
