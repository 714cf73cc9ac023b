// What only rows in RocksDB have: descriptors, and writes that must not wait.
#include "kv/store/rocks_engine.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/resource.h>

#include <filesystem>

#include "kv/store/file_disk.h"
#include "kv/store/file_limit.h"
#include "tests/store/temp_dir.h"
#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

namespace fs = std::filesystem;

// Descriptors of this process whose path contains the word.
std::uint64_t OpenOnes(const std::string& word) {
  std::uint64_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    count += fs::read_symlink(entry.path(), error).string().find(word) != std::string::npos;
  }
  return count;
}

class RocksDiskTest : public testing::Test {
 protected:
  std::unique_ptr<Disk> Open(std::uint64_t open_files) {
    FileDiskOptions options;
    options.path = dir_.Sub("data");
    options.segment_bytes = 1 << 16;
    options.block_cache_bytes = 1 << 20;
    options.open_files = open_files;
    auto disk = OpenFileDisk(options);
    if (!disk) throw std::runtime_error(disk.error().ToString());
    return *std::move(disk);
  }
  // The keys interleave, so that no table is moved to another level without being rewritten.
  static void Flushed(Engine& engine, int tables) {
    for (int i = 0; i < tables; ++i) {
      ASSERT_TRUE(engine.Write({{"a" + std::to_string(i), "v"}, {"b" + std::to_string(i), "v"}}));
      ASSERT_TRUE(FlushAndWait(engine));
    }
  }

  TempDir dir_;
};

TEST_F(RocksDiskTest, AnIdleReplicaHoldsNoMoreDescriptorsThanItsShareCounts) {
  const auto disk = Open(10'000);
  std::vector<std::unique_ptr<Engine>> engines;
  for (std::uint32_t shard = 1; shard <= 8; ++shard)
    engines.push_back(*disk->OpenRows(Key(shard, 1)));
  EXPECT_LE(OpenOnes(dir_.Sub("data/rows")), 8 * OpenFileShare::kIdle);
}

TEST_F(RocksDiskTest, ReplicasBeyondTheDescriptorsAreRefusedSayingWhatToDo) {
  const auto disk = Open(3 * (OpenFileShare::kIdle + OpenFileShare::kUsualTables));
  std::vector<std::unique_ptr<Engine>> engines;
  for (std::uint32_t shard = 1; shard <= 3; ++shard)
    engines.push_back(*disk->OpenRows(Key(shard, 1)));
  const auto fourth = disk->OpenRows(Key(4, 1));
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error(), Errc::kImpossible);
  EXPECT_NE(fourth.error().detail().find("ulimit"), std::string::npos) << fourth.error().detail();
  EXPECT_EQ(disk->ListRows()->size(), 3u) << "nothing is left of the refused one";
  engines.pop_back();
  EXPECT_TRUE(disk->OpenRows(Key(4, 1)));
}

TEST_F(RocksDiskTest, TooManyOpenFilesAreBusyAndTheSameDatabaseGoesOnLater) {
  const auto disk = Open(10'000);
  const auto engine = *disk->OpenRows(Key(1, 1));
  Flushed(*engine, 1);
  ASSERT_TRUE(WriteRow(*engine, "late", "1"));
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit none{3, usual.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status refused = FlushAndWait(*engine);
  const auto unopened = disk->OpenRows(Key(2, 1));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_EQ(refused.error(), Errc::kBusy) << refused.error().ToString();
  EXPECT_EQ(unopened.error(), Errc::kBusy) << unopened.error().ToString();
  EXPECT_TRUE(WriteRow(*engine, "later", "2"));
  Status flushed = FlushAndWait(*engine);
  while (!flushed && flushed.error() == Errc::kBusy) flushed = FlushAndWait(*engine);
  EXPECT_TRUE(flushed) << flushed.error().ToString();
  EXPECT_EQ(RowOr(engine->Get("late")), "1");
  EXPECT_FALSE(fs::exists(dir_.Sub("data/FAILED")));
}

// A database by itself, so that the test can keep RocksDB from compacting.
class RocksEngineTest : public testing::Test {
 protected:
  std::unique_ptr<RocksEngine> Open(int tables) {
    fs::create_directories(dir_.Sub("rows"));
    fs::create_directories(dir_.Sub("staging"));
    database_ = *OpenRocksDatabase(dir_.Sub("rows"), true, tables, shared_);
    EXPECT_TRUE(
        database_->db().SetOptions({{"level0_file_num_compaction_trigger", "100000"}}).ok());
    return std::make_unique<RocksEngine>(database_, pool_, dir_.Sub("staging"));
  }
  static void AddTables(RocksEngine& engine, int tables) {
    for (int i = 0; i < tables; ++i) {
      ASSERT_TRUE(WriteRow(engine, "k" + std::to_string(i), std::to_string(i)));
      ASSERT_TRUE(FlushAndWait(engine));
    }
  }

  TempDir dir_;
  std::shared_ptr<RocksShared> shared_ = std::make_shared<RocksShared>(RocksSharedOptions{});
  std::shared_ptr<BackgroundPool> pool_ = std::make_shared<BackgroundPool>(1);
  std::shared_ptr<RocksDatabase> database_;
};

TEST_F(RocksEngineTest, NoMoreTablesAreOpenThanItsShareAllows) {
  const auto engine = Open(20);
  AddTables(*engine, 40);
  const auto read_all = [&] {
    for (int i = 0; i < 40; ++i)
      ASSERT_EQ(RowOr(engine->Get("k" + std::to_string(i))), std::to_string(i));
  };
  read_all();
  EXPECT_GT(OpenOnes(".sst"), 10u);
  EXPECT_LE(OpenOnes(".sst"), 20u);
  database_->LimitTables(10);
  read_all();
  EXPECT_LE(OpenOnes(".sst"), 10u);
}

TEST_F(RocksEngineTest, AStalledEngineSaysSoAndWritesWithoutWaiting) {
  const auto engine = Open(10);
  AddTables(*engine, 15);
  EXPECT_FALSE(engine->Stalled());
  AddTables(*engine, 30);  // RocksDB's own defaults stop every write at 36
  EXPECT_TRUE(engine->Stalled());
  ASSERT_TRUE(WriteRow(*engine, "more", "1"));
  EXPECT_EQ(RowOr(engine->Get("more")), "1");
  ASSERT_TRUE(database_->db().CompactRange({}, nullptr, nullptr).ok());
  EXPECT_FALSE(engine->Stalled());
}

}  // namespace
}  // namespace decree::store
