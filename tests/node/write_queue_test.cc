#include "server/node/write_queue.h"

#include <gtest/gtest.h>

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
