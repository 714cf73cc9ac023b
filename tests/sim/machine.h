// A simulated machine: disks that survive it, and one life after another in which a whole node
// runs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/node/node_core.h"
#include "tests/sim/atlas.h"
#include "tests/sim/executor.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/transport.h"

namespace decree::sim {

struct DiskTimes {
  Nanos min_sync = 30 * kMicros;
  Nanos max_sync = 1 * kMillis;
  double slow = 0;  // chance that one takes up to max_slow
  Nanos max_slow = 300 * kMillis;
  bool slow_for_good = false;  // all of them, whatever heals
  Nanos max_flush = 0;         // how long writes go on before a flush that began with them ends
};

struct MachineOptions {
  MachineId id = 1;
  std::size_t workers = 1;
  std::size_t disks = 1;
  Storage storage = Storage::kMemory;
  DiskTimes disk_times;
  Clock clock;
  Hops hops;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
  Atlas* atlas = nullptr;     // is told of the members of shards
  bool mixed_leases = false;  // whether leases are on is drawn for each life
  node::NodeConfig config;    // advertise_rpc, log and on_disks_lost are filled in
};

// The checker as the node of one machine feeds it: a lease is told on that machine's clock.
class MachineWatch : public node::HostWatch {
 public:
  MachineWatch(CoreChecker& checker, Atlas* atlas, const Clock& clock)
      : checker_(checker), atlas_(atlas), clock_(clock) {}
  void Opened(ReplicaKey key, const consensus::Replica& replica) override;
  void Stepped(ReplicaKey key, const consensus::Replica& replica,
               const consensus::Output& output) override;
  void Applied(ReplicaKey key, const node::AppliedRun& run) override { checker_.Applied(key, run); }
  void ReadAsked(ReplicaKey key, const consensus::Replica& replica,
                 consensus::ReadId read) override {
    checker_.ReadAsked(key, replica, read);
  }
  void Buried(ReplicaKey key) override { checker_.Buried(key); }
  void Destroyed(ReplicaKey key) override { checker_.Destroyed(key); }
  void MapChanged(NodeId node, std::uint64_t version) override {
    checker_.MapChanged(node, std::exchange(map_version_, version), version);
  }
  // A new life may begin with an older map: that is a hint, and faults put old ones back.
  void Reborn() { map_version_ = 0; }

 private:
  CoreChecker& checker_;
  Atlas* const atlas_;
  const Clock& clock_;
  std::uint64_t map_version_ = 0;
};

class Machine {
 public:
  Machine(World& world, Network& network, MachineOptions options);
  ~Machine();

  MachineId id() const { return options_.id; }
  bool up() const { return running_ != nullptr; }
  bool started() const { return up() && running_->started; }
  bool stopping() const { return up() && running_->stopping; }
  bool paused() const { return up() && running_->life->paused_until > world_.now(); }
  std::uint32_t generation() const { return generation_; }
  const std::shared_ptr<Life>& life() const { return running_->life; }
  node::NodeCore& core() { return *running_->core; }
  SimExecutor& worker(std::size_t i) { return *running_->workers[i]; }
  std::size_t workers() const { return options_.workers; }
  SimDisk& disk(std::size_t i) { return *slots_[i].disk; }
  store::Disk& open_disk(std::size_t i) { return *slots_[i].open; }
  DiskTimes& disk_times() { return options_.disk_times; }

  void Boot();
  void KeepOff(bool off) { keep_off_ = off; }  // Boot does nothing then
  // Power loss: the node is gone at once, and what its disks had not synced. With dice, some of the
  // last writes had reached the disks all the same.
  void Crash();
  void Crash(Random& random);
  // The same in the middle of a disk's work: inside the nth call to the system from now on, and
  // soon. In memory at once.
  static constexpr Nanos kLongestDying = 50 * kMillis;
  void CrashInDiskCall(std::uint64_t nth);
  // The node stops as on SIGTERM; when it is done, the machine is off.
  void StopCleanly(Nanos grace);
  void Pause(Nanos duration);
  void JumpWall(std::int64_t by_ms) { options_.clock.wall_offset_ms += by_ms; }
  // The monotonic clock of this machine alone counts a time that did not pass.
  void JumpAhead(Nanos by);
  void SetDrift(std::int64_t ppm);
  // ---- disks that fail for good, or for a while ----
  // How many faults are at work that may cost the node its disks, and its process.
  void ExpectLoss(int more) { expected_losses_ += more; }
  void SetFull(std::size_t disk, bool full);
  // A new, empty disk in the place of an old one. Only while the machine is off.
  void ReplaceDisk(std::size_t disk);
  // Whom to join, should this machine start with empty disks.
  void SetJoin(std::vector<std::string> addresses);
  std::size_t disks() const { return slots_.size(); }

  // Out of the cluster: stops, and does not boot any more.
  void Retire();
  bool retired() const { return retired_; }
  // Ends what lasts and can be ended: pauses, slow disks.
  void Heal();

 private:
  struct Running {
    std::shared_ptr<Life> life;
    std::vector<std::unique_ptr<SimExecutor>> workers;
    std::unique_ptr<SimTransport> transport;
    std::unique_ptr<node::NodeCore> core;
    bool started = false;
    bool stopping = false;
  };

  // Where a disk is plugged in. The one place that makes disks.
  struct Slot {
    std::unique_ptr<SimDisk> disk;
    store::Disk* open = nullptr;
    std::uint32_t replaced = 0;
    bool full = false;
  };

  DiskLife LifeOfDisks(std::shared_ptr<Life> life);
  std::vector<store::Disk*> OpenDisks(const std::shared_ptr<Life>& life, node::NodeConfig& config);
  node::NodeConfig ConfigOfThisLife(const std::shared_ptr<Life>& life);
  void OnStarted(const std::shared_ptr<Life>& life, const Status& status);
  void Exit(const std::shared_ptr<Life>& life);
  std::unique_ptr<Running> MakeRunning();
  void LosePower(Random* dice);
  void TurnOff();

  World& world_;
  Network& network_;
  MachineOptions options_;
  MachineWatch watch_;
  std::uint32_t generation_ = 0;
  bool retired_ = false;
  bool keep_off_ = false;
  int expected_losses_ = 0;
  std::vector<Slot> slots_;
  std::unique_ptr<Running> running_;
};

}  // namespace decree::sim
