// The contract of Disk and Staging (kv/store/disk.h), for every kind of disk.
#include "kv/store/disk.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class DiskTest : public testing::TestWithParam<DiskKind> {
 protected:
  Disk& disk() { return disk_->disk(); }
  using Facts = std::vector<std::pair<std::string, std::string>>;

  std::shared_ptr<SnapshotSource> Snapshot(const std::string& value) {
    auto engine = *disk().OpenRows(Key(99, 1));
    EXPECT_TRUE(WriteRow(*engine, "row", value));
    return *CheckpointAndWait(*engine);
  }
  static Status Fill(Staging& staging, const SnapshotSource& source) {
    for (const SnapshotFile& file : source.files()) {
      if (Status s = staging.Append(file.name, 0, *source.Read(file.name, 0, file.bytes)); !s) {
        return s;
      }
    }
    return {};
  }

  std::unique_ptr<TestDisk> disk_ = GetParam().make();
  const ReplicaKey key_ = Key(5, 2);
};

INSTANTIATE_TEST_SUITE_P(Disks, DiskTest, testing::ValuesIn(AllDiskKinds()),
                         [](const auto& param) { return param.param.name; });

TEST_P(DiskTest, FactsAreDurableWhenPutReturns) {
  ASSERT_TRUE(disk().PutMeta("a/1", "x"));
  ASSERT_TRUE(disk().PutMeta("a/2", std::string("\0\xff", 2)));
  ASSERT_TRUE(disk().PutMeta("b", ""));
  ASSERT_TRUE(disk().PutMeta("a/1", "y"));
  ASSERT_TRUE(disk().DeleteMeta("b"));
  disk_->Crash();
  EXPECT_EQ(*disk().GetMeta("a/1"), "y");
  EXPECT_EQ(*disk().GetMeta("b"), std::nullopt);
  EXPECT_EQ(*disk().ListMeta("a/"), (Facts{{"a/1", "y"}, {"a/2", std::string("\0\xff", 2)}}));
  EXPECT_EQ(disk().ListMeta("")->size(), 2u);
  EXPECT_TRUE(disk().ListMeta("c")->empty());
}

TEST_P(DiskTest, TheIncarnationIsSetAndStays) {
  const Incarnation before = disk().incarnation();
  EXPECT_NE(before.value, 0u);
  disk_->Reopen();
  EXPECT_EQ(disk().incarnation(), before);
}

TEST_P(DiskTest, RowsAreListedAndRemoved) {
  EXPECT_TRUE(disk().ListRows()->empty());
  for (const ReplicaKey key : {Key(1, 1), Key(1, 2), ReplicaKey{kPlacementShard, ReplicaId{9}}}) {
    auto engine = *disk().OpenRows(key);
    ASSERT_TRUE(WriteRow(*engine, "a", "1"));
    ASSERT_TRUE(FlushAndWait(*engine));
  }
  ASSERT_TRUE(disk().RemoveRows(Key(1, 1)));
  disk_->Crash();
  EXPECT_EQ(*disk().ListRows(),
            (std::vector<ReplicaKey>{Key(1, 2), {kPlacementShard, ReplicaId{9}}}));
  EXPECT_EQ(RowOr((*disk().OpenRows(Key(1, 1)))->Get("a")), "-");
  EXPECT_EQ(RowOr((*disk().OpenRows(Key(1, 2)))->Get("a")), "1");
}

TEST_P(DiskTest, RemovingWhatIsNotThereIsFine) { EXPECT_TRUE(disk().RemoveRows(Key(4, 4))); }

TEST_P(DiskTest, OpenRowsCannotBeOpenedReplacedOrRemoved) {
  const auto source = Snapshot("new");
  auto staging = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*staging, *source));
  const auto engine = *disk().OpenRows(key_);
  EXPECT_EQ(disk().OpenRows(key_).error(), Errc::kConflict);
  EXPECT_EQ(disk().RemoveRows(key_).error(), Errc::kConflict);
  EXPECT_EQ(staging->Commit().error(), Errc::kConflict);
}

