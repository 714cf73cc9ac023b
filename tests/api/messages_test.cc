// Every struct that travels or is stored: random values round-trip, hostile bytes are refused
// without a crash and without taking much more memory than they have bytes.
#include "consensus/messages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "consensus/output.h"
#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "kv/base/codec.h"
#include "kv/base/random.h"
#include "kv/store/state_machine.h"
#include "rebalance/move.h"
#include "rebalance/placement.h"
#include "server/node/node_rpc.h"

namespace {
std::size_t allocated_bytes = 0;
}  // namespace

// Sanitizers bring operators of their own, and limits to one allocation.
#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
// NOLINTBEGIN: the global operators, to count what decoding takes.
void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND
#endif

namespace decree {
namespace {

// Fills a value of any encodable type.
template <class T>
void Randomize(Random& random, T& value);

template <class V, std::size_t I = 0>
void RandomizeVariant(Random& random, V& value, std::size_t index) {
  if constexpr (I < std::variant_size_v<V>) {
    if (index == I) return Randomize(random, value.template emplace<I>());
    RandomizeVariant<V, I + 1>(random, value, index);
  }
}

std::uint64_t RandomNumber(Random& random) { return random.Next() >> random.Below(64); }

std::string RandomText(Random& random) {
  std::string text;
  for (std::uint64_t left = random.Below(12); left > 0; --left)
    text.push_back(static_cast<char>(random.Next()));
  return text;
}

template <class T>
void RandomizeItems(Random& random, T& value) {
  for (std::uint64_t left = random.Below(4); left > 0; --left) {
    if constexpr (codec_detail::IsVector<T>::value) {
      Randomize(random, value.emplace_back());
    } else {
      std::pair<typename T::key_type, typename T::mapped_type> item;
      Randomize(random, item);
      value.insert(std::move(item));
    }
  }
}

template <class T>
void Randomize(Random& random, T& value) {
  using namespace codec_detail;
  if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(random.Below(static_cast<std::uint64_t>(kEnumMax<T>) + 1));
  } else if constexpr (std::is_same_v<T, bool>) {
    value = random.Chance(0.5);
  } else if constexpr (std::is_same_v<T, double>) {
    value = static_cast<double>(RandomNumber(random)) / 8;
  } else if constexpr (std::is_integral_v<T>) {
    value = static_cast<T>(RandomNumber(random));
  } else if constexpr (IsStrongId<T>::value) {
    Randomize(random, value.value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = RandomText(random);
  } else if constexpr (std::is_same_v<T, Blob>) {
    value = std::make_shared<const std::string>(RandomText(random));
  } else if constexpr (IsOptional<T>::value) {
    if (random.Chance(0.5)) Randomize(random, value.emplace());
  } else if constexpr (IsPair<T>::value) {
    Randomize(random, value.first);
    Randomize(random, value.second);
  } else if constexpr (IsVector<T>::value || IsMap<T>::value) {
    RandomizeItems(random, value);
  } else if constexpr (IsVariant<T>::value) {
    RandomizeVariant(random, value, random.Below(std::variant_size_v<T>));
  } else {
    std::apply([&random](auto&... field) { (Randomize(random, field), ...); }, value.Tie());
  }
}

template <class T>
std::string RandomBytesOf(Random& random) {
  T value{};
  Randomize(random, value);
  return Encode(value);
}

// Cuts, flips, inserts and overwrites.
std::string Mutate(Random& random, std::string bytes) {
  for (std::uint64_t left = 1 + random.Below(3); left > 0; --left) {
    const std::size_t at = random.Below(bytes.size() + 1);
    const auto byte = static_cast<char>(random.Next());
    switch (random.Below(5)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, 1, byte);
        break;
      case 2:
        bytes.insert(at, random.Below(10), '\xff');  // a huge varint
        break;
      case 3:
        if (at < bytes.size()) bytes[at] = byte;
        break;
      default:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
    }
  }
  return bytes;
}

template <class T>
class MessagesTest : public testing::Test {};

using Messages = testing::Types<
    // kv/api
    Command, CommandBatch, CommandResult, ReadRequest, ReadResult, ScanRequest, ScanResult,
    RpcRequest, RpcResponse, AdminRequest, AdminResponse, Hello, ShardMap,
    // consensus
    consensus::Envelope, std::vector<consensus::Envelope>, consensus::Persist, consensus::Config,
    consensus::Promise, consensus::Accept, consensus::Learned, consensus::Sealed,
    // rows
    store::MachineFacts, rebalance::PlacementCommand, rebalance::NodeRecord, rebalance::ShardRecord,
    rebalance::MoveRecord, rebalance::DecreeRecord, rebalance::Settings, rebalance::ReplicaStatus,
    // between nodes
    node::JoinRequest, node::JoinAnswer, node::NodeReport, node::ReportAnswer, node::CreateReplica,
    node::DestroyReplica, node::StatusRequest, node::ChangeMembers, node::SnapshotOpen,
    node::SnapshotInfo, node::SnapshotRead, node::SnapshotClose>;
TYPED_TEST_SUITE(MessagesTest, Messages);

TYPED_TEST(MessagesTest, RoundTrips) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const std::string bytes = RandomBytesOf<TypeParam>(random);
    const auto decoded = Decode<TypeParam>(bytes);
    ASSERT_TRUE(decoded) << "seed " << seed;
    ASSERT_EQ(Encode(*decoded), bytes) << "seed " << seed;
  }
}

TYPED_TEST(MessagesTest, EveryTruncationIsRefused) {
  Random random(1);
  const std::string bytes = RandomBytesOf<TypeParam>(random);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(Decode<TypeParam>(std::string_view(bytes).substr(0, size))) << size;
  }
}

TYPED_TEST(MessagesTest, HostileBytesAreRefusedOrMeanSomethingAndTakeLittleMemory) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Random random(seed);
    const std::string bytes = Mutate(random, RandomBytesOf<TypeParam>(random));
    const std::size_t before = allocated_bytes;
    const auto decoded = Decode<TypeParam>(bytes);
    ASSERT_LE(allocated_bytes - before, 4096 + 512 * bytes.size()) << "seed " << seed;
    if (!decoded) continue;
    const std::string again = Encode(*decoded);
    const auto twice = Decode<TypeParam>(again);
    ASSERT_TRUE(twice) << "seed " << seed;
    ASSERT_EQ(Encode(*twice), again) << "seed " << seed;
  }
}

TYPED_TEST(MessagesTest, RandomBytesAreHarmless) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    std::string bytes;
    for (std::uint64_t left = random.Below(80); left > 0; --left)
      bytes.push_back(static_cast<char>(random.Next() >> random.Below(8)));
    const std::size_t before = allocated_bytes;
    (void)Decode<TypeParam>(bytes);
    ASSERT_LE(allocated_bytes - before, 4096 + 512 * bytes.size()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace decree
