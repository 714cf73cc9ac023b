// A disk whose process is killed, or whose power goes, at any call to the system: while it is
// furnished, and while rows are replaced (FORMATS.md, "A data directory", "Replacing rows").
#include <errno.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>

#include "consensus/replica.h"
#include "kv/store/file_disk.h"
#include "tests/base/scale.h"
#include "tests/store/machine_fixture.h"
#include "tests/store/power_loss.h"
#include "tests/store/temp_dir.h"
#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

namespace fs = std::filesystem;

// A data directory in which a life can be made to end: from some call on, none changes anything.
class MortalDisk {
 public:
  std::string path() const { return dir_.Sub("data"); }
  Result<std::unique_ptr<Disk>> Open() {
    FileDiskOptions options;
    options.path = path();
    options.segment_bytes = 1 << 14;
    options.block_cache_bytes = 1 << 20;
    options.files = FaultyFiles([this](FileOp op, const std::string& at) {
      if (calls_left_ == 0) return EIO;
      if (calls_left_ > 0) --calls_left_;
      return power_.OnCall(op, at);
    });
    return OpenFileDisk(options);
  }
  void EndAfter(int calls) { calls_left_ = calls; }
  // The process is gone. What it wrote stays in the page cache.
  void Kill(std::unique_ptr<Disk> disk) {
    calls_left_ = 0;
    disk.reset();
    calls_left_ = -1;
  }
  void LosePower(std::unique_ptr<Disk> disk) {
    Kill(std::move(disk));
    power_.Strike();
  }

 private:
  TempDir dir_;
  PowerLoss power_{(fs::create_directory(path()), path())};
  std::atomic<int> calls_left_{-1};
};

enum class Ending { kKill, kPowerLoss };

class FileDiskPowerTest : public testing::TestWithParam<Ending> {
 protected:
  // All files of a snapshot, in the staging place of the replica.
  std::unique_ptr<Staging> StagedFrom(Disk& disk, const SnapshotSource& source) {
    auto staging = *disk.Stage(key_);
    for (const SnapshotFile& file : source.files()) {
      EXPECT_TRUE(staging->Append(file.name, 0, *source.Read(file.name, 0, file.bytes)));
    }
    return staging;
  }
  void End(MortalDisk& disk, std::unique_ptr<Disk> open) {
    GetParam() == Ending::kKill ? disk.Kill(std::move(open)) : disk.LosePower(std::move(open));
  }
  void WriteFlushed(Disk& disk, const std::string& value) {
    auto engine = *disk.OpenRows(key_);
    ASSERT_TRUE(WriteRow(*engine, "row", value));
    ASSERT_TRUE(FlushAndWait(*engine));
  }
  std::string Rows(Disk& disk) { return Dump(*(*disk.OpenRows(key_))->View()); }

  const ReplicaKey key_ = Key(5, 2);
};

INSTANTIATE_TEST_SUITE_P(Endings, FileDiskPowerTest,
                         testing::Values(Ending::kKill, Ending::kPowerLoss), [](const auto& param) {
                           return param.param == Ending::kKill ? "Kill" : "PowerLoss";
                         });

TEST_P(FileDiskPowerTest, FurnishingThatWasCutOffStartsAgainOrIsWhole) {
  for (int calls = 0;; calls += test::ScaledStep()) {
    MortalDisk disk;
    disk.EndAfter(calls);
    auto furnished = disk.Open();
    const bool done = furnished.has_value();
    End(disk, done ? *std::move(furnished) : nullptr);
    auto opened = disk.Open();
    ASSERT_TRUE(opened) << "after call " << calls << ": " << opened.error().ToString();
    // From here on the disk is in use: whatever made its directory, it must not begin afresh.
    const Incarnation incarnation = (*opened)->incarnation();
    ASSERT_TRUE(AppendAndWait((*opened)->log(), key_, PromiseRecord(3)));
    ASSERT_TRUE((*opened)->PutMeta("fact", "1"));
    WriteFlushed(**opened, "flushed");
    disk.LosePower(*std::move(opened));
    opened = disk.Open();
    ASSERT_TRUE(opened) << "after call " << calls << ": " << opened.error().ToString();
    EXPECT_EQ((*opened)->incarnation(), incarnation) << "after call " << calls;
    EXPECT_EQ(DescribeLog((*opened)->log(), key_), "p3 w0") << "after call " << calls;
    EXPECT_EQ(*(*opened)->GetMeta("fact"), "1") << "after call " << calls;
    EXPECT_EQ(Rows(**opened), "row=flushed") << "after call " << calls;
    if (done) break;
  }
}

TEST_P(FileDiskPowerTest, Scenario15_ACommitThatWasCutOffLeavesOldOrNewRows) {
  bool saw_old = false;
  bool saw_new = false;
  for (int calls = 0;; ++calls) {
    MortalDisk mortal;
    auto disk = *mortal.Open();
    WriteFlushed(*disk, "new");
    auto engine = *disk->OpenRows(key_);
    const auto source = *CheckpointAndWait(*engine);
    ASSERT_TRUE(engine->Write({{"row", "old"}, {"extra", "old"}}));
    ASSERT_TRUE(FlushAndWait(*engine));
    engine.reset();
    auto staging = StagedFrom(*disk, *source);
    mortal.EndAfter(calls);
    const bool committed = staging->Commit().has_value();
    mortal.EndAfter(0);
    staging.reset();
    End(mortal, std::move(disk));
    disk = *mortal.Open();
    EXPECT_EQ(*disk->ListRows(), std::vector<ReplicaKey>{key_}) << "after call " << calls;
    const std::string rows = Rows(*disk);
    EXPECT_TRUE(rows == "row=new" || rows == "extra=old row=old") << rows << " after " << calls;
    saw_old |= rows != "row=new";
    saw_new |= rows == "row=new" && !committed;
    mortal.LosePower(std::move(disk));
    disk = *mortal.Open();
    EXPECT_EQ(Rows(*disk), rows) << "believed, then lost, after call " << calls;
    if (committed) {
      EXPECT_EQ(rows, "row=new");
      break;
    }
  }
  EXPECT_TRUE(saw_old && saw_new);
}

