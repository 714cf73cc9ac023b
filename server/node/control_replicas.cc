// Birth and death of replicas on this node, failed disks, and the end of the node.
#include <algorithm>
#include <utility>

#include "kv/base/mark.h"
#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kHandoverPoll = 10ms;

void Answer(const RpcReply& reply, const Status& status) {
  RpcResponse response;
  if (!status) {
    response.code = status.error().code();
    response.detail = status.error().detail();
  }
  reply(std::move(response));
}

}  // namespace

ReplicaId Control::Tombstone(ShardId shard) {
  ReplicaId highest;
  for (Catalog& catalog : catalogs_) {
    Result<ReplicaId> removed = catalog.LoadTombstone(shard);
    if (removed) highest = std::max(highest, *removed);
  }
  return highest;
}

Catalog* Control::CatalogOf(Incarnation disk) {
  for (Catalog& catalog : catalogs_) {
    if (catalog.disk().incarnation() == disk && !DiskFailed(catalog.disk())) return &catalog;
  }
  return nullptr;
}

Catalog* Control::CatalogOf(ReplicaKey key) {
  for (Catalog& catalog : catalogs_) {
    Result<std::vector<ReplicaShell>> shells = catalog.LoadShells();
    if (!shells) continue;
    for (const ReplicaShell& shell : *shells) {
      if (shell.key == key) return &catalog;
    }
  }
  return nullptr;
}

// Seal, step 2: a shell that cannot vote, on the named directory only, never at or below the
// tombstone.
void Control::HandleCreate(const CreateReplica& create, RpcReply&& reply) {
  if (CatalogOf(create.key)) return Answer(reply, {});
  if (create.key.replica <= Tombstone(create.key.shard)) {
    SOMETIMES(create_below_tombstone_refused);
    return Answer(reply, Error(Errc::kImpossible,
                               "replica " + ToString(create.key) + " was removed from this node"));
  }
  Catalog* catalog = CatalogOf(create.disk);
  if (!catalog) {
    return Answer(reply,
                  Error(Errc::kImpossible, "this node has no working disk with that identity"));
  }
  const ReplicaShell shell{create.key, {}, create.move};
  const Status saved = catalog->SaveShell(shell);
  if (!saved) return Answer(reply, saved);
  Worker& worker = node_->WorkerOf(shell.key.shard);
  worker.executor().Post([&worker, disk = &catalog->disk(), shell, reply = std::move(reply)] {
    Answer(reply, worker.OpenReplica(*disk, shell));
  });
}

// Seal, step 12: the tombstone first and durably; then the replica stops and its data goes.
void Control::HandleDestroy(const DestroyReplica& destroy, RpcReply&& reply) {
  Catalog* catalog = CatalogOf(destroy.key);
  Catalog& keeper = catalog ? *catalog : catalogs_.front();
  const Status buried = keeper.SaveTombstone(destroy.key.shard, destroy.key.replica);
  if (!buried || !catalog) return Answer(reply, buried);
  RemoveReplica(*catalog, destroy.key,
                [reply = std::move(reply)](const Status& status) { Answer(reply, status); });
}

void Control::RemoveReplica(Catalog& catalog, ReplicaKey key, Opened done) {
  Worker& worker = node_->WorkerOf(key.shard);
  worker.executor().Post([this, &worker, &catalog, key, done = std::move(done)] {
    worker.CloseReplica(key);
    Executor& control = node_->workers[0]->executor();
    store::Disk& disk = catalog.disk();
    disk.RunInBackground([&catalog, &disk, &control, key, done] {
      const Status removed = disk.RemoveRows(key);
      disk.log().Forget(key);
      control.Post(
          [&catalog, key, removed, done] { done(removed ? catalog.DropShell(key) : removed); });
    });
  });
}

// ---- failed disks ----

// P8: a disk that failed once is out for good. Its replicas fall silent and are replaced elsewhere.
void Control::OnDiskFailed(store::Disk& disk, const Error& error) {
  if (!failed_.insert(&disk).second) return;
  node_->Log(LogLevel::kError,
             "disk " + disk.path() + " failed and is taken out: " + error.ToString());
  for (const auto& worker : node_->workers) {
    worker->executor().Post([worker = worker.get(), &disk] { worker->CloseDisk(disk); });
  }
  if (failed_.size() < node_->disks.size()) return;
  node_->serving = false;
  if (node_->config.on_disks_lost) node_->config.on_disks_lost(error.ToString());
}

// ---- the end ----

void Control::Stop(Duration grace, std::function<void()> done) {
  node_->stopping = true;
  node_->serving = false;
  reporter_.Stop();
  relief_.Stop();
  desk_.Stop();
  const Instant deadline = node_->workers[0]->executor().Now() + grace;
  AwaitHandover(deadline, [this, done = std::move(done)] { CloseWorkers(done); });
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
        host.GiveUpLeadership();
      });
      Executor& control = node_->workers[0]->executor();
      control.Post([this, &control, deadline, done, leading, missing] {
        if (--*missing > 0) return;
        if (*leading == 0 || control.Now() >= deadline) return done();
        control.RunAt(control.Now() + kHandoverPoll,
                      [this, deadline, done] { AwaitHandover(deadline, done); });
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
