// The second tier: whole nodes on the real log and the real RocksDB.
#include <algorithm>
#include <cstdio>
#include <list>
#include <map>
#include <utility>

#include "consensus/output.h"
#include "tests/sim/libc_ban.h"
#include "tests/sim/rocks_disk.h"
#include "tests/sim/sim_disk.h"

namespace decree::sim {
namespace {

struct Doubt {
  ReplicaKey key;
  consensus::Persist record;
};
// Records that were appended and never reported, in their order: whoever reads the log again may
// find them.
using Doubts = std::list<std::shared_ptr<const Doubt>>;

bool Holds(const consensus::Recovered& log, const consensus::Persist& record) {
  if (record.promised && log.promised < *record.promised) return false;
  const auto voted = [&](const consensus::Vote& vote) {
    return std::any_of(log.votes.begin(), log.votes.end(), [&](const consensus::Vote& kept) {
      return kept.slot == vote.slot && kept.ballot >= vote.ballot;
    });
  };
  const auto stored = [&](const consensus::ChosenDecree& chosen) {
    return std::any_of(log.chosen.begin(), log.chosen.end(),
                       [&](const auto& kept) { return kept.slot == chosen.slot; });
  };
  return log.watermark >= record.watermark &&
         std::all_of(record.votes.begin(), record.votes.end(), voted) &&
         std::all_of(record.chosen.begin(), record.chosen.end(), stored);
}

// Tells of each record when it is durable: when it is reported, or found by the next life.
class WatchedLog : public store::Log {
 public:
  using Watch = std::function<void(ReplicaKey, const consensus::Persist&)>;
  WatchedLog(store::Log& log, std::shared_ptr<Doubts> doubts, Watch watch)
      : log_(log), doubts_(std::move(doubts)), watch_(std::move(watch)) {}

  void Append(ReplicaKey key, consensus::Persist record, Done done) override {
    const auto doubt = std::make_shared<const Doubt>(Doubt{key, record});
    doubts_->push_back(doubt);
    log_.Append(key, std::move(record),
                [watch = watch_, doubts = doubts_, doubt, done = std::move(done)](Status status) {
                  if (status) {
                    if (watch) watch(doubt->key, doubt->record);
                    doubts->remove(doubt);
                  }
                  if (done) done(std::move(status));
                });
  }
  void Trim(ReplicaKey key, Slot slot) override { log_.Trim(key, slot); }
  void Forget(ReplicaKey key) override { log_.Forget(key); }
  Result<consensus::Recovered> Recover(ReplicaKey key) override {
    auto recovered = log_.Recover(key);
    if (!recovered) return recovered;
    for (auto it = doubts_->begin(); it != doubts_->end();) {
      const auto each = it++;
      if ((*each)->key != key) continue;
      if (watch_ && Holds(*recovered, (*each)->record)) watch_(key, (*each)->record);
      doubts_->erase(each);
    }
    return recovered;
  }
  std::vector<ReplicaKey> Replicas() override { return log_.Replicas(); }
  std::optional<ReplicaKey> OldestPin() override { return log_.OldestPin(); }

 private:
  store::Log& log_;
  const std::shared_ptr<Doubts> doubts_;
  const Watch watch_;
};

// What a WatchedEngine is told by its disk.
struct EngineWatch {
  std::shared_ptr<const bool> stalled;
  std::function<void(Task)> flush_end;
};

// Says that it is stalled, when the disk does, and takes its time to flush. RocksDB reads clocks,
// none of which changes an answer, where it opens, closes and reports: the ban is lifted there.
class WatchedEngine : public store::Engine {
 public:
  WatchedEngine(std::unique_ptr<store::Engine> engine, EngineWatch watch)
      : engine_(std::move(engine)), watch_(std::move(watch)) {}
  ~WatchedEngine() override {
    const LibcBanLifted lifted;
    engine_.reset();
  }

