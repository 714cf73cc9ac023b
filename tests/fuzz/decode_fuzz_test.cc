#include "tests/fuzz/decode_fuzz.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "consensus/messages.h"
#include "consensus/output.h"
#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "kv/base/codec.h"
#include "kv/base/frame.h"
#include "kv/base/random.h"

namespace decree {
namespace {

CommandBatch SomeBatch() {
  Command put{.kind = CommandKind::kPut, .key = "key", .value = "value", .ttl_ms = 30'000};
  put.condition = {.kind = ConditionKind::kVersionIs, .version = 300};
  put.session = {.client = 1u << 30, .sequence = 5, .acked_below = 4};
  return {.time_ms = 1'700'000'000'000, .commands = {put, put}};
}

consensus::Decree SomeDecree() {
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kCommandBatch;
  decree.payload = std::make_shared<const std::string>(Encode(SomeBatch()));
  return decree;
}

// One well-formed input of each kind, as LLVMFuzzerTestOneInput takes them: kind, then bytes.
std::vector<std::string> WellFormedInputs() {
  consensus::Accept accept;
  accept.decrees = {SomeDecree(), SomeDecree()};
  consensus::Envelope envelope;
  envelope.message = accept;
  consensus::Persist persist;
  persist.votes = {{Slot{9}, {}, SomeDecree()}};
  persist.chosen = {{Slot{8}, SomeDecree()}};
  ShardMap map;
  map.shards.resize(4);
  map.shards[2].replicas.resize(3);
  map.nodes = {{NodeId{1}, "127.0.0.1:4740", "127.0.0.1:4780"}};
  std::string frames;
  AppendFrame(frames, 4, "payload");
  AppendFrame(frames, 2, "");
  const RpcRequest request{.method = Method::kWrite, .shard = ShardId{3}, .body = "body"};
  const RpcResponse response{.code = Errc::kNotLeader, .detail = "elsewhere", .body = "body"};
  return {std::string(1, '\0') + frames,
          '\1' + Encode(std::vector{envelope, envelope}),
          '\2' + Encode(persist),
          '\3' + Encode(request),
          '\4' + Encode(response),
          '\5' + Encode(SomeBatch()),
          '\6' + Encode(map),
          '\7' + Encode(Hello{.cluster = ClusterId{77}, .node = NodeId{2}})};
}

void DecodeInput(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

// Flips, cuts, repeats or inserts, as damaged memory and hostile peers do.
std::string Mutated(std::string input, Random& random) {
  for (std::uint64_t changes = random.Between(1, 4); changes > 0 && input.size() > 1; --changes) {
    const std::size_t at = 1 + random.Below(input.size() - 1);
    switch (random.Below(4)) {
      case 0:
        input[at] = static_cast<char>(random.Next());
        break;
      case 1:
        input.resize(at);
        break;
      case 2:
        input.insert(at, input.substr(at / 2, random.Below(16)));
        break;
      default:
        input.insert(at, std::string(random.Between(1, 9), '\xff'));
        break;
    }
  }
  return input;
}

TEST(DecodeFuzzTest, WellFormedInputsAreAccepted) {
  const std::vector<std::string> inputs = WellFormedInputs();
  EXPECT_TRUE(Decode<std::vector<consensus::Envelope>>(inputs[1].substr(1)));
  EXPECT_TRUE(Decode<ShardMap>(inputs[6].substr(1)));
  for (const std::string& input : inputs) EXPECT_NO_THROW(DecodeInput(input));
}

TEST(DecodeFuzzTest, DamagedInputsAreDecodedConsistentlyOrRefused) {
  const std::vector<std::string> inputs = WellFormedInputs();
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    const std::string input = Mutated(inputs[seed % inputs.size()], random);
    EXPECT_NO_THROW(DecodeInput(input)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace decree
