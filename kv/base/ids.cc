#include "kv/base/ids.h"

namespace decree {

std::string ToString(const ReplicaKey& key) {
  const std::string shard = key.shard == kPlacementShard ? "placement" : ToString(key.shard);
  return shard + "/" + ToString(key.replica);
}

}  // namespace decree
