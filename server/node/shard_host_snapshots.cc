// Snapshots of a shard: frozen for others, fetched from others and installed.
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
#include "kv/store/kv_rows.h"
#include "server/node/shard_host.h"

namespace decree::node {
namespace {

constexpr Duration kFetchRetry = 200ms;
constexpr Duration kPartialLife = 60s;
constexpr int kNamedFailures = 2;  // then whoever names others has to serve

// What a planted bug takes out of a snapshot: deletes of the rows of its session table.
store::RowBatch SessionRows(const store::Engine& engine) {
  store::RowBatch deletes;
  const std::unique_ptr<store::RowView> view = engine.View();
  const std::unique_ptr<store::RowCursor> rows = view->NewCursor();
  const std::string last = store::SessionKey(UINT64_MAX);
  for (rows->Seek(store::ResultKey(0, 0)); rows->Valid() && rows->key() <= last; rows->Next()) {
    deletes.push_back({std::string(rows->key()), std::nullopt});
  }
  return deletes;
}

}  // namespace

// ---- out ----

// The log is pinned before the freezing begins: the rows hold at least what is applied now.
void ShardHost::OpenSnapshot(ReplicaId reader, SnapshotDone done) {
  if (closed_) return done(Error(Errc::kUnavailable, "the replica is closing"));
  const std::uint64_t pin = pins_.Begin(reader, facts().applied);
  const std::uint64_t id = ++last_opening_;
  opening_[id] = std::move(done);
  engine_->Checkpoint(
      OnWorker<Result<SnapshotFiles>>([id, pin](ShardHost& host, Result<SnapshotFiles> files) {
        host.OnFrozen(id, pin, std::move(files));
      }));
}

void ShardHost::OnFrozen(std::uint64_t id, std::uint64_t pin, Result<SnapshotFiles> files) {
  const auto opening = opening_.extract(id);
  if (opening.empty()) return;  // answered: other rows have taken the place of these
  if (files) {
    pins_.Frozen(pin, *files);
  } else {
    pins_.End(pin);
  }
  opening.mapped()(std::move(files));
}

void ShardHost::RefuseSnapshots(const Error& why) {
  if (!opening_.empty()) SOMETIMES(snapshot_refused_while_closing);
  const auto refused = std::exchange(opening_, {});
  for (const auto& [id, done] : refused) done(why);
  pins_.Clear();
}

std::optional<FitSource> ShardHost::FindSource(ReplicaId reader, ReplicaId avoid) const {
  const consensus::Config& config = replica_->config();
  const consensus::Member* lagging = config.Find(reader);
  if (!leading() || lagging == nullptr || lagging->node == env_->node()) return std::nullopt;
  const Instant oldest = Now() - env_->config().consensus.election_min;
  std::optional<FitSource> best;
  for (const consensus::Member& member : config.voters) {
    if (member.id == key_.replica || member.id == reader || member.id == avoid) continue;
    const std::optional<Slot> durable = replica_->DurableChosenOf(member.id);
    const std::optional<Instant> heard = replica_->HeardAt(member.id);
    if (!durable || !heard || *heard < oldest || *durable < replica_->trimmed()) continue;
    if (durable->value + env_->config().catch_up_gap < facts().applied.value) continue;
    const bool nearer = member.node == lagging->node;
    if (!best || nearer || *durable > best->slot) best = FitSource{member, *durable};
    if (nearer) break;
  }
  return best;
}

namespace {

// Stands for files that somebody else serves.
class NoFiles : public store::SnapshotSource {
 public:
  const std::vector<store::SnapshotFile>& files() const override { return files_; }
  Result<std::string> Read(const std::string& file, std::uint64_t /*offset*/,
                           std::size_t /*size*/) const override {
    return Error(Errc::kNotFound, "no snapshot file " + file);
  }

