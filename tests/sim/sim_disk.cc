#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <utility>

#include "kv/store/mem_disk.h"

namespace decree::sim {
namespace {

class MemBackup : public DiskBackup {
 public:
  explicit MemBackup(std::shared_ptr<const store::MemDisk::Backup> of) : backup(std::move(of)) {}
  const std::shared_ptr<const store::MemDisk::Backup> backup;
};

const store::MemDisk::Backup& In(const DiskBackup& backup) {
  return *static_cast<const MemBackup&>(backup).backup;
}

class MemSimDisk : public SimDisk {
 public:
  explicit MemSimDisk(SimDiskOptions options)
      : options_(std::move(options)), disk_(std::make_unique<store::MemDisk>(Options())) {}
  // A disk that ends in peace reports what its log still holds, to executors that are gone.
  ~MemSimDisk() override { disk_ = disk_->Crash({}); }

  Result<store::Disk*> Open(DiskLife life) override {
    store::MemDiskOptions reborn = Options();
    reborn.background = std::move(life.background);
    reborn.flush_end = std::move(life.flush_end);
    reborn.opens = std::move(life.opens);
    reborn.on_durable = std::move(life.on_durable);
    disk_ = disk_->Crash(std::move(reborn));
    if (const Status usable = disk_->Usable(); !usable) return usable.error();
    return disk_.get();
  }
  void LosePower(Random* dice) override {
    if (dice) disk_->LosePower(*dice);
  }
  bool DieAfter(std::uint64_t /*calls*/, std::function<void()> /*died*/) override { return false; }
  void Close() override {}  // whatever ends a life, the next one finds what was durable

  bool HasRows(ReplicaKey key) override {
    const auto rows = disk_->ListRows();
    return rows && std::find(rows->begin(), rows->end(), key) != rows->end();
  }
  bool works() const override { return disk_->Usable().has_value(); }

  void FailSyncs() override { disk_->FailSyncs(); }
  void FailLogForSpace() override { disk_->FailLogForSpace(); }
  void DamageLog() override { disk_->DamageLog(); }
  bool DamageRows(Random& random) override { return disk_->DamageRows(random); }
  void DamageNextSnapshot() override { disk_->DamageNextSnapshot(); }
  void SetFull(bool full) override { disk_->SetFull(full); }
  void SetBusy(bool busy) override { disk_->SetBusy(busy); }
  void SetStalled(bool stalled) override { disk_->SetStalled(stalled); }
  std::shared_ptr<const DiskBackup> BackUp() override {
    return std::make_shared<MemBackup>(disk_->BackUp());
  }
  std::optional<ReplicaKey> PutBackRows(const DiskBackup& backup, std::uint64_t which) override {
    return disk_->PutBackRows(In(backup), which);
  }
  bool PutBackFact(const DiskBackup& backup, const std::string& key) override {
    return disk_->PutBackFact(In(backup), key);
  }

 private:
  store::MemDiskOptions Options() const {
    store::MemDiskOptions options;
    options.path = options_.path;
    options.incarnation = options_.incarnation;
    options.log_goal_bytes = options_.log_goal_bytes;
    return options;
  }

  const SimDiskOptions options_;
  std::unique_ptr<store::MemDisk> disk_;
};

}  // namespace

std::unique_ptr<SimDisk> MakeMemSimDisk(SimDiskOptions options) {
  return std::make_unique<MemSimDisk>(std::move(options));
}

std::unique_ptr<SimDisk> MakeSimDisk(SimDiskOptions options) {
  return options.storage == Storage::kFiles ? MakeFileSimDisk(std::move(options))
                                            : MakeMemSimDisk(std::move(options));
}

}  // namespace decree::sim
