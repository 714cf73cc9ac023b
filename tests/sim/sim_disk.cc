#include "tests/sim/sim_disk.h"

#include <utility>

#include "kv/store/mem_disk.h"

namespace decree::sim {
namespace {

class MemSimDisk : public SimDisk {
 public:
  explicit MemSimDisk(SimDiskOptions options) : options_(std::move(options)) { Wipe(); }
  // A disk that ends in peace reports what its log still holds, to executors that are gone.
  ~MemSimDisk() override { disk_ = disk_->Crash({}); }

  Result<store::Disk*> Open(DiskLife life) override {
    store::MemDiskOptions reborn = Options();
    reborn.background = std::move(life.background);
    reborn.on_durable = std::move(life.on_durable);
    disk_ = disk_->Crash(std::move(reborn));
    return disk_.get();
  }
  store::Disk& disk() override { return *disk_; }
  void PowerLoss() override {}  // whatever ends a life, the next one finds what was durable
  bool DieAfter(std::uint64_t /*calls*/, std::function<void()> /*died*/) override { return false; }
  void Close() override {}

  void FailNextSync() override { disk_->FailSyncs(); }
  void SetFull(bool full) override { disk_->SetFull(full); }
  void SetBusy(bool busy) override { disk_->SetBusy(busy); }
  std::string Rot(Random& /*random*/) override { return ""; }
  void Wipe() override {
    if (disk_) ++options_.incarnation.value;
    disk_ = std::make_unique<store::MemDisk>(Options());
  }
  bool excused() const override { return false; }

 private:
  store::MemDiskOptions Options() const {
    store::MemDiskOptions options;
    options.path = options_.path;
    options.incarnation = options_.incarnation;
    options.log_goal_bytes = options_.log_goal_bytes;
    return options;
  }

  SimDiskOptions options_;
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