TEST_P(DiskTest, CommitReplacesTheOldRowsDurably) {
  {
    auto engine = *disk().OpenRows(key_);
    ASSERT_TRUE(engine->Write({{"row", "old"}, {"extra", "old"}}));
    ASSERT_TRUE(FlushAndWait(*engine));
  }
  auto staging = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*staging, *Snapshot("new")));
  auto engine = staging->Commit();
  ASSERT_TRUE(engine) << engine.error().ToString();
  EXPECT_EQ(Dump(*(*engine)->View()), "row=new");
  EXPECT_EQ(staging->Commit().error(), Errc::kInvalidArgument);
  disk_->Crash();
  EXPECT_EQ(Dump(*(*disk().OpenRows(key_))->View()), "row=new");
}

TEST_P(DiskTest, UncommittedStagingIsInvisibleAndDropped) {
  const auto source = Snapshot("new");
  {
    auto dropped = *disk().Stage(key_);
    ASSERT_TRUE(Fill(*dropped, *source));
  }
  auto pending = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*pending, *source));
  EXPECT_EQ(*disk().ListRows(), std::vector<ReplicaKey>{Key(99, 1)});
  disk_->Crash();
  EXPECT_EQ(*disk().ListRows(), std::vector<ReplicaKey>{Key(99, 1)});
}

TEST_P(DiskTest, PrepareFindsDamageWhileTheRowsAreStillOpen) {
  const auto engine = *disk().OpenRows(key_);
  const auto source = Snapshot("new");
  auto damaged = *disk().Stage(key_);
  ASSERT_TRUE(damaged->Append(source->files().front().name, 0, "x"));
  EXPECT_EQ(damaged->Prepare().error(), Errc::kCorruption);
  auto good = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*good, *source));
  EXPECT_TRUE(good->Prepare());
  EXPECT_TRUE(WriteRow(*engine, "row", "old"));
}

TEST_P(DiskTest, BackgroundJobsRun) {
  EXPECT_EQ(Await<int>([this](std::function<void(int)> done) {
              disk().RunInBackground([done] { done(7); });
            }),
            7);
}

TEST_P(DiskTest, ChunksMayBeSentAgainButLeaveNoHoles) {
  const auto source = Snapshot("new");
  auto staging = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*staging, *source));
  ASSERT_TRUE(Fill(*staging, *source));
  EXPECT_EQ(staging->Append("fresh", 1, "x").error(), Errc::kInvalidArgument);
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "/etc/x"}) {
    EXPECT_EQ(staging->Append(name, 0, "x").error(), Errc::kInvalidArgument) << name;
  }
  EXPECT_EQ(staging->Append(std::string("a\0b", 3), 0, "x").error(), Errc::kInvalidArgument);
}

