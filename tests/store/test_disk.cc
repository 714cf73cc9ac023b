#include "tests/store/test_disk.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include "kv/store/file_disk.h"
#include "kv/store/mem_disk.h"
#include "tests/sim/rocks_disk.h"
#include "tests/store/power_loss.h"
#include "tests/store/temp_dir.h"

namespace decree::store {
namespace {

class MemTestDisk : public TestDisk {
 public:
  Disk& disk() override { return *disk_; }
  // A clean close writes what is queued and flushes nothing, so it leaves what a power loss leaves.
  void Reopen() override { Crash(); }
  void Crash() override {
    old_.push_back(std::move(disk_));
    disk_ = old_.back()->Crash(MemDiskOptions{});
  }

 private:
  std::vector<std::unique_ptr<MemDisk>> old_;
  std::unique_ptr<MemDisk> disk_ = std::make_unique<MemDisk>(MemDiskOptions{});
};

// The crash of a real disk is a copy of what was durable in its directory, taken while it is open.
// Small segments and a few threads keep the tests quick.
class FileTestDisk : public TestDisk {
 public:
  FileTestDisk() {
    std::filesystem::create_directory(Directory());
    Watch();
    Open();
  }
  ~FileTestDisk() override {
    disk_.reset();
    old_.clear();
  }
  Disk& disk() override { return *disk_; }
  void Reopen() override {
    disk_.reset();
    Open();
  }
  void Crash() override {
    ++life_;
    power_.back()->Survive(Directory());
    old_.push_back(std::move(disk_));
    Watch();
    Open();
  }

 private:
  std::string Directory() const { return directory_.Sub("life-" + std::to_string(life_)); }
  void Watch() { power_.push_back(std::make_unique<PowerLoss>(Directory())); }
  void Open() {
    FileDiskOptions options;
    options.path = Directory();
    options.segment_bytes = 1 << 18;
    options.files = FaultyFiles([power = power_.back().get()](FileOp op, const std::string& path) {
      return power->OnCall(op, path);
    });
    options.block_cache_bytes = 8 << 20;
    auto opened = OpenFileDisk(options);
    if (!opened) throw std::runtime_error(opened.error().ToString());
    disk_ = *std::move(opened);
  }

  TempDir directory_;
  int life_ = 0;
  std::vector<std::unique_ptr<PowerLoss>> power_;  // one a life; they outlive the disks
  std::vector<std::unique_ptr<Disk>> old_;
  std::unique_ptr<Disk> disk_;
};

// The real disk over the simulated file system, everything on one thread: tasks run at once, so
// that a test that waits for one finds it done. RocksDB's own jobs run where a flush needs them.
class SimulatedTestDisk : public TestDisk {
 public:
  SimulatedTestDisk() { Open(); }
  Disk& disk() override { return *disk_; }
  void Reopen() override {
    disk_.reset();
    fs_ = fs_->AfterProcessEnd();
    Open();
  }
  void Crash() override {
    fs_ = fs_->AfterPowerLoss();
    old_.push_back(std::move(disk_));
    Open();
  }

 private:
  void Open() {
    sim::RocksDiskOptions options;
    options.path = "/disk";
    options.fs = fs_;
    options.later = [this](const Task& task) {
      const std::lock_guard lock(mutex_);
      task();
    };
    options.rocks_later = [](const Task&) {};
    options.now_ns = [] { return 0; };
    auto opened = sim::OpenRocksDisk(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().ToString());
    disk_ = *std::move(opened);
  }

  std::recursive_mutex mutex_;  // some tests call from several threads; a task may ask for another
  std::shared_ptr<sim::SimFs> fs_ = std::make_shared<sim::SimFs>(1);
  std::vector<std::unique_ptr<Disk>> old_;
  std::unique_ptr<Disk> disk_;
};

consensus::Decree Command(const std::string& value) {
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kCommandBatch;
  if (!value.empty()) decree.payload = std::make_shared<const std::string>(value);
  return decree;
}

}  // namespace

std::vector<DiskKind> AllDiskKinds() {
  return {{"Mem", [] { return std::make_unique<MemTestDisk>(); }},
          {"File", [] { return std::make_unique<FileTestDisk>(); }},
          {"Simulated", [] { return std::make_unique<SimulatedTestDisk>(); }}};
}

Status AppendAndWait(Log& log, ReplicaKey key, consensus::Persist record) {
  return Await<Status>([&](auto done) { log.Append(key, std::move(record), done); });
}

Status FlushAndWait(Engine& engine) {
  return Await<Status>([&](auto done) { engine.Flush(done); });
}

Result<std::shared_ptr<SnapshotSource>> CheckpointAndWait(Engine& engine) {
  return Await<Result<std::shared_ptr<SnapshotSource>>>(
      [&](auto done) { engine.Checkpoint(done); });
}

Status WriteRow(Engine& engine, const std::string& key, const std::string& value) {
  return engine.Write({{key, value}});
}

std::string RowOr(const Result<std::optional<std::string>>& row) {
  if (!row) return "!" + std::string(ErrcName(row.error().code()));
  return row->value_or("-");
}

std::string Dump(const RowView& view) {
  std::string text;
  const auto cursor = view.NewCursor();
  for (cursor->Seek(""); cursor->Valid(); cursor->Next()) {
    if (!text.empty()) text += ' ';
    text.append(cursor->key()).append("=").append(cursor->value());
  }
  if (!cursor->status()) text += " !" + std::string(ErrcName(cursor->status().error().code()));
  return text;
}

consensus::Ballot MakeBallot(std::uint64_t round, std::uint64_t replica) {
  return {Epoch{1}, round, ReplicaId{replica}};
}

consensus::Persist PromiseRecord(std::uint64_t round) {
  consensus::Persist record;
  record.promised = MakeBallot(round);
  return record;
}

consensus::Persist VoteRecord(std::uint64_t slot, std::uint64_t round, const std::string& value) {
  consensus::Persist record;
  record.votes.push_back({Slot{slot}, MakeBallot(round), Command(value)});
  return record;
}

consensus::Persist ChosenRecord(std::uint64_t slot, const std::string& value) {
  consensus::Persist record;
  record.chosen.push_back({Slot{slot}, Command(value)});
  return record;
}

consensus::Persist WatermarkRecord(std::uint64_t slot) {
  consensus::Persist record;
  record.watermark = Slot{slot};
  return record;
}

std::string Describe(const consensus::Recovered& recovered) {
  auto votes = recovered.votes;
  auto chosen = recovered.chosen;
  const auto by_slot = [](const auto& a, const auto& b) { return a.slot < b.slot; };
  std::sort(votes.begin(), votes.end(), by_slot);
  std::sort(chosen.begin(), chosen.end(), by_slot);
  std::ostringstream out;
  out << "p" << recovered.promised.round << " w" << recovered.watermark.value;
  for (const auto& vote : votes) {
    out << " v" << vote.slot.value << "@" << vote.ballot.round << "=" << View(vote.decree.payload);
  }
  for (const auto& each : chosen) {
    out << " c" << each.slot.value << "=" << View(each.decree.payload);
  }
  return out.str();
}

std::string DescribeLog(Log& log, ReplicaKey key) {
  const auto recovered = log.Recover(key);
  if (!recovered) return "!" + recovered.error().ToString();
  return Describe(*recovered);
}

}  // namespace decree::store
