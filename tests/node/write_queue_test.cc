#include "server/node/write_queue.h"

#include <gtest/gtest.h>

#include "kv/api/limits.h"

namespace decree::node {
namespace {

Command Put(std::string key, std::size_t bytes = 1) {
  Command command;
  command.key = std::move(key);
  command.value.assign(bytes, 'v');
  return command;
}

struct Replies {
  std::vector<RpcResponse> answers;
  RpcReply Next() {
    return [this](RpcResponse response) { answers.push_back(std::move(response)); };
  }
};

store::AppliedSlot Applied(Slot slot, std::size_t results) {
  store::AppliedSlot applied{slot, {}, false};
  for (std::size_t i = 0; i < results; ++i) {
    applied.results.push_back({Errc::kOk, i + 1, true, 0, {}});
  }
  return applied;
}

TEST(WriteQueueTest, AnswersEachWriteOfABatchInOrder) {
  WriteQueue queue;
  Replies replies;
  ASSERT_TRUE(queue.Push(Put("a"), replies.Next()));
  ASSERT_TRUE(queue.Push(Put("b"), replies.Next()));
  EXPECT_EQ(queue.TakeBatch().size(), 2u);
  const Blob payload = std::make_shared<const std::string>("batch");
  queue.Opened(Slot{5}, payload);
  queue.Settle(Slot{5}, payload, Applied(Slot{5}, 2), RpcResponse{});
  ASSERT_EQ(replies.answers.size(), 2u);
  EXPECT_EQ(Decode<CommandResult>(replies.answers[0].body)->version, 1u);
  EXPECT_EQ(Decode<CommandResult>(replies.answers[1].body)->version, 2u);
}

TEST(WriteQueueTest, AnotherValueInOurSlotLeavesTheOutcomeUnknown) {
  WriteQueue queue;
  Replies replies;
  queue.Push(Put("a"), replies.Next());
  queue.TakeBatch();
  queue.Opened(Slot{5}, std::make_shared<const std::string>("ours"));
  queue.Settle(Slot{5}, std::make_shared<const std::string>("theirs"), Applied(Slot{5}, 1),
               RpcResponse{});
  ASSERT_EQ(replies.answers.size(), 1u);
  EXPECT_EQ(replies.answers[0].code, Errc::kOutcomeUnknown);
}

TEST(WriteQueueTest, RefusedBatchKeepsItsPlaceInLine) {
  WriteQueue queue;
  Replies replies;
  queue.Push(Put("a"), replies.Next());
  queue.Push(Put("b"), replies.Next());
  queue.PutBack(queue.TakeBatch());
  queue.Push(Put("c"), replies.Next());
  const std::vector<Command> batch = queue.TakeBatch();
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].key, "a");
  EXPECT_EQ(batch[2].key, "c");
}

TEST(WriteQueueTest, BoundsABatchByBytes) {
  WriteQueue queue;
  Replies replies;
  for (int i = 0; i < 4; ++i) queue.Push(Put("k", 400'000), replies.Next());
  EXPECT_EQ(queue.TakeBatch().size(), 2u);
}

// What a condition compares with travels through the log like the value.
TEST(WriteQueueTest, CountsTheExpectedValueOfACas) {
  WriteQueue queue;
  Replies replies;
  const auto cas = [] {
    Command command = Put("k");
    command.condition = {ConditionKind::kValueIs, 0, std::string(kMaxValueBytes, 'e')};
    return command;
  };
  std::size_t taken = 0;
  while (queue.Push(cas(), replies.Next())) ++taken;
  EXPECT_LE(taken * kMaxValueBytes, WriteQueue::kMaxWaitingBytes);
  queue.PutBack(queue.TakeBatch());
  EXPECT_FALSE(queue.Push(cas(), replies.Next())) << "what was put back counts again";
  EXPECT_EQ(queue.TakeBatch().size(), 1u);
}

TEST(WriteQueueTest, NoBatchIsLargerThanItsBoundOrItsOnlyCommand) {
  const std::size_t sizes[] = {0, 1, 1000, 100'000, 500'000, kMaxValueBytes};
  WriteQueue queue;
  Replies replies;
  for (int i = 0; i < 60; ++i) {
    Command command = Put(std::string(kMaxKeyBytes, 'k'), sizes[i % 6]);
    command.condition.value.assign(sizes[i / 6 % 6], 'e');
    command.session = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    command.condition.version = command.ttl_ms = UINT64_MAX;
    ASSERT_LE(Encode(command).size(), SizeBound(command));
    ASSERT_LE(SizeBound(command), kMaxCommandBytes);
    queue.Push(std::move(command), replies.Next());
  }
  while (queue.HasWaiting()) {
    const CommandBatch batch{UINT64_MAX, queue.TakeBatch()};
    const std::size_t most =
        batch.commands.size() == 1 ? kMaxCommandBytes : WriteQueue::kMaxBatchBytes;
    EXPECT_LE(Encode(batch).size(), most + 16);
    queue.Opened(Slot{1}, nullptr);
  }
}

TEST(WriteQueueTest, RefusesWhatDoesNotFitAndLosesNothing) {
  WriteQueue queue;
  Replies replies;
  std::size_t taken = 0;
  while (queue.Push(Put("k", 1'000'000), replies.Next())) ++taken;
  EXPECT_LE(taken * 1'000'000, WriteQueue::kMaxWaitingBytes);
  EXPECT_GE((taken + 1) * 1'000'100, WriteQueue::kMaxWaitingBytes);
  RpcResponse answer;
  answer.code = Errc::kNotLeader;
  queue.FailWaiting(answer);
  EXPECT_EQ(replies.answers.size(), taken);
  EXPECT_TRUE(queue.Push(Put("k", 1'000'000), replies.Next()));
}

TEST(WriteQueueTest, LostLeadershipLeavesOpenBatchesUnknown) {
  WriteQueue queue;
  Replies replies;
  queue.Push(Put("a"), replies.Next());
  queue.TakeBatch();
  queue.Opened(Slot{5}, nullptr);
  RpcResponse unknown;
  unknown.code = Errc::kOutcomeUnknown;
  queue.FailOpen(unknown);
  ASSERT_EQ(replies.answers.size(), 1u);
  EXPECT_EQ(replies.answers[0].code, Errc::kOutcomeUnknown);
}

}  // namespace
}  // namespace decree::node