  Status Write(const store::RowBatch& batch) override { return engine_->Write(batch); }
  bool Stalled() const override { return *watch_.stalled || engine_->Stalled(); }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return engine_->Get(key);
  }
  std::unique_ptr<store::RowView> View() const override { return engine_->View(); }
  void Flush(Done done) override {
    engine_->Flush([flush_end = watch_.flush_end, done = std::move(done)](const Status& status) {
      flush_end([done, status] {
        if (done) done(status);
      });
    });
  }
  void Checkpoint(SnapshotDone done) override { engine_->Checkpoint(std::move(done)); }
  void RunInBackground(std::function<void()> job) override {
    engine_->RunInBackground(std::move(job));
  }
  std::uint64_t ApproximateBytes() const override { return engine_->ApproximateBytes(); }
  std::uint64_t UnflushedBytes() const override { return engine_->UnflushedBytes(); }

 private:
  std::unique_ptr<store::Engine> engine_;
  const EngineWatch watch_;
};

// Commit opens what was staged.
class WatchedStaging : public store::Staging {
 public:
  WatchedStaging(std::unique_ptr<store::Staging> staging, EngineWatch watch)
      : staging_(std::move(staging)), watch_(std::move(watch)) {}

  Status Append(const std::string& file, std::uint64_t offset, std::string_view bytes) override {
    return staging_->Append(file, offset, bytes);
  }
  Status Link(const std::string& file, const std::string& path) override {
    return staging_->Link(file, path);
  }
  Status KeepOnly(const std::set<std::string>& files) override { return staging_->KeepOnly(files); }
  std::uint64_t Size(const std::string& file) const override { return staging_->Size(file); }
  Status Prepare() override {
    const LibcBanLifted lifted;
    return staging_->Prepare();
  }
  Result<std::unique_ptr<store::Engine>> Commit() override {
    const LibcBanLifted lifted;
    auto engine = staging_->Commit();
    if (!engine) return engine.error();
    return std::unique_ptr<store::Engine>(
        std::make_unique<WatchedEngine>(*std::move(engine), watch_));
  }

 private:
  const std::unique_ptr<store::Staging> staging_;
  const EngineWatch watch_;
};

class WatchedDisk : public store::Disk {
 public:
  WatchedDisk(std::unique_ptr<store::Disk> disk, std::shared_ptr<Doubts> doubts, DiskLife life)
      : disk_(std::move(disk)),
        log_(disk_->log(), std::move(doubts), std::move(life.on_durable)),
        watch_{stalled_, std::move(life.flush_end)},
        opens_(std::move(life.opens)) {}

  void SetBusy(bool busy) { busy_ = busy; }
  void SetStalled(bool stalled) { *stalled_ = stalled; }

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
    if (opens_) opens_();
    if (busy_) return Busy();
    const LibcBanLifted lifted;
    auto engine = disk_->OpenRows(key);
    if (!engine) return engine.error();
    return std::unique_ptr<store::Engine>(
        std::make_unique<WatchedEngine>(*std::move(engine), watch_));
  }
  Result<std::unique_ptr<store::Staging>> Stage(ReplicaKey key) override {
    if (busy_) return Busy();
    auto staging = disk_->Stage(key);
    if (!staging) return staging.error();
    return std::unique_ptr<store::Staging>(
        std::make_unique<WatchedStaging>(*std::move(staging), watch_));
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
  const std::shared_ptr<bool> stalled_ = std::make_shared<bool>(false);
  const EngineWatch watch_;
  const std::function<void()> opens_;
  bool busy_ = false;
};

class FileBackup : public DiskBackup {
 public:
  FsNodePtr rows;  // a copy of DIR/rows
  std::map<std::string, std::string> facts;
};

class FileSimDisk : public SimDisk {
 public:
  explicit FileSimDisk(SimDiskOptions options)
      : options_(std::move(options)), fs_(std::make_shared<SimFs>(options_.seed)) {}

  Result<store::Disk*> Open(DiskLife life) override {
    auto opened = OpenRocksDisk(Rocks(life.background, std::move(life.now_ns)));
    if (!opened) {
      Close();
      return opened.error();
    }
    disk_ = std::make_unique<WatchedDisk>(*std::move(opened), doubts_, std::move(life));
    return disk_.get();
  }
  void LosePower(Random* /*dice*/) override { survivor_ = fs_->AfterPowerLoss(); }
  bool DieAfter(std::uint64_t calls, std::function<void()> died) override {
    fs_->DieAfter(calls, std::move(died));
    return true;
  }
  void Close() override {
    disk_.reset();
    fs_ = survivor_ ? std::exchange(survivor_, nullptr) : fs_->AfterProcessEnd();
  }

