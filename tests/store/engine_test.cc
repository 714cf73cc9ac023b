// The contract of Engine (kv/store/engine.h), for every kind of disk.
#include "kv/store/engine.h"

#include <gtest/gtest.h>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class EngineTest : public testing::TestWithParam<DiskKind> {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    auto opened = disk_->disk().OpenRows(key_);
    ASSERT_TRUE(opened) << opened.error().ToString();
    engine_ = *std::move(opened);
  }
  void Crash() {
    disk_->Crash();
    engine_.reset();
    Open();
  }
  std::string Get(const std::string& key) { return RowOr(engine_->Get(key)); }

  std::unique_ptr<TestDisk> disk_ = GetParam().make();
  const ReplicaKey key_ = Key(7, 3);
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Disks, EngineTest, testing::ValuesIn(AllDiskKinds()),
                         [](const auto& param) { return param.param.name; });

TEST_P(EngineTest, AWriteIsVisibleAtOnce) {
  ASSERT_TRUE(engine_->Write({{"a", "1"}, {"b", "2"}, {"c", ""}}));
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("c"), "");
  EXPECT_EQ(Get("d"), "-");
  ASSERT_TRUE(engine_->Write({{"a", std::nullopt}}));
  EXPECT_EQ(Get("a"), "-");
  EXPECT_EQ(Dump(*engine_->View()), "b=2 c=");
}

TEST_P(EngineTest, LaterEntriesOfABatchWin) {
  ASSERT_TRUE(engine_->Write({{"a", "1"}, {"a", std::nullopt}, {"b", std::nullopt}, {"b", "2"}}));
  EXPECT_EQ(Dump(*engine_->View()), "b=2");
}

TEST_P(EngineTest, KeysAreOrderedBytewise) {
  const std::string low(1, '\0');
  const std::string high(1, '\xff');
  ASSERT_TRUE(engine_->Write({{high, "h"}, {"a", "1"}, {low, "l"}, {"a" + low, "2"}, {"", "e"}}));
  const auto view = engine_->View();
  const auto cursor = view->NewCursor();
  std::string order;
  for (cursor->Seek(""); cursor->Valid(); cursor->Next()) order += cursor->value();
  EXPECT_EQ(order, "el12h");
  EXPECT_TRUE(cursor->status());
  cursor->Seek("a" + low);
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->value(), "2");
  cursor->Seek(high + high);
  EXPECT_FALSE(cursor->Valid());
}

TEST_P(EngineTest, AViewDoesNotSeeLaterWrites) {
  ASSERT_TRUE(engine_->Write({{"a", "1"}, {"b", "1"}}));
  const auto first = engine_->View();
  ASSERT_TRUE(engine_->Write({{"a", "2"}, {"b", std::nullopt}, {"c", "2"}}));
  const auto second = engine_->View();
  ASSERT_TRUE(engine_->Write({{"a", std::nullopt}, {"d", "3"}}));
  ASSERT_TRUE(FlushAndWait(*engine_));
  EXPECT_EQ(Dump(*first), "a=1 b=1");
  EXPECT_EQ(Dump(*second), "a=2 c=2");
  EXPECT_EQ(RowOr(first->Get("c")), "-");
  EXPECT_EQ(RowOr(second->Get("a")), "2");
  EXPECT_EQ(Dump(*engine_->View()), "c=2 d=3");
}

TEST_P(EngineTest, FlushedRowsSurviveACrash) {
  ASSERT_TRUE(engine_->Write({{"a", "1"}, {"b", "1"}}));
  ASSERT_TRUE(FlushAndWait(*engine_));
  ASSERT_TRUE(engine_->Write({{"b", std::nullopt}}));
  ASSERT_TRUE(FlushAndWait(*engine_));
  Crash();
  EXPECT_EQ(Dump(*engine_->View()), "a=1");
}

TEST_P(EngineTest, ACrashLeavesWholeBatchesOnly) {
  ASSERT_TRUE(engine_->Write({{"x", "1"}, {"y", "1"}}));
  ASSERT_TRUE(FlushAndWait(*engine_));
  ASSERT_TRUE(engine_->Write({{"x", "2"}, {"y", "2"}}));
  Crash();
  EXPECT_EQ(Get("x"), Get("y"));
}

