// Birth and death of replicas on this node, failed disks, and the end of the node.
#include <algorithm>
#include <utility>

#include "kv/base/mark.h"
#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kStopPoll = 10ms;
constexpr Duration kReopenPause = 500ms;

void Answer(const RpcReply& reply, const Status& status) {
  RpcResponse response;
  if (!status) {
    response.code = status.error().code();
    response.detail = status.error().detail();
  }
  reply(std::move(response));
}

}  // namespace

// Seal, step 2: a shell that cannot vote, on the named directory only, never at or below the
// tombstone. Asked again, it answers that all is well only if the replica's host is open.
void Control::HandleCreate(const CreateReplica& create, RpcReply&& reply) {
  std::shared_ptr<SpacePromise> room;
  const auto admit = [&](const store::Disk& disk) {
    room = std::make_shared<SpacePromise>(node_->space_ledgers.at(&disk));
    return room->Set(create.bytes, disk);
  };
  const Result<Resident> resident =
      catalogs_.Create(ReplicaShell{create.key, {}, create.move}, create.disk, admit);
  if (!resident) return Answer(reply, resident.error());
  OpenReplica(
      *resident, std::move(room),
      [this, disk = &resident->catalog->disk(), reply = std::move(reply)](const Status& opened) {
        const bool damaged = !opened && opened.error() == Errc::kCorruption;
        if (damaged && !node_->stopping) OnDiskFailed(*disk, opened.error());
        Answer(reply, opened);
      });
}

// Seal, step 12: first what makes it final, durably; then the replica stops and its data goes.
// One that is being opened would be opened after its burial: whoever destroys asks again.
void Control::HandleDestroy(const DestroyReplica& destroy, RpcReply&& reply) {
  if (opening_.contains(destroy.key)) {
    SOMETIMES(destroy_of_a_replica_being_opened);
    return Answer(reply, Error(Errc::kBusy, "the replica is being opened"));
  }
  const Result<Catalog*> home = catalogs_.Bury(destroy.key);
  if (!home) return Answer(reply, home.error());
  // A replica on a directory that is out counts as gone (MOVES.md, clean_up). Should a restart
  // bring the directory back, the replica comes with it, sealed out, until it is reported and
  // destroyed.
  HostWatch* watch = *home || catalogs_.AllWork() ? node_->config.watch : nullptr;
  if (watch) watch->Buried(destroy.key);
  auto done = [watch, key = destroy.key, reply = std::move(reply)](const Status& status) {
    if (watch && status) watch->Destroyed(key);
    Answer(reply, status);
  };
  if (!*home) SOMETIMES(destroy_of_a_replica_that_is_gone);
  if (!*home) return done({});
  RemoveReplica(**home, destroy.key, std::move(done));
}

void Control::RemoveReplica(Catalog& catalog, ReplicaKey key, Opened done) {
  Worker& worker = node_->WorkerOf(key.shard);
  worker.executor().Post([this, &worker, &catalog, key, done = std::move(done)] {
    worker.CloseReplica(key);
    EraseData(catalog, key, done);
  });
}

void Control::EraseData(Catalog& catalog, ReplicaKey key, Opened done) {
  Executor& control = node_->workers[0]->executor();
  store::Disk& disk = catalog.disk();  // runs its jobs to the end, the node's parts are gone then
  disk.RunInBackground([this, &catalog, &disk, &control, key, done = std::move(done)] {
    const Status removed = Catalogs::RemoveData(disk, key);
    control.Post([this, &catalog, key, removed, done] {
      if (!removed) EraseLater(catalog, key, removed.error());
      done(removed ? catalog.DropShell(key) : removed);
    });
  });
}

// Somebody still reads the rows, or there are too few open files. The replica is buried, so nobody
// asks again: they would lie there until the next start.
void Control::EraseLater(Catalog& catalog, ReplicaKey key, const Error& why) {
  const bool passing = why == Errc::kBusy || why == Errc::kConflict;
  if (!passing || node_->stopping) return;
  SOMETIMES(buried_rows_wait_to_be_removed);
  Executor& control = node_->workers[0]->executor();
  control.RunAt(control.Now() + kReopenPause, [this, &catalog, key] {
    const bool gone = node_->stopping || catalogs_.Failed(catalog.disk());
    if (!gone) EraseData(catalog, key, [](const Status&) {});
  });
}

// ---- failed disks ----

// P8: a disk that failed once is out for good. Its replicas fall silent and are replaced elsewhere.
void Control::OnDiskFailed(store::Disk& disk, const Error& error) {
  if (!catalogs_.TakeOut(disk)) return;
  SOMETIMES(disk_taken_out);
  node_->Log(LogLevel::kError,
             "disk " + disk.path() + " failed and is taken out: " + error.ToString());
  for (const auto& worker : node_->workers) {
    worker->executor().Post([worker = worker.get(), &disk] { worker->CloseDisk(disk); });
  }
  if (!catalogs_.Working().empty()) return;
  node_->serving = false;
  if (ready_) return FinishStart(error);
  if (node_->config.on_disks_lost) node_->config.on_disks_lost(error.ToString());
}

