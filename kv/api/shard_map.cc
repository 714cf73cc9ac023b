#include "kv/api/shard_map.h"

#include <algorithm>
#include <bit>

#include "kv/base/check.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

// Bits of the hash below the shard number. One shard has no bits of its own: the number is 0 (a
// shift by 64 would be undefined).
int LowBits(std::uint32_t count) {
  DECREE_CHECK(std::has_single_bit(count));
  return 64 - std::countr_zero(count);
}

}  // namespace

const ShardEntry* ShardMap::Find(ShardId shard) const {
  if (shard == kPlacementShard) return &placement;
  return shard.value < shards.size() ? &shards[shard.value] : nullptr;
}

const NodeAddress* ShardMap::Address(NodeId node) const {
  const auto at =
      std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.node == node; });
  return at == nodes.end() ? nullptr : &*at;
}

std::string_view HashedPart(std::string_view key) {
  for (std::size_t open = key.find('{'); open != key.npos; open = key.find('{', open + 1)) {
    const std::size_t close = key.find('}', open + 1);
    if (close == key.npos) break;
    if (close > open + 1) return key.substr(open + 1, close - open - 1);
  }
  return key;
}

ShardId ShardOf(std::string_view key, std::uint32_t count) {
  const int low = LowBits(count);
  if (low == 64) return ShardId{0};
  return ShardId{static_cast<std::uint32_t>(Hash64(HashedPart(key)) >> low)};
}

std::uint64_t HashStart(ShardId shard, std::uint32_t count) {
  const int low = LowBits(count);
  return low == 64 ? 0 : static_cast<std::uint64_t>(shard.value) << low;
}

std::uint64_t HashEnd(ShardId shard, std::uint32_t count) {
  const int low = LowBits(count);
  return low == 64 ? UINT64_MAX : HashStart(shard, count) | ((std::uint64_t{1} << low) - 1);
}

}  // namespace decree
