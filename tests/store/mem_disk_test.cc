// What only the disk in memory has: deferred background work, power loss and injected faults.
#include "kv/store/mem_disk.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class MemDiskTest : public testing::Test {
 protected:
  MemDiskOptions Deferred() {
    MemDiskOptions options;
    options.background = [this](Task task) { tasks_.push_back(std::move(task)); };
    return options;
  }
  void RunOne() {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  Log::Done Note(int number) {
    return [this, number](Status status) { reports_.push_back(status ? number : -number); };
  }

  std::deque<Task> tasks_;
  std::vector<int> reports_;
  std::unique_ptr<MemDisk> disk_ = std::make_unique<MemDisk>(Deferred());
};

TEST_F(MemDiskTest, OneSyncServesAllThatQueuedBeforeIt) {
  for (int i = 1; i <= 3; ++i) {
    disk_->log().Append(Key(1, 1), VoteRecord(static_cast<std::uint64_t>(i), 1, "v"), Note(i));
  }
  ASSERT_EQ(tasks_.size(), 1u);
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(tasks_.empty());
}

TEST_F(MemDiskTest, AnAppendFromAReportWaitsForTheNextSync) {
  disk_->log().Append(Key(1, 1), PromiseRecord(1), [&](Status) {
    reports_.push_back(1);
    disk_->log().Append(Key(1, 1), PromiseRecord(2), Note(3));
  });
  disk_->log().Append(Key(1, 1), VoteRecord(1, 1, "v"), Note(2));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1, 2}));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1, 2, 3}));
}

TEST_F(MemDiskTest, ACrashLosesWhatWasNotSyncedAndNeverReportsIt) {
  disk_->log().Append(Key(1, 1), PromiseRecord(1), Note(1));
  RunOne();
  disk_->log().Append(Key(1, 1), PromiseRecord(2), Note(2));
  auto reborn = disk_->Crash(Deferred());
  while (!tasks_.empty()) RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1}));
  EXPECT_EQ(DescribeLog(reborn->log(), Key(1, 1)), "p1 w0");
}

TEST_F(MemDiskTest, ACrashInTheMiddleOfReportsEndsThem) {
  std::unique_ptr<MemDisk> reborn;
  disk_->log().Append(Key(1, 1), PromiseRecord(1), [&](Status) {
    reports_.push_back(1);
    reborn = disk_->Crash(Deferred());
  });
  disk_->log().Append(Key(1, 1), PromiseRecord(2), Note(2));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1}));
  EXPECT_EQ(DescribeLog(reborn->log(), Key(1, 1)), "p2 w0") << "synced, though never reported";
}

TEST_F(MemDiskTest, ACrashKeepsFlushedRowsOnly) {
  auto engine = *disk_->OpenRows(Key(1, 1));
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  engine->Flush(Note(1));
  RunOne();
  ASSERT_TRUE(WriteRow(*engine, "a", "2"));
  ASSERT_TRUE(WriteRow(*engine, "b", "1"));
  engine->Flush(Note(2));
  auto view = engine->View();
  auto reborn = disk_->Crash(Deferred());
  while (!tasks_.empty()) RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1}));
  EXPECT_EQ(Dump(*(*reborn->OpenRows(Key(1, 1)))->View()), "a=1");
  disk_.reset();
  engine.reset();  // dead, yet safe to destroy, the view after it too
}

TEST_F(MemDiskTest, WritesGoOnWhileAFlushTakesItsTimeAndAreNotInIt) {
  MemDiskOptions options = Deferred();
  options.flush_end = options.background;
  disk_ = std::make_unique<MemDisk>(options);
  std::unique_ptr<Engine> engine = *disk_->OpenRows(Key(1, 1));
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  engine->Flush(Note(1));
  RunOne();
  ASSERT_TRUE(WriteRow(*engine, "b", "2"));
  EXPECT_TRUE(reports_.empty());
  RunOne();
  EXPECT_EQ(reports_, std::vector<int>{1});
  disk_ = disk_->Crash(Deferred());
  EXPECT_EQ(Dump(*(*disk_->OpenRows(Key(1, 1)))->View()), "a=1");
}

TEST_F(MemDiskTest, AFailedSyncFailsEveryLaterAppendForGood) {
  disk_->log().Append(Key(1, 1), PromiseRecord(1), Note(1));
  RunOne();
  disk_->log().Append(Key(1, 1), PromiseRecord(2), Note(2));
  disk_->FailSyncs();
  RunOne();
  disk_->log().Append(Key(2, 1), PromiseRecord(3), Note(3));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1, -2, -3}));
  EXPECT_EQ(DescribeLog(disk_->Crash(Deferred())->log(), Key(1, 1)), "p1 w0");
}

TEST_F(MemDiskTest, AFullDiskRefusesRowsFactsAndStagingButNotTheLog) {
  auto engine = *disk_->OpenRows(Key(1, 1));
  auto staging = *disk_->Stage(Key(2, 1));
  disk_->SetFull(true);
  EXPECT_EQ(WriteRow(*engine, "a", "1").error(), Errc::kNoSpace);
  EXPECT_EQ(disk_->PutMeta("a", "1").error(), Errc::kNoSpace);
  EXPECT_EQ(staging->Append("f", 0, "x").error(), Errc::kNoSpace);
  EXPECT_EQ(disk_->Stage(Key(3, 1)).error(), Errc::kNoSpace);
  EXPECT_EQ(disk_->space().used_bytes, disk_->space().capacity_bytes);
  disk_->log().Append(Key(1, 1), PromiseRecord(1), Note(1));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{1}));
  disk_->SetFull(false);
  EXPECT_TRUE(WriteRow(*engine, "a", "1"));
}

