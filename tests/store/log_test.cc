// The contract of Log (kv/store/log.h), for every kind of disk.
#include "kv/store/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/store/log_files.h"
#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class LogTest : public testing::TestWithParam<DiskKind> {
 protected:
  Log& log() { return disk_->disk().log(); }
  void Append(ReplicaKey key, consensus::Persist record) {
    ASSERT_TRUE(AppendAndWait(log(), key, std::move(record)));
  }
  std::string State(ReplicaKey key) { return DescribeLog(log(), key); }

  std::unique_ptr<TestDisk> disk_ = GetParam().make();
  const ReplicaKey a_ = Key(1, 1);
  const ReplicaKey b_ = Key(2, 1);
};

INSTANTIATE_TEST_SUITE_P(Disks, LogTest, testing::ValuesIn(AllDiskKinds()),
                         [](const auto& param) { return param.param.name; });

TEST_P(LogTest, UnknownReplicaRecoversEmpty) { EXPECT_EQ(State(a_), "p0 w0"); }

TEST_P(LogTest, AcknowledgedRecordsSurviveACrash) {
  Append(a_, PromiseRecord(3));
  Append(a_, VoteRecord(1, 3, "one"));
  Append(b_, VoteRecord(1, 7, "other"));
  Append(a_, ChosenRecord(2, "two"));
  Append(a_, WatermarkRecord(2));
  disk_->Crash();
  EXPECT_EQ(State(a_), "p3 w2 v1@3=one c2=two");
  EXPECT_EQ(State(b_), "p0 w0 v1@7=other");
}

