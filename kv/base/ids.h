// Strong identifiers: a ShardId is not a NodeId, and the compiler knows it. Zero is "none" for ids
// that start at one (nodes, replicas, moves); shard numbers start at zero.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>

namespace decree {

template <class Tag, class Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};
  constexpr auto operator<=>(const StrongId&) const = default;
  constexpr explicit operator bool() const { return value != 0; }
  constexpr StrongId Next() const { return StrongId{value + 1}; }
  constexpr StrongId Prev() const { return StrongId{value - 1}; }
};

using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;
using ShardId = StrongId<struct ShardIdTag, std::uint32_t>;
using ReplicaId = StrongId<struct ReplicaIdTag, std::uint64_t>;  // never reused in its shard
using Slot = StrongId<struct SlotTag, std::uint64_t>;            // first decree: slot 1
using Epoch = StrongId<struct EpochTag, std::uint64_t>;          // first membership: epoch 1
using MoveId = StrongId<struct MoveIdTag, std::uint64_t>;
using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;  // of a data directory
using ClusterId = StrongId<struct ClusterIdTag, std::uint64_t>;

// The placement group is a Paxos group like the shards, but not one of the numbered ones.
inline constexpr ShardId kPlacementShard{0xFFFFFFFFu};

// One replica of one shard: the key under which a disk knows it.
struct ReplicaKey {
  ShardId shard;
  ReplicaId replica;
  auto operator<=>(const ReplicaKey&) const = default;
  auto Tie() { return std::tie(shard, replica); }
  auto Tie() const { return std::tie(shard, replica); }
};

template <class Tag, class Rep>
std::string ToString(StrongId<Tag, Rep> id) {
  return std::to_string(id.value);
}
std::string ToString(const ReplicaKey& key);  // "7/3", "placement/1"

}  // namespace decree

template <class Tag, class Rep>
struct std::hash<decree::StrongId<Tag, Rep>> {
  std::size_t operator()(decree::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
