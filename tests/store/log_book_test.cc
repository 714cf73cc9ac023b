#include "kv/store/log_book.h"

#include <gtest/gtest.h>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class LogBookTest : public testing::Test {
 protected:
  LogBookTest() {
    for (std::uint64_t segment = 1; segment <= 3; ++segment) book_.AddSegment(segment);
  }
  void Add(ReplicaKey key, std::uint64_t segment, const consensus::Persist& record) {
    book_.Add(key, {segment, 64, 100}, record);
  }
  std::size_t States(std::uint64_t segment) const { return book_.States(segment).size(); }

  LogBook book_;
  const ReplicaKey a_ = Key(1, 1);
  const ReplicaKey b_ = Key(2, 1);
};

TEST_F(LogBookTest, VotesAreLiveUntilTrimmed) {
  Add(a_, 1, VoteRecord(5, 1, "v"));
  Add(b_, 1, ChosenRecord(9, "v"));
  Add(b_, 1, ChosenRecord(10, "v"));
  EXPECT_EQ(book_.LiveBytes(1), 300u);
  EXPECT_EQ(book_.LargestShare(1), b_);
  book_.Trim(b_, Slot{9}, 1);
  EXPECT_TRUE(book_.NeedsSlots(1, b_));
  book_.Trim(b_, Slot{10}, 1);
  EXPECT_FALSE(book_.NeedsSlots(1, b_));
  EXPECT_EQ(book_.LargestShare(1), a_);
  book_.Trim(b_, Slot{3}, 1);
  EXPECT_EQ(book_.TrimmedTo(b_), Slot{10}) << "trims never fall";
  book_.Trim(a_, Slot{5}, 1);
  EXPECT_EQ(book_.LiveBytes(1), 0u);
  EXPECT_EQ(book_.LargestShare(1), std::nullopt);
}

TEST_F(LogBookTest, TheNewestCopyOfAPromiseIsTheOneThatCounts) {
  Add(a_, 1, PromiseRecord(3));
  EXPECT_EQ(States(1), 1u);
  Add(a_, 2, PromiseRecord(2));  // lower: says nothing
  EXPECT_EQ(States(1), 1u);
  Add(a_, 2, PromiseRecord(3));  // the same again: the copy in segment 1 is superfluous
  EXPECT_EQ(States(1), 0u);
  EXPECT_EQ(book_.States(2).front().record.promised, MakeBallot(3));
  Add(a_, 3, WatermarkRecord(7));
  EXPECT_EQ(States(2), 1u) << "the promise stays where it is";
  EXPECT_EQ(book_.States(3).front().record.watermark, Slot{7});
}

TEST_F(LogBookTest, TheNewestCopyOfATrimIsTheOneThatCounts) {
  Add(a_, 1, VoteRecord(5, 1, "v"));
  book_.Trim(a_, Slot{5}, 2);
  EXPECT_EQ(States(1), 0u);
  EXPECT_EQ(States(2), 1u);
  EXPECT_EQ(book_.States(2).front().trimmed, Slot{5});
  book_.Trim(a_, Slot{4}, 3);  // lower: says nothing
  EXPECT_EQ(States(2), 1u);
  book_.Trim(a_, Slot{5}, 3);  // the same again, written forward
  EXPECT_EQ(States(2), 0u);
  EXPECT_EQ(States(3), 1u);
}

TEST_F(LogBookTest, AForgottenReplicaNeedsNothing) {
  Add(a_, 1, PromiseRecord(3));
  Add(a_, 2, VoteRecord(1, 3, "v"));
  book_.Forget(a_);
  EXPECT_EQ(States(1), 0u);
  EXPECT_EQ(book_.LiveBytes(2), 0u);
  EXPECT_TRUE(book_.Replicas().empty());
  EXPECT_EQ(book_.PlacesOf(a_), nullptr);
}

TEST_F(LogBookTest, PlacesLastFromRecoveryToTheFirstAppend) {
  Add(a_, 1, PromiseRecord(3));
  Add(a_, 2, VoteRecord(1, 3, "v"));
  book_.EndRecovery();
  ASSERT_NE(book_.PlacesOf(a_), nullptr);
  EXPECT_EQ(book_.PlacesOf(a_)->size(), 2u);
  book_.Drop(1);
  EXPECT_EQ(book_.PlacesOf(a_)->size(), 1u);
  book_.ForgetPlaces(a_);
  EXPECT_EQ(book_.PlacesOf(a_), nullptr);
  Add(b_, 2, PromiseRecord(1));
  EXPECT_EQ(book_.PlacesOf(b_), nullptr) << "new in this life";
  EXPECT_EQ(book_.SegmentsOf(a_), std::vector<std::uint64_t>{2});
}

}  // namespace
}  // namespace decree::store