TEST_P(LogTest, Scenario06_OneRecordHoldsPromiseAndVotesTogether) {
  consensus::Persist record = VoteRecord(4, 9, "four");
  record.promised = MakeBallot(9);
  record.votes.push_back(VoteRecord(5, 9, std::string(100'000, 'x')).votes.front());
  record.watermark = Slot{3};
  Append(a_, record);
  disk_->Reopen();
  EXPECT_EQ(State(a_), "p9 w3 v4@9=four v5@9=" + std::string(100'000, 'x'));
}

// The same when the power goes while it is written: a vote without its promise, or one vote of the
// two, would be half an answer. A front part of the record reached the disk, or a back part. (Only
// the files can be torn by hand, so that this is of one kind of disk.)
TEST(LogTest, Scenario06_ARecordTornAtAnyByteIsThereWholeOrNotAtAll) {
  LogFiles files;
  const ReplicaKey key = Key(1, 1);
  auto log = files.Open();
  ASSERT_TRUE(AppendAndWait(*log, key, VoteRecord(3, 2, "three")));
  consensus::Persist record = VoteRecord(4, 9, "four");
  record.promised = MakeBallot(9);
  record.votes.push_back(VoteRecord(5, 9, "five").votes.front());
  ASSERT_TRUE(AppendAndWait(*log, key, std::move(record)));
  files.Crash(log);
  const std::string path = files.Files().front();
  const std::string whole = LogFiles::Read(path);
  std::size_t begin = 0;
  std::size_t end = 0;
  ASSERT_TRUE(ScanSegment(*DecodeSegmentHeader(whole), whole, [&](const LogRecord& last) {
    begin = last.offset;
    end = last.offset + last.bytes;
    return Status();
  }));
  const auto recovered = [&](const std::string& bytes) {
    LogFiles::Write(path, bytes);
    const auto opened = files.TryOpen();
    return opened ? DescribeLog(**opened, key) : "!" + opened.error().ToString();
  };
  const auto at = [](std::string& bytes, std::size_t place) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(place);
  };
  for (std::size_t cut = begin; cut <= end; ++cut) {
    std::string front = whole;
    std::string back = whole;
    std::fill(at(front, cut), at(front, end), '\0');
    std::fill(at(back, begin), at(back, cut), '\0');
    for (const std::string& torn : {front, back}) {
      if (torn == whole) continue;  // what is missing was zero
      EXPECT_EQ(recovered(torn), "p0 w0 v3@2=three") << "torn at byte " << cut - begin;
    }
  }
  EXPECT_EQ(recovered(whole), "p9 w0 v3@2=three v4@9=four v5@9=five");
}

TEST_P(LogTest, ReplayIsOrderFree) {
  Append(a_, PromiseRecord(9));
  Append(a_, PromiseRecord(4));
  Append(a_, VoteRecord(1, 9, "high"));
  Append(a_, VoteRecord(1, 4, "low"));
  Append(a_, ChosenRecord(2, "chosen"));
  Append(a_, VoteRecord(2, 9, "vote"));
  Append(a_, WatermarkRecord(5));
  Append(a_, WatermarkRecord(4));
  disk_->Crash();
  EXPECT_EQ(State(a_), "p9 w5 v1@9=high c2=chosen");
}

TEST_P(LogTest, TrimKeepsPromiseWatermarkAndEverythingAbove) {
  Append(a_, PromiseRecord(3));
  for (std::uint64_t slot = 1; slot <= 5; ++slot) Append(a_, VoteRecord(slot, 3, "v"));
  Append(a_, WatermarkRecord(4));
  log().Trim(a_, Slot{3});
  disk_->Crash();
  const auto recovered = log().Recover(a_);
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->promised, MakeBallot(3));
  EXPECT_EQ(recovered->watermark, Slot{4});
  for (std::uint64_t slot = 4; slot <= 5; ++slot) {
    const auto& votes = recovered->votes;
    EXPECT_TRUE(std::any_of(votes.begin(), votes.end(),
                            [&](const auto& vote) { return vote.slot == Slot{slot}; }));
  }
}

// P9: what the log let go of must be in the rows, or the rows were lost.
TEST_P(LogTest, TheTrimmedSlotIsRemembered) {
  for (std::uint64_t slot = 1; slot <= 5; ++slot) Append(a_, VoteRecord(slot, 3, "v"));
  log().Trim(a_, Slot{3});
  log().Trim(a_, Slot{2});
  log().Trim(b_, Slot{7});  // its rows came as a snapshot: no record of it stands in the log
  Append(a_, VoteRecord(6, 3, "v"));
  EXPECT_EQ(log().Recover(a_)->trimmed, Slot{3});
  disk_->Crash();
  EXPECT_EQ(log().Recover(a_)->trimmed, Slot{3});
  EXPECT_EQ(log().Recover(b_)->trimmed, Slot{7});
  EXPECT_EQ(log().Recover(Key(9, 9))->trimmed, Slot{});
  log().Forget(b_);
  Append(a_, PromiseRecord(4));
  disk_->Reopen();
  EXPECT_EQ(log().Recover(b_)->trimmed, Slot{});
}

TEST_P(LogTest, ForgetLeavesOtherReplicasAlone) {
  Append(a_, VoteRecord(1, 3, "mine"));
  Append(b_, VoteRecord(1, 4, "other"));
  log().Forget(a_);
  Append(b_, PromiseRecord(5));
  disk_->Reopen();
  EXPECT_EQ(State(b_), "p5 w0 v1@4=other");
}

TEST_P(LogTest, ForgetTakesWhatIsStillQueued) {
  log().Append(a_, VoteRecord(1, 3, "late"), [](Status) {});
  log().Forget(a_);
  Append(b_, PromiseRecord(5));
  EXPECT_EQ(log().Replicas(), std::vector{b_});
}

TEST_P(LogTest, ReplicaIdsOfOneShardAreApart) {
  Append(Key(1, 1), VoteRecord(1, 1, "old"));
  Append(Key(1, 2), VoteRecord(1, 2, "new"));
  disk_->Crash();
  EXPECT_EQ(State(Key(1, 1)), "p0 w0 v1@1=old");
  EXPECT_EQ(State(Key(1, 2)), "p0 w0 v1@2=new");
}

TEST_P(LogTest, PlacementGroupIsAReplicaLikeAnyOther) {
  Append({kPlacementShard, ReplicaId{~std::uint64_t{0}}}, PromiseRecord(2));
  disk_->Reopen();
  EXPECT_EQ(State({kPlacementShard, ReplicaId{~std::uint64_t{0}}}), "p2 w0");
}

TEST_P(LogTest, ReportsComeOnceAndInOrderForEachReplica) {
  constexpr int kThreads = 3;
  constexpr int kEach = 200;
  std::mutex mutex;
  std::vector<std::vector<int>> reports(kThreads);
  std::promise<void> all;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        log().Append(Key(static_cast<std::uint32_t>(t), 1),
                     VoteRecord(static_cast<std::uint64_t>(i) + 1, 1, "v"), [&, t, i](Status s) {
                       const std::lock_guard lock(mutex);
                       if (s) reports[static_cast<std::size_t>(t)].push_back(i);
                       if (++count == kThreads * kEach) all.set_value();
                     });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  all.get_future().wait();
  const std::lock_guard lock(mutex);
  for (const auto& order : reports) {
    ASSERT_EQ(order.size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  }
}

TEST_P(LogTest, RecordsQueuedAtACleanCloseAreWrittenAndReported) {
  std::atomic<int> reported{0};
  for (std::uint64_t slot = 1; slot <= 50; ++slot) {
    log().Append(a_, VoteRecord(slot, 1, "v"), [&](Status status) { reported += status ? 1 : 0; });
  }
  disk_->Reopen();
  EXPECT_EQ(reported, 50);
  EXPECT_EQ(log().Recover(a_)->votes.size(), 50u);
}

TEST_P(LogTest, NothingIsPinnedBelowTheGoal) {
  Append(a_, VoteRecord(1, 1, "small"));
  EXPECT_EQ(log().OldestPin(), std::nullopt);
}

}  // namespace
}  // namespace decree::store