TEST_P(DiskTest, CommitRefusesDamagedFilesAndKeepsTheOldRows) {
  {
    auto engine = *disk().OpenRows(key_);
    ASSERT_TRUE(WriteRow(*engine, "row", "old"));
    ASSERT_TRUE(FlushAndWait(*engine));
  }
  const auto source = Snapshot(std::string(10'000, 'n'));
  for (const SnapshotFile& missing : source->files()) {
    if (!missing.name.ends_with(".sst") && !missing.name.starts_with("MANIFEST")) continue;
    auto staging = *disk().Stage(key_);
    for (const SnapshotFile& file : source->files()) {
      if (file.name == missing.name) continue;
      ASSERT_TRUE(staging->Append(file.name, 0, *source->Read(file.name, 0, file.bytes)));
    }
    const auto committed = staging->Commit();
    EXPECT_FALSE(committed) << missing.name;
  }
  auto garbage = *disk().Stage(key_);
  ASSERT_TRUE(garbage->Append("CURRENT", 0, "garbage"));
  ASSERT_TRUE(garbage->Append("MANIFEST", 0, "garbage"));
  EXPECT_FALSE(garbage->Commit());
  EXPECT_FALSE((*disk().Stage(key_))->Commit()) << "nothing was staged";
  EXPECT_EQ(Dump(*(*disk().OpenRows(key_))->View()), "row=old");
}

// Rows damaged where they came from: no reader here may be the first to meet them.
TEST_P(DiskTest, PrepareFindsADamagedRowOfASnapshot) {
  const auto source = Snapshot(std::string(10'000, 'n'));
  int rows_files = 0;
  for (const SnapshotFile& damaged : source->files()) {
    if (!damaged.name.ends_with(".sst") && !damaged.name.starts_with("rows-")) continue;
    ++rows_files;
    auto staging = *disk().Stage(key_);
    for (const SnapshotFile& file : source->files()) {
      std::string bytes = *source->Read(file.name, 0, file.bytes);
      if (file.name == damaged.name) bytes[30] = static_cast<char>(bytes[30] ^ 4);
      ASSERT_TRUE(staging->Append(file.name, 0, bytes));
    }
    const Status prepared = staging->Prepare();
    ASSERT_FALSE(prepared) << damaged.name;
    EXPECT_EQ(prepared.error(), Errc::kCorruption) << prepared.error().ToString();
    EXPECT_EQ(prepared.error().detail().find("stored ="), std::string::npos)
        << prepared.error().ToString();
  }
  EXPECT_GT(rows_files, 0);
}

// A checksum that was computed as the bytes came is no help if they came twice.
TEST_P(DiskTest, PrepareFindsADamagedRowThatWasSentAgain) {
  const auto source = Snapshot(std::string(10'000, 'n'));
  auto staging = *disk().Stage(key_);
  ASSERT_TRUE(Fill(*staging, *source));
  for (const SnapshotFile& file : source->files()) {
    if (!file.name.ends_with(".sst") && !file.name.starts_with("rows-")) continue;
    std::string bytes = *source->Read(file.name, 0, file.bytes);
    bytes[30] = static_cast<char>(bytes[30] ^ 4);
    ASSERT_TRUE(staging->Append(file.name, 0, bytes));
  }
  EXPECT_EQ(staging->Prepare().error(), Errc::kCorruption);
}

TEST_P(DiskTest, EqualFilesOfTwoSnapshotsAreKnownByTheirChecksums) {
  auto engine = *disk().OpenRows(Key(99, 1));
  ASSERT_TRUE(WriteRow(*engine, "row", "first"));
  const auto first = *CheckpointAndWait(*engine);
  const auto again = *CheckpointAndWait(*engine);
  ASSERT_TRUE(WriteRow(*engine, "row", "second"));
  const auto second = *CheckpointAndWait(*engine);
  const auto sums = [](const SnapshotSource& source) {
    std::set<std::string> of;
    for (const SnapshotFile& file : source.files()) {
      if (file.name.ends_with(".sst") || file.name.starts_with("rows-")) of.insert(file.checksum);
    }
    return of;
  };
  EXPECT_EQ(sums(*first), sums(*again));
  EXPECT_FALSE(sums(*first).contains(""));
  EXPECT_NE(sums(*first), sums(*second));
}

// What one source sent before it was lost, and the rest from the next one.
TEST_P(DiskTest, AStagingPlaceGoesOnWithWhatItKept) {
  const auto source = Snapshot(std::string(10'000, 'n'));
  auto staging = *disk().Stage(key_);
  std::set<std::string> kept;
  for (const SnapshotFile& file : source->files()) {
    const bool rows = file.name.ends_with(".sst") || file.name.starts_with("rows-");
    if (rows) kept.insert(file.name);
    const std::uint64_t half = file.bytes / 2;
    ASSERT_TRUE(staging->Append(file.name, 0, *source->Read(file.name, 0, half)));
  }
  ASSERT_TRUE(staging->Append("of-old", 0, "x"));
  ASSERT_TRUE(staging->KeepOnly(kept));
  EXPECT_EQ(staging->Size("of-old"), 0u);
  for (const SnapshotFile& file : source->files()) {
    const std::uint64_t have = staging->Size(file.name);
    EXPECT_EQ(have, kept.contains(file.name) ? file.bytes / 2 : 0) << file.name;
    ASSERT_TRUE(
        staging->Append(file.name, have, *source->Read(file.name, have, file.bytes - have)));
  }
  auto engine = staging->Commit();
  ASSERT_TRUE(engine) << engine.error().ToString();
  EXPECT_EQ(Dump(*(*engine)->View()), "row=" + std::string(10'000, 'n'));
}

TEST_P(DiskTest, SpaceIsReported) {
  EXPECT_GT(disk().space().capacity_bytes, 0u);
  EXPECT_LE(disk().space().used_bytes, disk().space().capacity_bytes);
}

}  // namespace
}  // namespace decree::store