  bool HasRows(ReplicaKey key) override {
    bool exists = false;
    const std::string name = ToString(key.shard) + "-" + ToString(key.replica);
    return fs_->Exists(options_.path + "/rows/" + name, &exists) == 0 && exists;
  }
  bool works() const override { return works_; }

  void FailSyncs() override {
    works_ = false;
    fs_->FailNextSync();
  }
  void FailLogForSpace() override {}
  // Not the last write: what a killed process wrote last cannot be told from a torn write, when
  // it is damaged (FORMATS.md).
  void DamageLog() override {
    works_ = false;
    fs_->Rot("/log/", SimFs::Where::kNotInLastWrite);
  }
  bool DamageRows(Random& /*random*/) override {
    if (fs_->Rot(".sst", SimFs::Where::kAnywhere).empty()) return false;
    works_ = false;
    return true;
  }
  void DamageNextSnapshot() override { fs_->DamageNextRead("/staging/frozen-"); }
  void SetFull(bool full) override { fs_->SetFull(full); }
  void SetBusy(bool busy) override {
    if (disk_) disk_->SetBusy(busy);
  }
  void SetStalled(bool stalled) override {
    if (disk_) disk_->SetStalled(stalled);
  }

  std::shared_ptr<const DiskBackup> BackUp() override {
    auto backup = std::make_shared<FileBackup>();
    backup->rows = fs_->Copy(options_.path + "/rows");
    if (!disk_) return backup;
    if (const auto facts = disk_->ListMeta("")) backup->facts = {facts->begin(), facts->end()};
    return backup;
  }
  std::optional<ReplicaKey> PutBackRows(const DiskBackup& backup, std::uint64_t which) override {
    const std::string name = fs_->PutBackOne(static_cast<const FileBackup&>(backup).rows,
                                             options_.path + "/rows", which);
    ReplicaKey key;
    unsigned long long replica = 0;
    if (std::sscanf(name.c_str(), "%u-%llu", &key.shard.value, &replica) != 2) return std::nullopt;
    key.replica = ReplicaId{replica};
    return key;
  }
  bool PutBackFact(const DiskBackup& backup, const std::string& key) override {
    const auto& facts = static_cast<const FileBackup&>(backup).facts;
    const auto old = facts.find(key);
    if (old == facts.end()) return false;
    // No job of RocksDB is run within the call that asks for it: nor is any run here.
    RocksDiskOptions rocks = Rocks([](const Task& task) { task(); }, [] { return 0; });
    rocks.rocks_later = [](const Task&) {};
    const auto disk = OpenRocksDisk(std::move(rocks));
    if (!disk) return false;
    const auto now = (*disk)->GetMeta(key);
    if (!now || !*now || **now == old->second) return false;
    const bool done{(*disk)->PutMeta(key, old->second)};
    return done;
  }

 private:
  RocksDiskOptions Rocks(std::function<void(Task)> later, std::function<std::int64_t()> now_ns) {
    RocksDiskOptions rocks;
    rocks.path = options_.path;
    rocks.fs = fs_;
    rocks.log_goal_bytes = options_.log_goal_bytes;
    rocks.later = later;
    rocks.rocks_later = std::move(later);
    rocks.now_ns = std::move(now_ns);
    return rocks;
  }

  const SimDiskOptions options_;
  std::shared_ptr<SimFs> fs_;
  std::shared_ptr<SimFs> survivor_;  // of a power loss, until the node is gone
  std::unique_ptr<WatchedDisk> disk_;
  bool works_ = true;
  const std::shared_ptr<Doubts> doubts_ = std::make_shared<Doubts>();
};

}  // namespace

std::unique_ptr<SimDisk> MakeFileSimDisk(SimDiskOptions options) {
  return std::make_unique<FileSimDisk>(std::move(options));
}

}  // namespace decree::sim
