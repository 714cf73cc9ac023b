#include "server/node/catalogs.h"

#include <algorithm>

#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::node {
namespace {

Error Removed(ReplicaKey key) {
  SOMETIMES(create_of_a_removed_replica_refused);
  return {Errc::kImpossible, "replica " + ToString(key) + " was removed from this node"};
}

}  // namespace

Catalogs::Catalogs(const std::vector<store::Disk*>& disks) {
  for (store::Disk* disk : disks) all_.emplace_back(*disk);
}

bool Catalogs::TakeOut(const store::Disk& disk) { return failed_.insert(&disk).second; }

std::vector<Catalog*> Catalogs::Working() {
  std::vector<Catalog*> working;
  for (Catalog& catalog : all_) {
    if (!Failed(catalog.disk())) working.push_back(&catalog);
  }
  return working;
}

// ---- replicas ----

// Only a replica that was itself destroyed goes. The tombstone says nothing about replicas that
// live: a target with a higher id may have been destroyed while the source stays (step 13).
Result<std::vector<Resident>> Catalogs::Load(Catalog& catalog) {
  Result<std::vector<ReplicaShell>> shells = catalog.LoadShells();
  if (!shells) return shells.error();
  std::vector<Resident> residents;
  std::set<ReplicaKey> known;
  for (ReplicaShell& shell : *shells) {
    if (!shell.removed) {
      known.insert(shell.key);
      residents.push_back({&catalog, std::move(shell)});
      continue;
    }
    SOMETIMES(removal_finished_at_start);
    Status gone = RemoveData(catalog.disk(), shell.key);
    if (gone) gone = catalog.DropShell(shell.key);
    if (!gone) return gone.error();
  }
  for (const ReplicaKey& key : catalog.disk().log().Replicas()) {
    if (known.count(key)) continue;
    SOMETIMES(forgotten_again_at_start);
    catalog.disk().log().Forget(key);
  }
  return residents;
}

Result<Resident> Catalogs::Create(const ReplicaShell& shell, Incarnation disk, const Admit& admit) {
  const std::vector<Catalog*> working = Working();
  const auto place = std::find_if(working.begin(), working.end(), [&](Catalog* catalog) {
    return catalog->disk().incarnation() == disk;
  });
  if (place == working.end()) {
    return Error(Errc::kImpossible, "this node has no working disk with that identity");
  }
  Result<std::optional<ReplicaShell>> known = (*place)->LoadShell(shell.key);
  if (!known) return known.error();
  if (*known && !(*known)->removed) SOMETIMES(create_of_a_living_replica);
  if (*known && !(*known)->removed) return Resident{*place, std::move(**known)};
  if (*known || shell.key.replica <= Tombstone(shell.key.shard)) return Removed(shell.key);
  if (Status admitted = admit((*place)->disk()); !admitted) {
    SOMETIMES(create_without_room);
    return Error(Errc::kImpossible, admitted.error().detail());
  }
  const Status saved = (*place)->SaveShell(shell);
  if (!saved) return saved.error();
  return Resident{*place, shell};
}

Result<Catalog*> Catalogs::Bury(ReplicaKey key) {
  Catalog* home = nullptr;
  const std::vector<Catalog*> working = Working();
  for (Catalog* catalog : working) {
    Result<std::optional<ReplicaShell>> shell = catalog->LoadShell(key);
    if (!shell) return shell.error();
    if (!*shell) continue;
    home = catalog;
    (*shell)->removed = true;
    const Status marked = catalog->SaveShell(**shell);
    if (!marked) return marked.error();
  }
  Status noted = Error(Errc::kIo, "no disk of this node works");
  for (Catalog* catalog : working) {
    if (DECREE_BUG_TOMBSTONE_FORGOTTEN) return home;
    noted = catalog->SaveTombstone(key.shard, key.replica);
    if (noted) return home;
  }
  return noted.error();
}

Status Catalogs::RemoveData(store::Disk& disk, ReplicaKey key) {
  const Status removed = disk.RemoveRows(key);
  if (removed) disk.log().Forget(key);
  return removed;
}

ReplicaId Catalogs::Tombstone(ShardId shard) {
  ReplicaId highest;
  for (Catalog* catalog : Working()) {
    const Result<ReplicaId> removed = catalog->LoadTombstone(shard);
    if (removed) highest = std::max(highest, *removed);
  }
  return highest;
}

}  // namespace decree::node