// Too many open files are no fault of the disk. The replica alone stops; nothing that it revealed
// is lost, because it starts again from what is durable.
void Control::OnReplicaBusy(store::Disk& disk, ReplicaKey key, const Error& error) {
  SOMETIMES(replica_starts_again_after_busy);
  node_->Log(LogLevel::kWarn,
             "replica " + ToString(key) + " stops for a while: " + error.ToString());
  Executor& control = node_->workers[0]->executor();
  control.RunAt(control.Now() + kReopenPause, [this, &control, &disk, key] {
    if (node_->stopping) return;
    // Behind every record that its former life has queued, so that the next one reads them all.
    disk.log().Append(key, {}, [this, &control, &disk, key](Status status) {
      control.Post([this, &disk, key, status] {
        status ? Reopen(disk, key) : OnDiskFailed(disk, status.error());
      });
    });
  });
}

void Control::Reopen(store::Disk& disk, ReplicaKey key) {
  const std::vector<Catalog*> working = catalogs_.Working();
  const auto home = std::find_if(working.begin(), working.end(),
                                 [&](Catalog* catalog) { return &catalog->disk() == &disk; });
  if (home == working.end() || node_->stopping) return;
  const Result<std::optional<ReplicaShell>> shell = (*home)->LoadShell(key);
  if (!shell) return OnDiskFailed(disk, shell.error());
  if (!*shell || (*shell)->removed) return;
  Worker& worker = node_->WorkerOf(key.shard);
  worker.executor().Post([&worker, key] { worker.CloseReplica(key); });
  OpenReplica({*home, **shell}, nullptr, [this, &disk, key](const Status& opened) {
    if (opened || node_->stopping) return;
    const Errc code = opened.error().code();
    // Not yet, or somebody still holds the rows of its former life.
    const bool later = code == Errc::kBusy || code == Errc::kImpossible || code == Errc::kConflict;
    later ? OnReplicaBusy(disk, key, opened.error()) : OnDiskFailed(disk, opened.error());
  });
}

// ---- the end ----

void Control::HandOver(Duration grace, std::function<void()> done) {
  node_->stopping = true;
  node_->serving = false;
  reporter_.Stop();
  relief_.Stop();
  search_.Stop();
  desk_.Stop();
  FinishStart(Error(Errc::kShuttingDown, "stopped while starting"));
  AwaitHandover(node_->workers[0]->executor().Now() + grace, std::move(done));
}

void Control::Stop(Duration grace, std::function<void()> done) {
  const Instant deadline = node_->workers[0]->executor().Now() + grace;
  HandOver(grace, [this, deadline, done = std::move(done)] {
    AwaitCallers(deadline, [this, done] { CloseWorkers(done); });
  });
}

// Asks every leading replica to hand over, and asks again until none leads or the time is up. A
// shard with one voter has nobody to hand over to and does not count.
void Control::AwaitHandover(Instant deadline, std::function<void()> done) {
  auto leading = std::make_shared<std::atomic<std::size_t>>(0);
  auto missing = std::make_shared<std::size_t>(node_->workers.size());
  for (const auto& worker : node_->workers) {
    worker->executor().Post([this, deadline, done, leading, missing, worker = worker.get()] {
      worker->ForEach([&](ShardHost& host) {
        if (host.replica().role() != consensus::Role::kLeader) return;
        if (host.replica().config().voters.size() < 2) return;
        leading->fetch_add(1);
        SOMETIMES(leadership_given_up_at_the_end);
        host.GiveUpLeadership();
      });
      Executor& control = node_->workers[0]->executor();
      control.Post([this, &control, deadline, done, leading, missing] {
        if (--*missing > 0) return;
        if (*leading != 0 && control.Now() >= deadline) SOMETIMES(leadership_kept_to_the_end);
        if (*leading == 0 || control.Now() >= deadline) return done();
        control.RunAt(control.Now() + kStopPoll,
                      [this, deadline, done] { AwaitHandover(deadline, done); });
      });
    });
  }
}

// Operations of this node's own doors: they end while the replicas are still there.
void Control::AwaitCallers(Instant deadline, std::function<void()> done) {
  auto under_way = std::make_shared<std::atomic<std::size_t>>(0);
  auto missing = std::make_shared<std::size_t>(node_->workers.size());
  for (const auto& worker : node_->workers) {
    worker->executor().Post([this, deadline, done, under_way, missing, worker = worker.get()] {
      under_way->fetch_add(worker->caller().under_way());
      Executor& control = node_->workers[0]->executor();
      control.Post([this, &control, deadline, done, under_way, missing] {
        if (--*missing > 0) return;
        if (*under_way == 0 || control.Now() >= deadline) return done();
        control.RunAt(control.Now() + kStopPoll,
                      [this, deadline, done] { AwaitCallers(deadline, done); });
      });
    });
  }
}

void Control::CloseWorkers(std::function<void()> done) {
  auto missing = std::make_shared<std::size_t>(node_->workers.size());
  for (const auto& worker : node_->workers) {
    worker->executor().Post([this, worker = worker.get(), missing, done] {
      worker->CloseAll();
      node_->workers[0]->executor().Post([missing, done] {
        if (--*missing == 0 && done) done();
      });
    });
  }
}

}  // namespace decree::node
