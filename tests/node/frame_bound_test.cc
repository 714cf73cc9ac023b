// No message of a shard that takes everything the limits allow exceeds a frame: one that did would
// be dropped at every try, and the shard would stand still for good.
#include <gtest/gtest.h>

#include "kv/api/limits.h"
#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

// A cas with the largest key, value and expected value.
Command LargestCas(char filler) {
  Command command;
  command.key.assign(kMaxKeyBytes, filler);
  command.value.assign(kMaxValueBytes, filler);
  command.condition = {ConditionKind::kValueIs, 0, std::string(kMaxValueBytes, filler)};
  EXPECT_TRUE(CheckLimits(command));
  return command;
}

class FrameBoundTest : public testing::Test {
 protected:
  FrameBoundTest() {
    cluster_.on_send = [this](const consensus::Envelope& envelope) {
      const std::size_t bytes = Encode(std::vector{envelope}).size();
      std::size_t& largest = largest_[envelope.message.index()];
      largest = std::max(largest, bytes);
    };
    cluster_.OpenVoters(3);
  }

  // As many as the queue takes, all waiting at once.
  void WriteAll() {
    ShardHost* leader = cluster_.AwaitLeader();
    std::size_t answered = 0;
    constexpr std::size_t kWrites = 72;
    for (std::size_t i = 0; i < kWrites; ++i) {
      leader->Write(LargestCas(static_cast<char>('a' + i % 26)),
                    [&answered](const RpcResponse&) { ++answered; });
    }
    EXPECT_TRUE(cluster_.executor().RunUntil([&] { return answered == kWrites; }));
  }
  template <class Message>
  std::size_t Largest() const {
    const auto found = largest_.find(consensus::Message(Message{}).index());
    return found == largest_.end() ? 0 : found->second;
  }
  void ExpectAllFit() const {
    for (const auto& [kind, bytes] : largest_) EXPECT_LE(bytes, kMaxFramePayload) << kind;
  }

  HostCluster cluster_{3};
  std::map<std::size_t, std::size_t> largest_;  // by kind of message
};

TEST_F(FrameBoundTest, AcceptsOfTheLargestCommandsFit) {
  WriteAll();
  EXPECT_GT(Largest<consensus::Accept>(), 2 * kMaxValueBytes);
  ExpectAllFit();
}

TEST_F(FrameBoundTest, WhatALaggingMemberLearnsFits) {
  HostNode& behind = cluster_.node(cluster_.AwaitLeader()->key().replica.value % 3 + 1);
  behind.cut_off = true;
  WriteAll();
  behind.cut_off = false;
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return behind.host->facts().applied == cluster_.Leader()->facts().applied; }));
  EXPECT_GT(Largest<consensus::Learned>(), 2 * kMaxValueBytes);
  ExpectAllFit();
}

TEST_F(FrameBoundTest, PromisesOfTheLargestVotesFit) {
  ShardHost* old = cluster_.AwaitLeader();
  HostNode& cut = cluster_.node(static_cast<std::uint32_t>(old->key().replica.value));
  // Votes that are not chosen: the leader's Accepts leave, and then nothing reaches it any more.
  for (char filler : {'a', 'b', 'c', 'd'})
    old->Write(LargestCas(filler), [](const RpcResponse&) {});
  const std::size_t accepts = Largest<consensus::Accept>();
  ASSERT_TRUE(cluster_.executor().RunUntil(
      [&] { return Largest<consensus::Accept>() > std::max(accepts, 2 * kMaxValueBytes); }));
  cut.deaf = true;
  cluster_.executor().RunFor(1ms);
  cut.cut_off = true;
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.Leader() != nullptr; }));
  EXPECT_GT(Largest<consensus::Promise>(), 2 * kMaxValueBytes);
  ExpectAllFit();
}

}  // namespace
}  // namespace decree::node
