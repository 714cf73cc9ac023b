#include "kv/store/log_merge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

TEST(LogMergeTest, AnyOrderOfTheSameRecordsGivesTheSameState) {
  std::vector<consensus::Persist> records = {
      PromiseRecord(3),         VoteRecord(1, 1, "a"), VoteRecord(1, 3, "b"),
      ChosenRecord(2, "known"), VoteRecord(2, 9, "c"), WatermarkRecord(1),
  };
  std::vector<std::size_t> order = {0, 1, 2, 3, 4, 5};
  do {
    LogMerge merged;
    for (const std::size_t i : order) merged.Add(records[i]);
    ASSERT_EQ(Describe(merged.ToRecovered()), "p3 w1 v1@3=b c2=known");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(LogMergeTest, TheSameRecordTwiceIsTheSameAsOnce) {
  LogMerge merged;
  for (int i = 0; i < 2; ++i) merged.Add(VoteRecord(1, 1, "a"));
  EXPECT_EQ(Describe(merged.ToRecovered()), "p0 w0 v1@1=a");
}

TEST(LogMergeTest, BallotsOrderByEpochBeforeRound) {
  consensus::Persist later = VoteRecord(1, 1, "later epoch");
  later.votes.front().ballot.epoch = Epoch{2};
  LogMerge merged;
  merged.Add(later);
  merged.Add(VoteRecord(1, 9, "earlier epoch"));
  EXPECT_EQ(View(merged.ToRecovered().votes.front().decree.payload), "later epoch");
}

TEST(LogMergeTest, TrimDropsSlotsUpToAndWithTheSlot) {
  LogMerge merged;
  for (std::uint64_t slot = 1; slot <= 3; ++slot) merged.Add(VoteRecord(slot, 1, "v"));
  merged.Add(ChosenRecord(4, "c"));
  merged.Add(PromiseRecord(5));
  merged.Trim(Slot{2});
  EXPECT_EQ(Describe(merged.ToRecovered()), "p5 w0 v3@1=v c4=c");
  merged.Trim(Slot{9});
  EXPECT_EQ(Describe(merged.ToRecovered()), "p5 w0");
  merged.Trim(Slot{3});
  EXPECT_EQ(merged.ToRecovered().trimmed, Slot{9}) << "trims never fall";
}

}  // namespace
}  // namespace decree::store
