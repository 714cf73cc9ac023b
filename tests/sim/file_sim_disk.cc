// The second tier: whole nodes on the real log and the real RocksDB.
#include <utility>

#include "consensus/output.h"
#include "tests/sim/rocks_disk.h"
#include "tests/sim/sim_disk.h"

namespace decree::sim {
namespace {

// Tells of each record when it is durable.
class WatchedLog : public store::Log {
 public:
  using Watch = std::function<void(ReplicaKey, const consensus::Persist&)>;
  WatchedLog(store::Log& log, Watch watch) : log_(log), watch_(std::move(watch)) {}

  void Append(ReplicaKey key, consensus::Persist record, Done done) override {
    const auto shared = std::make_shared<const consensus::Persist>(record);
    log_.Append(key, std::move(record),
                [watch = watch_, key, shared, done = std::move(done)](Status status) {
                  if (status && watch) watch(key, *shared);
                  if (done) done(std::move(status));
                });
  }
  void Trim(ReplicaKey key, Slot slot) override { log_.Trim(key, slot); }
  void Forget(ReplicaKey key) override { log_.Forget(key); }
  Result<consensus::Recovered> Recover(ReplicaKey key) override { return log_.Recover(key); }
  std::vector<ReplicaKey> Replicas() override { return log_.Replicas(); }
  std::optional<ReplicaKey> OldestPin() override { return log_.OldestPin(); }

 private:
  store::Log& log_;
  const Watch watch_;
};

class WatchedDisk : public store::Disk {
 public:
  WatchedDisk(std::unique_ptr<store::Disk> disk, WatchedLog::Watch watch)
      : disk_(std::move(disk)), log_(disk_->log(), std::move(watch)) {}

  void SetBusy(bool busy) { busy_ = busy; }

  Incarnation incarnation() const override { return disk_->incarnation(); }
  const std::string& path() const override { return disk_->path(); }
  store::Log& log() override { return log_; }
  store::DiskSpace space() const override { return disk_->space(); }
  void RunInBackground(Task job) override { disk_->RunInBackground(std::move(job)); }
  Result<std::optional<std::string>> GetMeta(std::string_view key) override {
    return disk_->GetMeta(key);
  }
  Status PutMeta(std::string_view key, std::string_view value) override {
    return disk_->PutMeta(key, value);
  }
  Status DeleteMeta(std::string_view key) override { return disk_->DeleteMeta(key); }
  Result<std::vector<std::pair<std::string, std::string>>> ListMeta(
      std::string_view prefix) override {
    return disk_->ListMeta(prefix);
  }
  Result<std::unique_ptr<store::Engine>> OpenRows(ReplicaKey key) override {
    if (busy_) return Busy();
    return disk_->OpenRows(key);
  }
  Result<std::unique_ptr<store::Staging>> Stage(ReplicaKey key) override {
    if (busy_) return Busy();
    return disk_->Stage(key);
  }
  Status RemoveRows(ReplicaKey key) override {
    if (busy_) return Busy();
    return disk_->RemoveRows(key);
  }
  Result<std::vector<ReplicaKey>> ListRows() override { return disk_->ListRows(); }
  std::string RowsPath(ReplicaKey key) const override { return disk_->RowsPath(key); }

 private:
  static Error Busy() { return Error(Errc::kBusy, "injected: too many open files"); }

  const std::unique_ptr<store::Disk> disk_;
  WatchedLog log_;
  bool busy_ = false;
};

class FileSimDisk : public SimDisk {
 public:
  explicit FileSimDisk(SimDiskOptions options) : options_(std::move(options)) { Wipe(); }

  Result<store::Disk*> Open(DiskLife life) override {
    RocksDiskOptions rocks;
    rocks.path = options_.path;
    rocks.fs = fs_;
    rocks.log_goal_bytes = options_.log_goal_bytes;
    rocks.later = life.background;
    rocks.rocks_later = std::move(life.background);
    rocks.now_ns = std::move(life.now_ns);
    auto opened = OpenRocksDisk(std::move(rocks));
    if (!opened) {
      fs_ = fs_->AfterProcessEnd();
      return opened.error();
    }
    disk_ = std::make_unique<WatchedDisk>(*std::move(opened), std::move(life.on_durable));
    return disk_.get();
  }
  store::Disk& disk() override { return *disk_; }
  void PowerLoss() override { survivor_ = fs_->AfterPowerLoss(); }
  bool DieAfter(std::uint64_t calls, std::function<void()> died) override {
    fs_->DieAfter(calls, std::move(died));
    return true;
  }
  void Close() override {
    disk_.reset();
    failed_ = failed_ || fs_->sync_failed();
    fs_ = survivor_ ? std::exchange(survivor_, nullptr) : fs_->AfterProcessEnd();
  }

  void FailNextSync() override { fs_->FailNextSync(); }
  void SetFull(bool full) override {
    was_full_ = was_full_ || full;
    fs_->SetFull(full);
  }
  void SetBusy(bool busy) override {
    if (disk_) disk_->SetBusy(busy);
  }
  std::string Rot(Random& random) override {
    std::string what = fs_->Rot(options_.path + "/", random);
    rotten_ = rotten_ || !what.empty();
    return what;
  }
  void Wipe() override {
    Random seeds(options_.seed);
    fs_ = std::make_shared<SimFs>(seeds.Next());
    options_.seed = seeds.Next();
    failed_ = rotten_ = was_full_ = false;
  }
  bool excused() const override { return failed_ || rotten_ || was_full_; }

 private:
  SimDiskOptions options_;
  std::shared_ptr<SimFs> fs_;
  std::shared_ptr<SimFs> survivor_;  // of a power loss, until the node is gone
  std::unique_ptr<WatchedDisk> disk_;
  bool failed_ = false;
  bool rotten_ = false;
  bool was_full_ = false;
};

}  // namespace

std::unique_ptr<SimDisk> MakeFileSimDisk(SimDiskOptions options) {
  return std::make_unique<FileSimDisk>(std::move(options));
}

}  // namespace decree::sim