TEST_F(MemDiskTest, TheReplicaWithTheOldestLiveRecordIsThePin) {
  MemDiskOptions options;
  options.log_goal_bytes = 1000;
  MemDisk disk(options);
  ASSERT_TRUE(AppendAndWait(disk.log(), Key(1, 1), VoteRecord(1, 1, std::string(400, 'x'))));
  ASSERT_TRUE(AppendAndWait(disk.log(), Key(2, 1), VoteRecord(1, 1, std::string(400, 'x'))));
  EXPECT_EQ(disk.log().OldestPin(), std::nullopt);
  ASSERT_TRUE(AppendAndWait(disk.log(), Key(1, 1), VoteRecord(2, 1, std::string(400, 'x'))));
  EXPECT_EQ(disk.log().OldestPin(), Key(1, 1));
  disk.log().Trim(Key(1, 1), Slot{1});
  EXPECT_EQ(disk.log().OldestPin(), std::nullopt);
}

// Of a write that no sync covered, a prefix survives: never a later record without the earlier
// ones.
TEST_F(MemDiskTest, APowerLossLeavesAPrefixOfTheUnsyncedRecords) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    tasks_.clear();
    disk_ = std::make_unique<MemDisk>(Deferred());
    for (std::uint64_t slot = 1; slot <= 3; ++slot) {
      disk_->log().Append(Key(1, 1), VoteRecord(slot, 1, "v"), Note(1));
    }
    Random random(seed);
    disk_->LosePower(random);
    disk_ = disk_->Crash(Deferred());
    seen.insert(DescribeLog(disk_->log(), Key(1, 1)));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"p0 w0", "p0 w0 v1@1=v", "p0 w0 v1@1=v v2@1=v",
                                         "p0 w0 v1@1=v v2@1=v v3@1=v"}));
  EXPECT_TRUE(reports_.empty());
}

TEST_F(MemDiskTest, ATrimThatNoLaterRecordCarriedIsLostWithThePower) {
  disk_->log().Append(Key(1, 1), VoteRecord(1, 1, "v"), Note(1));
  RunOne();
  disk_->log().Trim(Key(1, 1), Slot{1});
  const std::string trimmed = DescribeLog(disk_->log(), Key(1, 1));
  Random random(1);
  disk_->LosePower(random);
  disk_ = disk_->Crash(Deferred());
  const std::string before = DescribeLog(disk_->log(), Key(1, 1));
  EXPECT_NE(before, trimmed);
  EXPECT_NE(before.find("v1@1=v"), std::string::npos) << before;
}

TEST_F(MemDiskTest, ADiskThatFailedToSyncDoesNotOpenAnyMore) {
  EXPECT_TRUE(disk_->Usable());
  disk_->FailSyncs();
  disk_->log().Append(Key(1, 1), PromiseRecord(1), Note(1));
  RunOne();
  disk_ = disk_->Crash(Deferred());
  EXPECT_EQ(disk_->Usable().error(), Errc::kIo);
}

TEST_F(MemDiskTest, ALogThatFoundNoSpaceEndsItsLifeAndOpensAgain) {
  disk_->FailLogForSpace();
  disk_->log().Append(Key(1, 1), PromiseRecord(1), Note(1));
  RunOne();
  EXPECT_EQ(reports_, (std::vector<int>{-1}));
  disk_ = disk_->Crash(Deferred());
  EXPECT_TRUE(disk_->Usable());
}

TEST_F(MemDiskTest, ADamagedRowIsRefusedByReadsCursorsAndWhoeverReceivesItsSnapshot) {
  auto engine = *disk_->OpenRows(Key(1, 1));
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  Random random(1);
  ASSERT_TRUE(disk_->DamageRows(random));
  EXPECT_EQ(engine->Get("a").error(), Errc::kCorruption);
  const auto view = engine->View();
  EXPECT_EQ(view->Get("a").error(), Errc::kCorruption);
  const auto cursor = view->NewCursor();
  cursor->Seek("");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_EQ(cursor->status().error(), Errc::kCorruption);
  std::shared_ptr<SnapshotSource> snapshot;
  engine->Checkpoint([&](auto made) { snapshot = *made; });
  RunOne();
  auto staging = *disk_->Stage(Key(1, 2));
  for (const SnapshotFile& file : snapshot->files()) {
    ASSERT_TRUE(staging->Append(file.name, 0, *snapshot->Read(file.name, 0, file.bytes)));
  }
  EXPECT_EQ(staging->Prepare().error(), Errc::kCorruption);
}

TEST_F(MemDiskTest, OldRowsCanBePutBack) {
  auto engine = *disk_->OpenRows(Key(1, 1));
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  engine->Flush(Note(1));
  RunOne();
  const auto backup = disk_->BackUp();
  ASSERT_TRUE(WriteRow(*engine, "a", "2"));
  engine->Flush(Note(2));
  RunOne();
  disk_ = disk_->Crash(Deferred());
  engine.reset();
  EXPECT_EQ(disk_->PutBackRows(*backup, 5), Key(1, 1));
  EXPECT_EQ(Dump(*(*disk_->OpenRows(Key(1, 1)))->View()), "a=1");
}

}  // namespace
}  // namespace decree::store
