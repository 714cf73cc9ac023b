// What only the disk in a directory has: its lock, its identity, its mark of failure, and what is
// refused.
#include "kv/store/file_disk.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "tests/store/faulty_files.h"
#include "tests/store/temp_dir.h"
#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

namespace fs = std::filesystem;

class FileDiskTest : public testing::Test {
 protected:
  FileDiskOptions Options() {
    FileDiskOptions options;
    options.path = dir_.Sub("data");
    options.segment_bytes = 1 << 16;
    options.block_cache_bytes = 1 << 20;
    return options;
  }
  Result<std::unique_ptr<Disk>> TryOpen() { return OpenFileDisk(Options()); }
  std::unique_ptr<Disk> Open() {
    auto disk = TryOpen();
    if (!disk) throw std::runtime_error(disk.error().ToString());
    return *std::move(disk);
  }
  std::string Path(const std::string& name) { return dir_.Sub("data/" + name); }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  // Refused as kCorruption with a detail that names the thing.
  void ExpectRefused(const std::string& thing) {
    const auto disk = TryOpen();
    ASSERT_FALSE(disk) << thing;
    EXPECT_EQ(disk.error(), Errc::kCorruption) << disk.error().ToString();
    EXPECT_NE(disk.error().detail().find(thing), std::string::npos) << disk.error().detail();
  }
  void PutRow(Disk& disk, const std::string& value) {
    auto engine = *disk.OpenRows(key_);
    ASSERT_TRUE(WriteRow(*engine, "row", value));
    ASSERT_TRUE(FlushAndWait(*engine));
  }

  TempDir dir_;
  const ReplicaKey key_ = Key(5, 2);
};

TEST_F(FileDiskTest, MissingDirectoriesAreCreated) {
  FileDiskOptions options = Options();
  options.path = dir_.Sub("a/b/c");
  EXPECT_TRUE(OpenFileDisk(options));
  EXPECT_TRUE(fs::exists(dir_.Sub("a/b/c/IDENTITY")));
}

TEST_F(FileDiskTest, ASecondOpeningIsRefusedNamingThePath) {
  auto disk = Open();
  const auto second = TryOpen();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::kLocked);
  EXPECT_NE(second.error().detail().find(dir_.Sub("data")), std::string::npos)
      << second.error().detail();
  disk.reset();
  EXPECT_TRUE(TryOpen());
}

TEST_F(FileDiskTest, EveryNewDirectoryIsAnotherIncarnation) {
  const Incarnation first = Open()->incarnation();
  fs::remove_all(Path(""));
  EXPECT_NE(Open()->incarnation(), first);
}

TEST_F(FileDiskTest, AForeignDirectoryIsRefusedAndLeftAlone) {
  fs::create_directory(Path(""));
  Write(Path("holiday.jpg"), "x");
  ExpectRefused("holiday.jpg");
  EXPECT_FALSE(fs::exists(Path("IDENTITY")));
  EXPECT_FALSE(fs::exists(Path("log")));
}

TEST_F(FileDiskTest, AFreshMountIsAnEmptyDirectory) {
  fs::create_directories(Path("lost+found"));
  EXPECT_TRUE(TryOpen());
}

TEST_F(FileDiskTest, ADamagedOrForeignIdentityIsRefused) {
  { Open(); }
  std::ifstream in(Path("IDENTITY"), std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] ^= 1;
    Write(Path("IDENTITY"), bad);
    ASSERT_EQ(TryOpen().error(), Errc::kCorruption) << "byte " << at;
  }
  for (const std::string& bad : {std::string(), good.substr(0, 40), good + "x"}) {
    Write(Path("IDENTITY"), bad);
    ExpectRefused("IDENTITY");
  }
  Write(Path("IDENTITY"), good);
  EXPECT_TRUE(TryOpen());
}

TEST_F(FileDiskTest, PartsThatVanishedAreDamageNeverSilentlyFresh) {
  {
    auto disk = Open();
    ASSERT_TRUE(disk->PutMeta("a", "1"));
    PutRow(*disk, "x");
  }
  for (const std::string part : {"log", "meta", "rows", "IDENTITY"}) {
    fs::rename(Path(part), dir_.Sub("kept"));
    EXPECT_EQ(TryOpen().error(), Errc::kCorruption) << part;
    fs::remove_all(Path(part));
    fs::rename(dir_.Sub("kept"), Path(part));
  }
  auto disk = Open();
  EXPECT_EQ(*disk->GetMeta("a"), "1");
}