TEST_P(EngineTest, UnflushedBytesFallToNothingAfterAFlush) {
  ASSERT_TRUE(WriteRow(*engine_, "a", std::string(200'000, 'x')));
  EXPECT_GE(engine_->UnflushedBytes(), 200'000u);
  EXPECT_GE(engine_->ApproximateBytes(), 200'000u);
  ASSERT_TRUE(FlushAndWait(*engine_));
  EXPECT_LT(engine_->UnflushedBytes(), 100'000u);
}

TEST_P(EngineTest, ACheckpointHoldsTheRowsOfItsMoment) {
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(WriteRow(*engine_, "k" + std::to_string(i), std::string(100, 'v')));
  }
  const std::string before = Dump(*engine_->View());
  auto source = CheckpointAndWait(*engine_);
  ASSERT_TRUE(source) << source.error().ToString();
  ASSERT_TRUE(WriteRow(*engine_, "late", "x"));
  ASSERT_TRUE(FlushAndWait(*engine_));

  auto staging = *disk_->disk().Stage(Key(7, 4));
  for (const SnapshotFile& file : (*source)->files()) {
    for (std::uint64_t at = 0; at < file.bytes; at += 1000) {
      const auto chunk = (*source)->Read(file.name, at, 1000);
      ASSERT_TRUE(chunk) << chunk.error().ToString();
      ASSERT_TRUE(staging->Append(file.name, at, *chunk));
    }
  }
  auto copy = staging->Commit();
  ASSERT_TRUE(copy) << copy.error().ToString();
  EXPECT_EQ(Dump(*(*copy)->View()), before);
  ASSERT_TRUE(WriteRow(**copy, "own", "1"));
  EXPECT_EQ(Get("own"), "-");
}

TEST_P(EngineTest, ACheckpointIsDurableToo) {
  ASSERT_TRUE(WriteRow(*engine_, "a", "1"));
  ASSERT_TRUE(CheckpointAndWait(*engine_));
  Crash();
  EXPECT_EQ(Get("a"), "1");
}

TEST_P(EngineTest, ASnapshotRefusesUnknownFilesAndEndsAtItsSize) {
  ASSERT_TRUE(WriteRow(*engine_, "a", "1"));
  const auto source = *CheckpointAndWait(*engine_);
  EXPECT_EQ(source->Read("../IDENTITY", 0, 10).error(), Errc::kNotFound);
  ASSERT_FALSE(source->files().empty());
  const SnapshotFile& file = source->files().front();
  EXPECT_EQ(source->Read(file.name, file.bytes, 10)->size(), 0u);
  EXPECT_EQ(source->Read(file.name, 0, file.bytes + 100)->size(), file.bytes);
}

TEST_P(EngineTest, ASnapshotOutlivesItsEngine) {
  ASSERT_TRUE(WriteRow(*engine_, "a", "1"));
  const auto source = *CheckpointAndWait(*engine_);
  engine_.reset();
  ASSERT_TRUE(disk_->disk().RemoveRows(key_));
  for (const SnapshotFile& file : source->files()) {
    EXPECT_EQ(source->Read(file.name, 0, file.bytes)->size(), file.bytes) << file.name;
  }
}

TEST_P(EngineTest, DestructionWithPendingBackgroundWorkIsSafe) {
  std::vector<std::future<Errc>> reports;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(WriteRow(*engine_, "a" + std::to_string(i), std::string(1000, 'x')));
    auto promise = std::make_shared<std::promise<Errc>>();
    reports.push_back(promise->get_future());
    engine_->Flush([promise](Status status) {
      promise->set_value(status ? Errc::kOk : status.error().code());
    });
  }
  std::shared_ptr<RowView> view = engine_->View();
  auto read = std::make_shared<std::promise<std::string>>();
  auto seen = read->get_future();
  engine_->RunInBackground([view, read] { read->set_value(RowOr(view->Get("a0"))); });
  view.reset();
  engine_.reset();
  EXPECT_EQ(seen.get(), std::string(1000, 'x'));
  for (auto& report : reports) {
    const Errc code = report.get();
    EXPECT_TRUE(code == Errc::kOk || code == Errc::kCancelled);
  }
  Open();
  EXPECT_EQ(Get("nothing"), "-");
}

TEST_P(EngineTest, ACleanReopenAfterAFlushFindsEverything) {
  ASSERT_TRUE(WriteRow(*engine_, "a", "1"));
  ASSERT_TRUE(FlushAndWait(*engine_));
  engine_.reset();
  Open();
  EXPECT_EQ(Get("a"), "1");
}

}  // namespace
}  // namespace decree::store
