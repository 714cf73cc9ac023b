// What only the log in files has: segments, recycling, failures of the system, and a model to
// compare with over random histories.
#include <errno.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/base/scale.h"
#include "tests/store/log_files.h"

namespace decree::store {
namespace {

class FileLogTest : public testing::Test {
 protected:
  void Vote(FileLog& log, ReplicaKey key, std::uint64_t slot, std::size_t bytes = 1000) {
    ASSERT_TRUE(AppendAndWait(log, key, VoteRecord(slot, 1, std::string(bytes, 'v'))));
  }

  LogFiles files_;
  const ReplicaKey hot_ = Key(1, 1);
  const ReplicaKey cold_ = Key(2, 1);
};

TEST_F(FileLogTest, TrimmedSegmentsAreRecycledAndTheDirectoryStaysSmall) {
  auto log = files_.Open();
  for (std::uint64_t slot = 1; slot <= 400; ++slot) {
    Vote(*log, hot_, slot);
    log->Trim(hot_, Slot{slot});
  }
  EXPECT_LE(log->live_segments(), 4u);
  EXPECT_LE(files_.Files().size(), 8u);
  files_.Crash(log);
  log = files_.Open();
  const auto recovered = log->Recover(hot_);
  ASSERT_TRUE(recovered);
  EXPECT_LT(recovered->votes.size(), 60u) << "replay is bounded";
  EXPECT_EQ(recovered->votes.back().slot, Slot{400});
}

TEST_F(FileLogTest, AColdShardNeverBlocksRecyclingAndLosesNothing) {
  auto log = files_.Open();
  ASSERT_TRUE(AppendAndWait(*log, cold_, PromiseRecord(5)));
  ASSERT_TRUE(AppendAndWait(*log, cold_, VoteRecord(7, 5, "cold")));
  ASSERT_TRUE(AppendAndWait(*log, cold_, ChosenRecord(8, "known")));
  ASSERT_TRUE(AppendAndWait(*log, cold_, WatermarkRecord(6)));
  const std::string before = "p5 w6 v7@5=cold c8=known";
  for (std::uint64_t slot = 1; slot <= 600; ++slot) {
    Vote(*log, hot_, slot);
    log->Trim(hot_, Slot{slot});
    if (slot % 150 != 0) continue;
    EXPECT_LE(log->live_segments(), 9u);
    files_.Crash(log);
    log = files_.Open();
    EXPECT_EQ(DescribeLog(*log, cold_), before) << "after " << slot;
  }
  ASSERT_TRUE(AppendAndWait(*log, cold_, PromiseRecord(6)));
  EXPECT_EQ(DescribeLog(*log, cold_), "p6 w6 v7@5=cold c8=known") << "also later in its life";
}

// P9: the segment with the trim goes, the knowledge that rows must hold those slots stays.
TEST_F(FileLogTest, TheTrimOfAColdShardOutlivesItsSegment) {
  auto log = files_.Open();
  for (std::uint64_t slot = 1; slot <= 9; ++slot) Vote(*log, cold_, slot);
  log->Trim(cold_, Slot{9});
  for (std::uint64_t slot = 1; slot <= 400; ++slot) {
    Vote(*log, hot_, slot);
    log->Trim(hot_, Slot{slot});
    if (slot % 100 != 0) continue;
    files_.Crash(log);
    log = files_.Open();
    const auto recovered = log->Recover(cold_);
    ASSERT_TRUE(recovered);
    EXPECT_EQ(recovered->trimmed, Slot{9}) << "after " << slot;
  }
  EXPECT_LE(log->live_segments(), 5u) << "and nothing is pinned by it";
}

TEST_F(FileLogTest, ARecycledSegmentNeverReplaysItsOldLife) {
  {
    auto log = files_.Open();
    for (std::uint64_t slot = 1; slot <= 100; ++slot) {
      Vote(*log, hot_, slot);
      log->Trim(hot_, Slot{slot});
    }
    log->Forget(hot_);
    for (std::uint64_t slot = 1; slot <= 20; ++slot) Vote(*log, cold_, slot);
    log->Trim(cold_, Slot{20});
    Vote(*log, cold_, 21);
    files_.Crash(log);
  }
  // The files are full of old records of the hot replica, behind the end of the newest one too.
  EXPECT_EQ(DescribeLog(*files_.Open(), hot_), "p0 w0");
}

TEST_F(FileLogTest, ForgottenReplicasDoNotLeakAcrossRestarts) {
  auto log = files_.Open();
  for (std::uint64_t replica = 1; replica <= 20; ++replica) Vote(*log, Key(9, replica), 1, 200);
  for (std::uint64_t replica = 1; replica <= 20; ++replica) log->Forget(Key(9, replica));
  Vote(*log, hot_, 1);
  files_.Crash(log);
  log = files_.Open();
  EXPECT_EQ(log->Replicas(), std::vector<ReplicaKey>{hot_});
  EXPECT_EQ(DescribeLog(*log, Key(9, 3)), "p0 w0");
}

TEST_F(FileLogTest, TheOwnerOfTheOldestVotesIsThePinAboveTheGoal) {
  auto log = files_.Open();
  for (std::uint64_t slot = 1; slot <= 14; ++slot) Vote(*log, cold_, slot);
  std::uint64_t slot = 1;
  for (; log->live_segments() <= 8; ++slot) {
    EXPECT_EQ(log->OldestPin(), std::nullopt);
    Vote(*log, hot_, slot);
  }
  EXPECT_EQ(log->OldestPin(), cold_);
  log->Trim(cold_, Slot{14});
  Vote(*log, hot_, slot);
  Vote(*log, hot_, slot + 1);  // the writer recycles between two batches
  EXPECT_EQ(log->OldestPin(), std::nullopt) << "the trim freed the oldest segment";
}

TEST_F(FileLogTest, ARecordLargerThanASegmentGetsOneOfItsOwn) {
  const std::string large(100'000, 'L');
  auto log = files_.Open();
  Vote(*log, hot_, 1, 10);
  ASSERT_TRUE(AppendAndWait(*log, hot_, VoteRecord(2, 1, large)));
  Vote(*log, hot_, 3, 10);
  files_.Crash(log);
  log = files_.Open();
  EXPECT_EQ(DescribeLog(*log, hot_), "p0 w0 v1@1=vvvvvvvvvv v2@1=" + large + " v3@1=vvvvvvvvvv");
  log->Trim(hot_, Slot{3});
  for (std::uint64_t slot = 4; slot <= 200; ++slot) {
    Vote(*log, hot_, slot);
    log->Trim(hot_, Slot{slot});
  }
  EXPECT_LE(files_.Files().size(), 8u);
}

TEST_F(FileLogTest, RecordsFillSegmentsToTheLastByte) {
  for (std::size_t bytes = 900; bytes < 960; bytes += 2) {
    LogFiles files(4096, 1 << 20);
    auto log = files.Open();
    for (std::uint64_t slot = 1; slot <= 13; ++slot) Vote(*log, hot_, slot, bytes);
    files.Crash(log);
    EXPECT_EQ(files.Open()->Recover(hot_)->votes.size(), 13u) << bytes;
  }
}

TEST_F(FileLogTest, Scenario17_AFailedSyncFailsItsBatchAndEverythingAfterForGood) {
  std::atomic<bool> failing{false};
  std::atomic<int> syncs{0};
  files_.SetHook([&](FileOp op, const std::string&) {
    if (op != FileOp::kSync || !failing) return 0;
    return ++syncs == 1 ? EIO : 0;  // fails once: a retry would succeed, and must not happen
  });
  auto log = files_.Open();
  Vote(*log, hot_, 1);
  failing = true;
  const Status failed = AppendAndWait(*log, hot_, VoteRecord(2, 1, "lost"));
  EXPECT_EQ(failed.error(), Errc::kIo);
  EXPECT_NE(failed.error().detail().find(files_.options().directory), std::string::npos);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(AppendAndWait(*log, cold_, PromiseRecord(1)).error(), Errc::kIo);
  }
  log.reset();
  EXPECT_EQ(syncs, 1);
}

TEST_F(FileLogTest, EveryFailingCallAtARollFailsForGoodAndKeepsWhatWasAcknowledged) {
  for (const FileOp op : {FileOp::kOpen, FileOp::kAllocate, FileOp::kWrite, FileOp::kSync,
                          FileOp::kRename, FileOp::kSyncDirectory}) {
    LogFiles files;
    std::atomic<bool> failing{false};
    files.SetHook(
        [&](FileOp called, const std::string&) { return failing && called == op ? EIO : 0; });
    auto log = files.Open();
    std::uint64_t acknowledged = 0;
    for (std::uint64_t slot = 1; slot <= 40; ++slot) {
      failing = slot > 10;
      if (!AppendAndWait(*log, hot_, VoteRecord(slot, 1, std::string(1000, 'v')))) break;
      acknowledged = slot;
    }
    ASSERT_LT(acknowledged, 40u);
    failing = false;
    EXPECT_EQ(AppendAndWait(*log, cold_, PromiseRecord(1)).error(), Errc::kIo);
    files.Crash(log);
    files.SetHook(nullptr);
    EXPECT_GE(files.Open()->Recover(hot_)->votes.size(), acknowledged);
  }
}

TEST_F(FileLogTest, Scenario20_AFullDiskIsSaidSoAndNothingAcknowledgedIsLost) {
  std::atomic<bool> full{false};
  files_.SetHook(
      [&](FileOp op, const std::string&) { return full && op == FileOp::kAllocate ? ENOSPC : 0; });
  auto log = files_.Open();
  full = true;
  std::uint64_t slot = 0;
  Status status;
  while (status) {
    ++slot;
    status = AppendAndWait(*log, hot_, VoteRecord(slot, 1, std::string(1000, 'v')));
  }
  EXPECT_EQ(status.error(), Errc::kNoSpace);
  EXPECT_GT(slot, 10u);
  full = false;
  EXPECT_EQ(AppendAndWait(*log, hot_, PromiseRecord(9)).error(), Errc::kNoSpace);
  log.reset();
  EXPECT_EQ(files_.Open()->Recover(hot_)->votes.size(), slot - 1);
}

TEST_F(FileLogTest, TooManyOpenFilesHoldTheLogUpAndDoNotEndIt) {
  std::atomic<int> refused{0};
  files_.SetHook([&](FileOp op, const std::string&) {
    return op == FileOp::kOpen && refused > 0 ? (--refused, EMFILE) : 0;
  });
  auto log = files_.Open();
  for (std::uint64_t slot = 1; slot <= 60; ++slot) {
    refused = 3;  // to begin a segment takes two
    Vote(*log, hot_, slot);
    log->Trim(hot_, Slot{slot});
  }
  files_.Crash(log);
  refused = 0;
  EXPECT_EQ(files_.Open()->Recover(hot_)->votes.back().slot, Slot{60});
}

TEST_F(FileLogTest, ALogThatWaitsForOpenFilesCanBeClosed) {
  std::atomic<bool> none{false};
  files_.SetHook(
      [&](FileOp op, const std::string&) { return op == FileOp::kOpen && none ? EMFILE : 0; });
  auto log = files_.Open();
  Vote(*log, hot_, 1);
  none = true;
  std::promise<Status> last;
  for (std::uint64_t slot = 2; slot <= 30; ++slot) {
    log->Append(hot_, VoteRecord(slot, 1, std::string(1000, 'v')), [&, slot](Status status) {
      if (slot == 30) last.set_value(std::move(status));
    });
  }
  log.reset();
  EXPECT_EQ(last.get_future().get().error(), Errc::kBusy);
  none = false;
  EXPECT_GE(files_.Open()->Recover(hot_)->votes.size(), 10u);
}

TEST_F(FileLogTest, Scenario18_APowerLossAtAnyCallLosesNothingAcknowledged) {
  // A short life with many rolls and recycled segments, cut off at its first call to the system, at
  // its second, and so on to its end.
  bool finished = false;
  for (int calls = 0; !finished; calls += test::ScaledStep()) {
    LogFiles files(4096, 8 * 4096);
    auto log = files.Open();
    ASSERT_TRUE(AppendAndWait(*log, cold_, VoteRecord(7, 5, "cold")));
    files.EndAfter(calls);
    std::uint64_t acknowledged = 0;
    for (std::uint64_t slot = 1; slot <= 26; ++slot) {
      if (!AppendAndWait(*log, hot_, VoteRecord(slot, 1, std::string(700, 'v')))) break;
      acknowledged = slot;
      log->Trim(hot_, Slot{slot - 1});
    }
    files.Crash(log);
    finished = acknowledged == 26;
    auto reopened = files.TryOpen();
    ASSERT_TRUE(reopened) << reopened.error().ToString() << " after call " << calls;
    EXPECT_EQ(DescribeLog(**reopened, cold_), "p0 w0 v7@5=cold") << "after call " << calls;
    if (acknowledged == 0) continue;
    const auto recovered = (*reopened)->Recover(hot_);
    ASSERT_TRUE(recovered && !recovered->votes.empty()) << "after call " << calls;
    EXPECT_GE(recovered->votes.back().slot, Slot{acknowledged}) << "after call " << calls;
  }
}

// A short life with many rolls, killed at its first call to the system, at its second, and so on.
// Whatever the next life says it knows is believed, so a power loss must leave all of it, at once
// and after further appends.
TEST_F(FileLogTest, WhatAKilledProcessWroteAndTheNextOneReadSurvivesAPowerLoss) {
  constexpr std::uint64_t kMore = 2;  // too few to begin a segment, which would sync all names
  for (const bool appends_on : {false, true}) {
    bool finished = false;
    for (int calls = 0; !finished; calls += test::ScaledStep()) {
      LogFiles files(4096, 8 * 4096);
      auto log = files.Open();
      files.EndAfter(calls);
      std::uint64_t slot = 1;
      for (; slot <= 26; ++slot) {
        if (!AppendAndWait(*log, hot_, VoteRecord(slot, 1, std::string(700, 'v')))) break;
        log->Trim(hot_, Slot{slot - 1});
      }
      finished = slot > 26;
      files.Kill(log);
      log = files.Open();
      const std::string believed = DescribeLog(*log, hot_);
      for (std::uint64_t more = 1; appends_on && more <= kMore; ++more) {
        ASSERT_TRUE(AppendAndWait(*log, cold_, VoteRecord(more, 1, std::string(700, 'w'))));
      }
      files.Crash(log);
      auto reopened = files.TryOpen();
      ASSERT_TRUE(reopened) << reopened.error().ToString() << " after call " << calls;
      ASSERT_EQ(DescribeLog(**reopened, hot_), believed) << "after call " << calls;
      if (!appends_on) continue;
      ASSERT_EQ((*reopened)->Recover(cold_)->votes.size(), kMore) << "after call " << calls;
    }
  }
}

// To the kernel the pages of a failed sync are clean: syncing them once more writes nothing.
TEST_F(FileLogTest, TheWriteWhoseSyncFailedIsMadeAgainByWhoeverOpensTheLog) {
  std::atomic<bool> failing{false};
  files_.SetHook(
      [&](FileOp op, const std::string&) { return failing && op == FileOp::kSync ? EIO : 0; });
  auto log = files_.Open();
  Vote(*log, hot_, 1, 10);
  failing = true;
  ASSERT_FALSE(AppendAndWait(*log, hot_, VoteRecord(2, 1, "doubt")));
  files_.Kill(log);
  failing = false;
  log = files_.Open();
  const std::string believed = DescribeLog(*log, hot_);
  EXPECT_EQ(believed, "p0 w0 v1@1=vvvvvvvvvv v2@1=doubt");
  files_.Crash(log);
  EXPECT_EQ(DescribeLog(*files_.Open(), hot_), believed);
}

TEST_F(FileLogTest, WhatQueuedDuringASyncSharesTheNextOne) {
  std::atomic<int> syncs{0};
  files_.SetHook([&](FileOp op, const std::string&) {
    syncs += op == FileOp::kSync ? 1 : 0;
    return 0;
  });
  auto log = files_.Open();
  std::promise<void> gate;
  std::promise<void> entered;
  std::promise<void> all;
  log->Append(hot_, PromiseRecord(1), [&](Status) {
    entered.set_value();
    gate.get_future().wait();
  });
  entered.get_future().wait();
  const int before = syncs;
  std::atomic<int> left{100};
  for (std::uint32_t shard = 0; shard < 100; ++shard) {
    log->Append(Key(shard, 1), VoteRecord(1, 1, "v"), [&](Status) {
      if (--left == 0) all.set_value();
    });
  }
  gate.set_value();
  all.get_future().wait();
  EXPECT_EQ(syncs - before, 1);
}

}  // namespace
}  // namespace decree::store