 private:
  const std::vector<store::SnapshotFile> files_;
};

}  // namespace

ShardHost::SnapshotFiles ShardHost::PinLog(ReplicaId reader, Slot slot) {
  SnapshotFiles pin = std::make_shared<NoFiles>();
  pins_.Frozen(pins_.Begin(reader, slot), pin);
  return pin;
}

// ---- in ----

void ShardHost::SetFetchPace(FetchPace pace) {
  hold_ends_ = Now() + env_->config().fetch_hold;
  if (fetch_pace_ == pace) return;
  fetch_pace_ = pace;
  if (fetch_) fetch_->SetPace(pace);
}

// A source that went silent is left for another member as soon as that one offers to serve; calls
// to it alone would be waited for much longer.
bool ShardHost::FetchIsStuck(const consensus::SnapshotNeed& need) const {
  const Duration patience = 3 * env_->config().consensus.election_max;
  const std::optional<Instant> asked = fetch_->asked_at();
  return fetch_->asked_first() != need.from.id && asked && Now() - *asked > patience;
}

// Nobody tells a target that its move has ended, and a voter has to keep up in any case.
void ShardHost::EndOldHold() {
  if (fetch_pace_ != FetchPace::kHeld) return;
  if (Now() < hold_ends_ && !replica_->config().IsVoter(key_.replica)) return;
  SOMETIMES(snapshot_hold_ended_by_itself);
  SetFetchPace(FetchPace::kUsual);
}

void ShardHost::StartFetch(const consensus::SnapshotNeed& need) {
  EndOldHold();
  if (fetch_ && FetchIsStuck(need)) {
    SOMETIMES(snapshot_source_changed);
    DropFetch(false);
  }
  if (fetch_ || fetch_pace_ == FetchPace::kHeld || Now() < next_fetch_) return;
  next_fetch_ = Now() + kFetchRetry;
  fetch_ = std::make_unique<SnapshotFetch>(
      *env_, *disk_, key_,
      SnapshotFetch::Source{need.from, avoid_, named_failures_ >= kNamedFailures, in_chunks_},
      std::exchange(partial_, {}), room_,
      [this](Result<std::unique_ptr<store::Staging>> staged) { OnFetched(std::move(staged)); });
  fetch_->SetPace(fetch_pace_);
}

// What has come is kept for the next one, and its room, for a while: should none be needed any
// more, nobody else would let go of them. A source that lost the snapshot, by a restart, still has
// its tables: it may be named again.
void ShardHost::DropFetch(bool gone) {
  if (!gone) avoid_ = fetch_->source();
  if (fetch_->source() != fetch_->asked_first()) ++named_failures_;
  in_chunks_ = in_chunks_ || fetch_->unanswered();
  partial_ = fetch_->TakePartial();
  fetch_.reset();
  env_->executor().RunAt(Now() + kPartialLife, [weak = weak_from_this(), number = ++partials_] {
    const auto self = weak.lock();
    if (!self || self->closed_ || self->fetch_ || self->partials_ != number) return;
    self->partial_ = {};
    self->room_->Release();
  });
}

void ShardHost::OnFetched(Result<std::unique_ptr<store::Staging>> staged) {
  const Slot at_least = fetch_->at_least();
  if (staged) {
    avoid_ = {};
    in_chunks_ = false;
    named_failures_ = 0;
    fetch_.reset();
    room_->Release();
  } else {
    DropFetch(staged.error() == Errc::kNotFound);
  }
  if (closed_) return;
  if (!staged) {
    SOMETIMES(snapshot_not_got);
    return NoteProblem(staged.error());
  }
  problem_ = Errc::kOk;
  if (at_least <= replica_->applied()) {
    SOMETIMES(snapshot_older_than_rows);
    return;
  }
  const Status installed = Install(**staged);
  if (!installed) return Fail(installed.error());
  OnInstalled();
}

// Said once for each kind of failure: the replica asks again five times a second.
void ShardHost::NoteProblem(const Error& error) {
  if (problem_ != error && env_->config().log) {
    env_->config().log(
        LogLevel::kWarn,
        "replica " + ToString(key_) + " does not get the snapshot it needs: " + error.ToString());
  }
  problem_ = error;
}

// The received rows, durable and found good by Prepare, take the place of ours by rename; the slot
// is read from the rows (design.md section 5). Ours are closed for it, and what of them was not
// durable is gone: a failure from here on is the disk's (P8).
Status ShardHost::Install(store::Staging& staging) {
  RefuseSnapshots(Error(Errc::kUnavailable, "the rows are being replaced"));
  ++engine_life_;
  flushing_ = false;
  DropDigests();
  const Slot before = replica_->applied();
  kv_ = nullptr;
  machine_.reset();
  engine_.reset();
  auto engine = staging.Commit();
  if (!engine && engine.error() == Errc::kConflict) {  // somebody still looks at the old ones
    return Error(Errc::kBusy, engine.error().detail());
  }
  if (!engine) return engine.error();
  engine_ = std::move(*engine);
  if (DECREE_BUG_SESSIONS_LEFT_OUT) (void)engine_->Write(SessionRows(*engine_));
  const Status opened = OpenMachine({});
  if (!opened || facts().applied >= before) return opened;
  return Error(Errc::kCorruption, disk_->RowsPath(key_) + ": the snapshot ends at slot " +
                                      ToString(facts().applied) + ", its source promised more");
}

// The disk's log is told at once: from now on the rows must hold what came with the snapshot (P9).
void ShardHost::OnInstalled() {
  unflushed_bytes_ = 0;
  const Slot slot_of_rows = facts().applied;
  const Slot applied = DECREE_BUG_ROWS_LATER_THAN_SLOT ? replica_->chosen().Next() : slot_of_rows;
  replica_->InstalledSnapshot(Now(), applied, facts().config);
  disk_->log().Trim(key_, applied);
  OnFlushed(applied);
  env_->HostChanged(*this);
  Pump();
}

}  // namespace decree::node
