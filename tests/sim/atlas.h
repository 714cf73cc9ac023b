// What faults must not do at the same time, or nothing could be asked of the cluster any more: it
// follows the members of every shard and says whether the data of a machine may be lost for good.
// Damage is a minority of the copies of every shard, and it is repaired before the next.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "consensus/replica.h"
#include "kv/base/ids.h"

namespace decree::sim {

class Atlas {
 public:
  // A replica whose members may have changed.
  void Note(ShardId shard, const consensus::Replica& replica);

  // Nothing of an earlier damage is left, every shard has grown to three voters, and keeps a
  // majority without this node.
  bool MayLose(NodeId node) const;
  void Lost(NodeId node);  // everything that the node holds now
  bool Repaired() const;   // what was lost is no member of anything any more
  // The members that are not dispensable yet. Null: the shard is not known.
  const consensus::Config* Begun(ShardId shard) const;

 private:
  using Copy = std::pair<ShardId, ReplicaId>;
  template <class Visit>
  void ForEachMember(Visit visit) const;

  std::map<ShardId, consensus::Config> newest_;
  // The newest whose EpochStart is chosen: only then are the members before it dispensable
  // (design.md section 4, step 10).
  std::map<ShardId, consensus::Config> begun_;
  std::set<Copy> lost_;
};

}  // namespace decree::sim