TEST_F(FileDiskTest, AnUnfinishedIdentityBringsUpAnEmptyDisk) {
  { Open(); }
  fs::rename(Path("IDENTITY"), Path("IDENTITY.new"));
  { EXPECT_TRUE(TryOpen()); }
  EXPECT_FALSE(fs::exists(Path("IDENTITY.new")));
}

TEST_F(FileDiskTest, ADecidedReplacementIsFinishedBeforeTheRowsOpenAgain) {
  // The rename of the old rows fails once: the commit says so, but the new rows are decided
  // already, and nobody gets to write into the old ones any more.
  int renames = 0;
  FileDiskOptions options = Options();
  options.files = FaultyFiles([&](FileOp op, const std::string& path) {
    const bool aside = path.find("staging") != std::string::npos;
    return op == FileOp::kRename && aside && ++renames == 1 ? EIO : 0;
  });
  auto disk = *OpenFileDisk(options);
  PutRow(*disk, "new");
  auto engine = *disk->OpenRows(key_);
  const auto source = *CheckpointAndWait(*engine);
  ASSERT_TRUE(WriteRow(*engine, "row", "old"));
  engine.reset();
  auto staging = *disk->Stage(key_);
  for (const SnapshotFile& file : source->files()) {
    ASSERT_TRUE(staging->Append(file.name, 0, *source->Read(file.name, 0, file.bytes)));
  }
  EXPECT_EQ(staging->Commit().error(), Errc::kIo);
  staging.reset();
  EXPECT_EQ(RowOr((*disk->OpenRows(key_))->Get("row")), "new");
}

TEST_F(FileDiskTest, RowsThatLostTheirCurrentFileAreDamagedNotEmpty) {
  {
    auto disk = Open();
    PutRow(*disk, "x");
  }
  fs::remove(Path("rows/5-2/CURRENT"));
  auto disk = Open();
  EXPECT_EQ(disk->OpenRows(key_).error(), Errc::kCorruption);
}

TEST_F(FileDiskTest, RowsWhoseCreationWasCutOffAreEmpty) {
  { Open(); }
  fs::create_directories(Path("rows/5-2"));
  Write(Path("rows/5-2/LOCK"), "");
  auto disk = Open();
  EXPECT_EQ(Dump(*(*disk->OpenRows(key_))->View()), "");
}

TEST_F(FileDiskTest, DamagedTablesAreReportedNotReadAsAbsent) {
  {
    auto disk = Open();
    PutRow(*disk, std::string(5000, 'x'));
  }
  for (const auto& entry : fs::directory_iterator(Path("rows/5-2"))) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('\x55');
  }
  auto disk = Open();
  const auto engine = disk->OpenRows(key_);
  if (engine) {
    EXPECT_EQ(RowOr((*engine)->Get("row")), "!corruption");
    EXPECT_NE(Dump(*(*engine)->View()).find("!corruption"), std::string::npos);
  } else {
    EXPECT_EQ(engine.error(), Errc::kCorruption);
  }
}

// Whatever byte of a table is damaged at its source: a bit of its footer takes the checks of all
// its blocks away (seed 675). Each byte of the footer, and every sixteenth before it.
TEST_F(FileDiskTest, ADamagedTableIsNeverInstalled) {
  auto disk = Open();
  PutRow(*disk, "some row, long enough for a block");
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(FlushAndWait(*engine));
  const auto source = *CheckpointAndWait(*engine);
  std::string table;
  std::map<std::string, std::string> files;
  for (const SnapshotFile& file : source->files()) {
    files[file.name] = *source->Read(file.name, 0, file.bytes);
    if (file.name.ends_with(".sst")) table = file.name;
  }
  ASSERT_FALSE(table.empty());
  const std::size_t footer = files[table].size() - 64;
  for (std::size_t at = 0; at < files[table].size(); at += at < footer ? 16 : 1) {
    auto staging = *disk->Stage(Key(5, 3));
    for (const auto& [name, bytes] : files) {
      std::string arrived = bytes;
      if (name == table) arrived[at] = static_cast<char>(arrived[at] ^ 4);
      ASSERT_TRUE(staging->Append(name, 0, arrived));
    }
    ASSERT_EQ(staging->Prepare().error(), Errc::kCorruption) << "byte " << at;
  }
}

