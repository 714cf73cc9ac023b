// The rows of a shard: applying, flushing, trimming the log, digests.
#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"
#include "kv/store/row_digest.h"
#include "server/node/shard_host.h"

namespace decree::node {
namespace {

constexpr std::size_t kKeptDigests = 8;
constexpr std::uint64_t kDigestPiece = std::uint64_t{1} << 20;
constexpr std::size_t kMaxRun = 256;  // slots in one row batch
// The tail of the log below the flushed rows that is kept in any case, so that a member that was
// away briefly catches up without a snapshot.
constexpr std::uint64_t kTailSlots = 512;
constexpr std::size_t kTailBytes = std::size_t{1} << 20;

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
  if (HostWatch* watch = env_->config().watch) {
    watch->Applied(key_, {run, *applied, *machine_, *engine_});
  }
  for (const consensus::ChosenDecree& each : run) {
    unflushed_bytes_ += replica_->LogBytesAt(each.slot);
  }
  const RpcResponse frame = AnswerFrame();
  for (std::size_t i = 0; i < run.size(); ++i) {
    writes_.Settle(run[i].slot, run[i].decree.payload, (*applied)[i], frame);
  }
  return true;
}

struct ShardHost::Digesting {
  Digesting(Slot of, std::shared_ptr<const store::RowView> view, Instant now)
      : slot(of), rows(std::move(view)), next(now) {}
  Slot slot;
  store::RowDigest rows;
  Instant next;  // when its next piece may be read
};

// The rows as of a mark's slot are frozen here, before anything later is applied, and digested
// aside, a piece at a time, so that reads and writes get by.
void ShardHost::DigestMark(Slot slot) {
  digesting_.push_back(std::make_shared<Digesting>(slot, engine_->View(), Now()));
  DigestOn(digesting_.back());
}

// Between the pieces only digesting_ holds the view: it goes when the rows do.
void ShardHost::DigestOn(const std::shared_ptr<Digesting>& digest) {
  auto then = OnWorker<Result<bool>>(
      [weak = std::weak_ptr(digest)](ShardHost& host, const Result<bool>& more) {
        if (const auto alive = weak.lock()) host.OnDigested(alive, more);
      });
  engine_->RunInBackground([held = digest, then]() mutable {
    Result<bool> more = held->rows.More(kDigestPiece);
    held.reset();
    then(std::move(more));
  });
}

// Closing a view waits for the disk.
void ShardHost::DropDigests() {
  for (std::shared_ptr<Digesting>& digest : digesting_) {
    engine_->RunInBackground([held = std::move(digest)]() mutable { held.reset(); });
  }
  digesting_.clear();
}

void ShardHost::OnDigested(const std::shared_ptr<Digesting>& digest, const Result<bool>& more) {
  if (!more || !*more) {
    std::string text = more ? digest->rows.Hex() : "unreadable: " + more.error().ToString();
    if (digests_.size() == kKeptDigests) digests_.erase(digests_.begin());
    digests_.push_back({digest->slot, std::move(text)});
    std::erase(digesting_, digest);
    return;
  }
  digest->next = digest->next + env_->move_gate(*disk_).PauseAfterReading(kDigestPiece);
  if (digest->next <= Now()) return DigestOn(digest);
  env_->executor().RunAt(digest->next, [weak = weak_from_this(), piece = std::weak_ptr(digest)] {
    const auto host = weak.lock();
    const auto alive = piece.lock();
    if (host && alive && !host->closed_) host->DigestOn(alive);
  });
}

// What is below the durable rows does not count: a flush cannot shorten it.
void ShardHost::MaybeFlush() {
  const std::uint64_t limit = env_->config().flush_bytes;
  if (engine_->UnflushedBytes() > limit || unflushed_bytes_ > limit) Flush();
}

void ShardHost::Flush() {
  if (closed_ || flushing_ || flushed_ == facts().applied) return;
  flushing_ = true;
  const Slot applied = facts().applied;
  const std::size_t bytes = unflushed_bytes_;
  engine_->Flush(
      OnWorker<Status>([applied, bytes, life = engine_life_](ShardHost& host, Status status) {
        if (life != host.engine_life_) SOMETIMES(flush_of_rows_since_replaced);
        if (life != host.engine_life_)
          return;  // also if it failed: those rows were closed, not lost
        host.flushing_ = false;
        if (!status && status.error() == Errc::kBusy) return;  // too many open files: later
        if (!status) return host.Fail(status.error());
        host.unflushed_bytes_ -= bytes;
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
  if (DECREE_BUG_TRIM_ABOVE_SNAPSHOT) flushed_ = facts().applied;
  TrimLog();
  if (std::exchange(release_log_, false) && flushed_ > released_) {
    released_ = flushed_;
    disk_->log().Trim(key_, flushed_);
  }
  MaybeFlush();
}

// P10: only below durable rows. A member that lags holds the log back as long as the node keeps
// less than half of its budget, a snapshot on its way as long as it keeps less than all of it; the
// tail is kept in any case.
void ShardHost::TrimLog() {
  const auto durable = [this](ReplicaId member) { return replica_->DurableChosenOf(member); };
  const Slot tail = TailFrom();
  const Slot snapshots = std::min(tail, pins_.Lowest(Now(), durable).value_or(tail));
  const std::size_t budget = env_->config().kept_log_bytes;
  TrimTo(std::min(snapshots, SlowestMember()));
  if (env_->kept_log().bytes() > budget / 2) {
    SOMETIMES(log_pin_capped);
    TrimTo(snapshots);
  }
  if (env_->kept_log().bytes() > budget) TrimTo(tail);
}

// The disk's log may go as far as the rows are durable only if memory still serves the rest, so
// both are trimmed alike.
void ShardHost::TrimTo(Slot slot) {
  if (slot > replica_->trimmed()) {
    disk_->log().Trim(key_, slot);
    replica_->Trim(slot);
  }
  NoteKept(replica_->log_bytes() - replica_->LogBytesAbove(flushed_));
}

void ShardHost::NoteKept(std::size_t bytes) {
  env_->kept_log().Change(kept_bytes_, bytes);
  kept_bytes_ = bytes;
}

Slot ShardHost::TailFrom() const {
  Slot from = flushed_;
  std::size_t bytes = 0;
  while (from > replica_->trimmed() && flushed_.value - from.value < kTailSlots) {
    bytes += replica_->LogBytesAt(from);
    if (bytes > kTailBytes) break;
    from = from.Prev();
  }
  return from;
}

// As far as this replica knows: it leads, and they reported.
Slot ShardHost::SlowestMember() const {
  Slot slowest = flushed_;
  for (const auto* members : {&replica_->config().voters, &replica_->config().learners}) {
    for (const consensus::Member& member : *members) {
      slowest = std::min(slowest, replica_->DurableChosenOf(member.id).value_or(slowest));
    }
  }
  return slowest;
}

}  // namespace decree::node
