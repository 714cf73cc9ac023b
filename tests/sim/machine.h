// A simulated machine: disks that survive it, and one life after another in which a whole node
// runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kv/store/mem_disk.h"
#include "server/node/node_core.h"
#include "tests/sim/executor.h"
#include "tests/sim/transport.h"

namespace decree::sim {

struct DiskTimes {
  Nanos min_sync = 30 * kMicros;
  Nanos max_sync = 1 * kMillis;
  double slow = 0;  // chance that one takes up to max_slow
  Nanos max_slow = 300 * kMillis;
};

struct MachineOptions {
  MachineId id = 1;
  std::size_t workers = 1;
  std::size_t disks = 1;
  DiskTimes disk_times;
  Clock clock;
  Nanos max_hop = 20 * kMicros;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
  node::NodeConfig config;  // advertise_rpc, log and on_disks_lost are filled in
};

// The checker as the node of one machine feeds it: a lease is told on that machine's clock.
class MachineWatch : public node::HostWatch {
 public:
  MachineWatch(CoreChecker& checker, const Clock& clock) : checker_(checker), clock_(clock) {}
  void Opened(ReplicaKey key, const consensus::Replica& replica) override {
    checker_.Opened(key, replica);
  }
  void Stepped(ReplicaKey key, const consensus::Replica& replica,
               const consensus::Output& output) override;

 private:
  CoreChecker& checker_;
  const Clock& clock_;
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
  store::MemDisk& disk(std::size_t i) { return *disks_[i]; }
  Clock& clock() { return options_.clock; }
  DiskTimes& disk_times() { return options_.disk_times; }

  void Boot();
  // Power loss: the node is gone at once, and what its disks had not synced.
  void Crash();
  // The node stops as on SIGTERM; when it is done, the machine is off.
  void StopCleanly(Nanos grace);
  void Pause(Nanos duration);

 private:
  struct Running {
    std::shared_ptr<Life> life;
    std::vector<std::unique_ptr<SimExecutor>> workers;
    std::unique_ptr<SimTransport> transport;
    std::unique_ptr<node::NodeCore> core;
    bool started = false;
    bool stopping = false;
  };

  store::MemDiskOptions DiskOptions(std::size_t i, std::shared_ptr<Life> life);
  node::NodeConfig ConfigOfThisLife();
  std::unique_ptr<Running> MakeRunning();
  void TurnOff();

  World& world_;
  Network& network_;
  MachineOptions options_;
  MachineWatch watch_;
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<store::MemDisk>> disks_;
  std::unique_ptr<Running> running_;
};

}  // namespace decree::sim