consensus::Config ThreeVoters() {
  consensus::Config config = GenesisConfig();
  for (std::uint32_t i = 2; i <= 3; ++i) config.voters.push_back({ReplicaId{i}, NodeId{i}});
  return config;
}

// Rows that hold what the commands of slots 1 to `applied` made, flushed.
std::unique_ptr<Engine> RowsAt(Disk& disk, ReplicaKey key, std::uint64_t applied) {
  auto engine = *disk.OpenRows(key);
  const auto machine = *KvMachine::Open(*engine, ThreeVoters());
  for (std::uint64_t slot = 1; slot <= applied; ++slot) {
    const Command put = PutCommand("key", "value " + std::to_string(slot));
    EXPECT_TRUE(machine->Apply({BatchDecree(Slot{slot}, 1000, {put})}));
  }
  EXPECT_TRUE(FlushAndWait(*engine));
  return engine;
}

// Opens the replica as its host does. It keeps to its promise of round 9 and to its vote at slot 7;
// returns how far it has applied.
Slot OpenedReplica(Disk& disk, ReplicaKey key) {
  const auto engine = *disk.OpenRows(key);
  const auto machine = *KvMachine::Open(*engine, ThreeVoters());
  const Slot applied = machine->facts().applied;
  const Result<ReadResult> read = machine->Read({"key", {}});
  EXPECT_EQ(read ? read->value : "", "value " + ToString(applied));
  consensus::Recovered recovered = *disk.log().Recover(key);
  recovered.config = machine->facts().config;
  recovered.applied = applied;
  consensus::Replica replica(key.replica, std::move(recovered), {}, 1, Instant{});
  EXPECT_EQ(replica.applied(), applied);
  EXPECT_EQ(replica.promised(), MakeBallot(9));
  const consensus::Vote* vote = replica.VoteAt(Slot{7});
  EXPECT_TRUE(vote && vote->ballot == MakeBallot(9));
  const consensus::Prepare lower{MakeBallot(8, 3), Slot{1}, {}};
  replica.Receive(Instant{1}, {ReplicaId{3}, NodeId{3}}, lower);
  const consensus::Output out = replica.TakeOutput();
  const auto* refusal =
      out.send.empty() ? nullptr : std::get_if<consensus::Promise>(&out.send.front().message);
  EXPECT_TRUE(refusal && refusal->promised == MakeBallot(9));
  return applied;
}

// The replica, not only its rows: the log must not have gone the way of what was replaced.
TEST_P(FileDiskPowerTest, Scenario15_AReplicaOpenedAfterTheCutIsTheOldOrTheNewOne) {
  std::set<Slot> seen;
  for (int calls = 0;; calls += test::ScaledStep()) {
    SCOPED_TRACE("after call " + std::to_string(calls));
    MortalDisk mortal;
    auto disk = *mortal.Open();
    consensus::Persist record = VoteRecord(7, 9, "above both");
    record.promised = MakeBallot(9);
    ASSERT_TRUE(AppendAndWait(disk->log(), key_, record));
    RowsAt(*disk, key_, 2);
    const auto source = *CheckpointAndWait(*RowsAt(*disk, Key(5, 1), 6));
    auto staging = StagedFrom(*disk, *source);
    mortal.EndAfter(calls);
    const bool committed = staging->Commit().has_value();
    mortal.EndAfter(0);
    staging.reset();
    End(mortal, std::move(disk));
    disk = *mortal.Open();
    const Slot applied = OpenedReplica(*disk, key_);
    EXPECT_TRUE(applied == Slot{6} || (applied == Slot{2} && !committed)) << ToString(applied);
    seen.insert(applied);
    if (committed) break;
  }
  EXPECT_EQ(seen, (std::set{Slot{2}, Slot{6}}));
}

TEST_P(FileDiskPowerTest, RowsWhoseCreationWasCutOffKeepWhatIsFlushedLater) {
  for (int calls = 0;; ++calls) {
    MortalDisk mortal;
    auto disk = *mortal.Open();
    mortal.EndAfter(calls);
    const bool created = disk->OpenRows(key_).has_value();
    End(mortal, std::move(disk));
    disk = *mortal.Open();
    WriteFlushed(*disk, "flushed");
    mortal.LosePower(std::move(disk));
    disk = *mortal.Open();
    EXPECT_EQ(*disk->ListRows(), std::vector<ReplicaKey>{key_}) << "after call " << calls;
    EXPECT_EQ(Rows(*disk), "row=flushed") << "after call " << calls;
    if (created) break;
  }
}

TEST_P(FileDiskPowerTest, RemovedRowsStayRemoved) {
  MortalDisk mortal;
  auto disk = *mortal.Open();
  WriteFlushed(*disk, "x");
  ASSERT_TRUE(disk->RemoveRows(key_));
  End(mortal, std::move(disk));
  EXPECT_TRUE((*mortal.Open())->ListRows()->empty());
}

}  // namespace
}  // namespace decree::store