// Between two disks of one file system: the same bytes, under one more name.
TEST_F(FileDiskTest, FilesOfTheSameMachineAreLinkedNotCopied) {
  auto disk = Open();
  PutRow(*disk, "x");
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(FlushAndWait(*engine));
  auto source = *CheckpointAndWait(*engine);
  auto staging = *disk->Stage(Key(5, 3));
  EXPECT_FALSE(staging->Link("../x", source->directory() + "/CURRENT"));
  EXPECT_FALSE(staging->Link("none", source->directory() + "/none"));
  std::string table;
  for (const SnapshotFile& file : source->files()) {
    ASSERT_TRUE(staging->Link(file.name, source->directory() + "/" + file.name));
    EXPECT_EQ(staging->Size(file.name), file.bytes);
    if (file.name.ends_with(".sst")) table = file.name;
  }
  source.reset();
  auto linked = staging->Commit();
  ASSERT_TRUE(linked) << linked.error().ToString();
  EXPECT_EQ(RowOr((*linked)->Get("row")), "x");
  EXPECT_TRUE(fs::equivalent(Path("rows/5-2/" + table), Path("rows/5-3/" + table)));
  ASSERT_TRUE(WriteRow(*engine, "row", "y"));
  ASSERT_TRUE(FlushAndWait(*engine));
  EXPECT_EQ(RowOr((*linked)->Get("row")), "x") << "from here on each goes its own way";
}

// Truncating it would take the rows of whoever has the other name.
TEST_F(FileDiskTest, NobodyWritesThroughALink) {
  auto disk = Open();
  auto staging = *disk->Stage(Key(5, 3));
  Write(Path("precious"), "rows of somebody else");
  const auto place = fs::directory_iterator(Path("staging"))->path();
  fs::create_hard_link(Path("precious"), place / "forgotten.sst");
  ASSERT_TRUE(staging->Append("forgotten.sst", 0, "x"));
  ASSERT_TRUE(staging->Link("linked.sst", Path("precious")));
  EXPECT_EQ(staging->Append("linked.sst", 0, "x").error(), Errc::kInvalidArgument);
  EXPECT_EQ(staging->Link("none.sst", Path("missing")).error(), Errc::kImpossible);
  ASSERT_TRUE(staging->KeepOnly({"forgotten.sst"}));
  EXPECT_FALSE(fs::exists(place / "linked.sst"));
  std::string left;
  std::getline(std::ifstream(Path("precious")), left);
  EXPECT_EQ(left, "rows of somebody else");
}

