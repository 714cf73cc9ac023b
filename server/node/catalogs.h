// The disks of a node and what they remember together: which replicas live here, which must never
// come back. A disk that failed is out for good: nothing is read from it or written to it any more
// (P8). Worker 0 only.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/node/catalog.h"

namespace decree::node {

struct Resident {
  Catalog* catalog = nullptr;
  ReplicaShell shell;
};

class Catalogs {
 public:
  explicit Catalogs(const std::vector<store::Disk*>& disks);

  bool TakeOut(const store::Disk& disk);  // false: it was out already
  bool Failed(const store::Disk& disk) const { return failed_.count(&disk) > 0; }
  bool AllWork() const { return failed_.empty(); }
  std::vector<Catalog*> Working();

  // ---- replicas ----
  // All that live on this disk. A removal that a crash cut off is finished first, and the log
  // forgets whoever is no replica of the disk any more (store/log.h).
  static Result<std::vector<Resident>> Load(Catalog& catalog);
  // Seal, step 2: the shell of a new replica on the named disk; one that lives there already is
  // fine. kImpossible: removed from this node before, there is no such working disk, or it does not
  // admit a new one.
  using Admit = std::function<Status(const store::Disk&)>;
  Result<Resident> Create(const ReplicaShell& shell, Incarnation disk, const Admit& admit);
  // Seal, step 12: the replica never comes back. Durable when this returns; then its host is closed
  // and Remove called at the place that is named. Null: it has no shell here.
  Result<Catalog*> Bury(ReplicaKey key);
  // The rows and log records of a buried replica; may take as long as the disk. Any thread, while
  // no host has them open. DropShell follows it.
  static Status RemoveData(store::Disk& disk, ReplicaKey key);
  // The highest replica id of the shard that was ever removed from this node.
  ReplicaId Tombstone(ShardId shard);

 private:
  std::vector<Catalog> all_;
  std::set<const store::Disk*> failed_;
};

}  // namespace decree::node
