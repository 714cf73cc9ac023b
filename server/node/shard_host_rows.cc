// The rows of a shard: applying, flushing, trimming the log, digests, snapshots in and out.
#include <algorithm>
#include <utility>

#include "kv/base/check.h"
#include "kv/base/mark.h"
#include "server/node/shard_host.h"

namespace decree::node {
namespace {

constexpr std::size_t kKeptDigests = 8;
constexpr std::size_t kMaxRun = 256;  // slots in one row batch
// Slots kept in the log below the flushed rows, so that a member that was away briefly catches up
// without a snapshot.
constexpr std::uint64_t kKeptSlots = 512;
// One slow member or reader of a snapshot pins the log only up to this (P10).
constexpr std::size_t kMaxPinnedBytes = std::size_t{32} << 20;
constexpr Duration kFetchRetry = 200ms;

}  // namespace

// One row batch for all that is chosen, but a mark ends a batch: rows are digested as of its slot.
void ShardHost::Apply(std::vector<consensus::ChosenDecree>&& chosen) {
  const Slot last = chosen.back().slot;
  std::vector<consensus::ChosenDecree> run;
  for (consensus::ChosenDecree& decree : chosen) {
    const bool mark = store::HoldsMark(decree.decree);
    const bool end = mark || run.size() + 1 == kMaxRun || decree.slot == last;
    run.push_back(std::move(decree));
    if (!end) continue;
    if (!ApplyRun(run)) return;
    if (mark) DigestMark(run.back().slot);
    run.clear();
  }
  replica_->Applied(Now(), last);
  if (!kv_) env_->HostChanged(*this);
  MaybeFlush();
}

bool ShardHost::ApplyRun(const std::vector<consensus::ChosenDecree>& run) {
  Result<std::vector<store::AppliedSlot>> applied = machine_->Apply(run);
  if (!applied) {
    Fail(applied.error());
    return false;
  }
  DECREE_CHECK(applied->size() == run.size() && facts().applied == run.back().slot);
  const RpcResponse frame = AnswerFrame();
  for (std::size_t i = 0; i < run.size(); ++i) {
    writes_.Settle(run[i].slot, run[i].decree.payload, (*applied)[i], frame);
  }
  return true;
}

// The rows as of a mark's slot are frozen here, before anything later is applied, and digested
// aside.
void ShardHost::DigestMark(Slot slot) {
  std::shared_ptr<store::RowView> view = engine_->View();
  auto finish = OnWorker<std::string>([slot](ShardHost& host, std::string digest) {
    if (host.digests_.size() == kKeptDigests) host.digests_.erase(host.digests_.begin());
    host.digests_.push_back({slot, std::move(digest)});
  });
  engine_->RunInBackground([view = std::move(view), finish]() mutable {
    Result<std::string> digest = store::DigestRows(*view);
    view.reset();
    finish(digest ? *digest : "unreadable: " + digest.error().ToString());
  });
}

void ShardHost::MaybeFlush() {
  const std::uint64_t limit = env_->config().flush_bytes;
  if (engine_->UnflushedBytes() > limit || replica_->log_bytes() > limit) Flush();
}

void ShardHost::Flush() {
  if (closed_ || flushing_ || flushed_ == facts().applied) return;
  flushing_ = true;
  const Slot applied = facts().applied;
  engine_->Flush(OnWorker<Status>([applied](ShardHost& host, Status status) {
    host.flushing_ = false;
    if (!status) return host.Fail(status.error());
    host.OnFlushed(applied);
  }));
}

void ShardHost::ReleaseLog() {
  if (closed_) return;
  release_log_ = true;
  if (flushed_ == facts().applied) return OnFlushed(flushed_);
  Flush();
}

void ShardHost::OnFlushed(Slot applied) {
  flushed_ = std::max(flushed_, applied);
  TrimLog();
  if (std::exchange(release_log_, false) && flushed_ > released_) {
    released_ = flushed_;
    disk_->log().Trim(key_, flushed_);
  }
  MaybeFlush();
}

// P10: only below durable rows; a lagging member or a snapshot being read holds the log back up to
// a cap. The disk's log may go as far as the rows are durable only if memory still serves the rest,
// so both are trimmed alike.
void ShardHost::TrimLog() {
  Slot trim{flushed_.value > kKeptSlots ? flushed_.value - kKeptSlots : 0};
  if (replica_->log_bytes() > kMaxPinnedBytes) {
    SOMETIMES(log_pin_capped);
    trim = flushed_;
  } else {
    if (!pin_.expired()) trim = std::min(trim, pinned_);
    for (const auto* members : {&replica_->config().voters, &replica_->config().learners}) {
      for (const consensus::Member& member : *members) {
        if (const auto chosen = replica_->DurableChosenOf(member.id))
          trim = std::min(trim, *chosen);
      }
    }
  }
  if (trim <= replica_->trimmed()) return;
  disk_->log().Trim(key_, trim);
  replica_->Trim(trim);
}

// ---- snapshots ----

void ShardHost::OpenSnapshot(std::function<void(Result<SnapshotPin>)> done) {
  pinned_ = facts().applied;
  engine_->Checkpoint(OnWorker<Result<SnapshotPin>>(
      [done = std::move(done)](ShardHost& host, Result<SnapshotPin> source) {
        if (source) host.pin_ = *source;
        done(std::move(source));
      }));
}

void ShardHost::StartFetch(const consensus::SnapshotNeed& need) {
  if (fetch_ || Now() < next_fetch_) return;
  next_fetch_ = Now() + kFetchRetry;
  fetch_ = std::make_unique<SnapshotFetch>(
      *env_, *disk_, key_, need.from,
      [this](Result<std::unique_ptr<store::Staging>> staged) { OnFetched(std::move(staged)); });
}

void ShardHost::OnFetched(Result<std::unique_ptr<store::Staging>> staged) {
  const Slot at_least = fetch_->at_least();
  fetch_.reset();
  if (!staged || closed_) return;
  if (at_least <= replica_->applied()) {
    SOMETIMES(snapshot_older_than_rows);
    return;
  }
  const Status installed = Install(**staged);
  if (!installed) return Fail(installed.error());
  if (facts().applied < at_least) return;
  replica_->InstalledSnapshot(Now(), facts().applied, facts().config);
  flushed_ = facts().applied;
  disk_->log().Trim(key_,
                    flushed_);  // durable with the next record: rows must hold this from now on
  env_->HostChanged(*this);
  Pump();
}

// The received rows, durable and found good, take the place of ours by rename; the slot is read
// from the rows (design.md section 5). If that fails the rows stay what they were: the replica asks
// again.
Status ShardHost::Install(store::Staging& staging) {
  kv_ = nullptr;
  machine_.reset();
  engine_.reset();
  auto engine = staging.Commit();
  if (!engine) engine = disk_->OpenRows(key_);
  if (!engine) return engine.error();
  engine_ = std::move(*engine);
  return OpenMachine({});
}

}  // namespace decree::node