TEST_F(FileDiskTest, ALinkedTableThatIsDamagedIsFound) {
  auto disk = Open();
  PutRow(*disk, std::string(5000, 'x'));
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(FlushAndWait(*engine));
  auto source = *CheckpointAndWait(*engine);
  auto staging = *disk->Stage(Key(5, 3));
  for (const SnapshotFile& file : source->files()) {
    ASSERT_TRUE(staging->Link(file.name, source->directory() + "/" + file.name));
    if (!file.name.ends_with(".sst")) continue;
    std::fstream damaged(source->directory() + "/" + file.name,
                         std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(20);
    damaged.put('\x55');
  }
  EXPECT_EQ(staging->Prepare().error(), Errc::kCorruption);
}

TEST_F(FileDiskTest, StagingIsEmptiedAtStart) {
  { Open(); }
  fs::create_directories(Path("staging/place-7"));
  Write(Path("staging/place-7/000001.sst"), "half");
  auto disk = Open();
  EXPECT_TRUE(fs::is_empty(Path("staging")));
}

TEST_F(FileDiskTest, RemovedRowsGiveTheirFilesBack) {
  auto disk = Open();
  PutRow(*disk, "x");
  ASSERT_TRUE(disk->RemoveRows(key_));
  EXPECT_TRUE(fs::is_empty(Path("rows")));
  disk.reset();  // they are unlinked in the background
  EXPECT_TRUE(fs::is_empty(Path("staging")));
}

// One background thread: the removal in front of the flush needs what an opening that waits for the
// flush must not hold.
TEST_F(FileDiskTest, OpeningWaitsForJobsWithoutHinderingOthers) {
  FileDiskOptions options = Options();
  options.background_threads = 1;
  auto disk = *OpenFileDisk(options);
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(WriteRow(*engine, "row", "x"));
  std::promise<void> release;
  std::promise<Status> removed;
  disk->RunInBackground([gate = release.get_future().share()] { gate.wait(); });
  disk->RunInBackground([&] { removed.set_value(disk->RemoveRows(Key(7, 7))); });
  engine->Flush([](const Status&) {});
  engine.reset();
  auto reopened = std::async(std::launch::async, [&] { return disk->OpenRows(key_); });
  release.set_value();
  EXPECT_TRUE(removed.get_future().get());
  EXPECT_TRUE(reopened.get());
}

TEST_F(FileDiskTest, SnapshotsRemoveTheirLinks) {
  auto disk = Open();
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  auto source = *CheckpointAndWait(*engine);
  EXPECT_FALSE(fs::is_empty(Path("staging")));
  source.reset();
  EXPECT_TRUE(fs::is_empty(Path("staging")));
}

TEST_F(FileDiskTest, RowsHeldByAViewAreNotReplacedUnderIt) {
  auto disk = Open();
  auto engine = *disk->OpenRows(key_);
  ASSERT_TRUE(WriteRow(*engine, "a", "1"));
  auto view = engine->View();
  engine.reset();
  EXPECT_EQ(disk->OpenRows(key_).error(), Errc::kConflict);
  EXPECT_EQ(RowOr(view->Get("a")), "1");
  view.reset();
  EXPECT_TRUE(disk->OpenRows(key_));
}

// ---- the mark of a disk that failed (P8) ----

TEST_F(FileDiskTest, Scenario17_AFailedSyncIsRememberedByTheDirectory) {
  std::atomic<bool> failing{false};
  FileDiskOptions options = Options();
  options.files = FaultyFiles([&](FileOp op, const std::string& path) {
    return failing && op == FileOp::kSync && path.ends_with(".log") ? EIO : 0;
  });
  {
    auto disk = *OpenFileDisk(options);
    failing = true;
    EXPECT_EQ(AppendAndWait(disk->log(), key_, PromiseRecord(1)).error(), Errc::kIo);
    failing = false;
  }
  for (int life = 0; life < 2; ++life) {
    const auto disk = TryOpen();
    ASSERT_FALSE(disk);
    EXPECT_EQ(disk.error(), Errc::kIo);
    for (const std::string& word :
         {Path("FAILED"), std::string("fdatasync"), std::string(".log")}) {
      EXPECT_NE(disk.error().detail().find(word), std::string::npos) << disk.error().detail();
    }
  }
}

TEST_F(FileDiskTest, AFullDiskIsNotAFailedOne) {
  std::atomic<bool> full{false};
  FileDiskOptions options = Options();
  options.files = FaultyFiles(
      [&](FileOp op, const std::string&) { return full && op == FileOp::kAllocate ? ENOSPC : 0; });
  {
    auto disk = *OpenFileDisk(options);
    full = true;
    Status status;
    for (std::uint64_t slot = 1; status; ++slot) {
      status = AppendAndWait(disk->log(), key_, VoteRecord(slot, 1, std::string(10'000, 'v')));
    }
    EXPECT_EQ(status.error(), Errc::kNoSpace);
  }
  EXPECT_TRUE(TryOpen());
}

TEST_F(FileDiskTest, NoRocksDbLogFilesPileUp) {
  for (int i = 0; i < 3; ++i) PutRow(*Open(), "x");
  for (const auto& entry : fs::recursive_directory_iterator(Path(""))) {
    EXPECT_NE(entry.path().filename().string().substr(0, 3), "LOG") << entry.path();
  }
}

}  // namespace
}  // namespace decree::store
