#include "tests/sim/machine.h"

#include <cstdio>
#include <utility>

namespace decree::sim {

void MachineWatch::Stepped(ReplicaKey key, const consensus::Replica& replica,
                           const consensus::Output& output) {
  checker_.Stepped(key, replica, output);
  const std::optional<Instant> until = replica.LeaseUntil();
  checker_.Lease(key, replica, until ? std::optional(clock_.WorldTime(*until)) : std::nullopt);
}

Machine::Machine(World& world, Network& network, MachineOptions options)
    : world_(world),
      network_(network),
      options_(std::move(options)),
      watch_(network.core_checker(), options_.clock) {
  const auto unborn = std::make_shared<Life>(Life{options_.id, 0, false, 0});
  for (std::size_t i = 0; i < options_.disks; ++i) {
    disks_.push_back(std::make_unique<store::MemDisk>(DiskOptions(i, unborn)));
  }
}

Machine::~Machine() {
  if (up()) TurnOff();
  // A disk that ends in peace reports what its log still holds, to executors that are gone.
  for (auto& disk : disks_) disk = disk->Crash({});
}

store::MemDiskOptions Machine::DiskOptions(std::size_t i, std::shared_ptr<Life> life) {
  store::MemDiskOptions options;
  options.path = "n" + std::to_string(options_.id) + "/disk" + std::to_string(i);
  options.incarnation = Incarnation{options_.id * 1000 + i + 1};
  options.log_goal_bytes = options_.log_goal_bytes;
  options.on_durable = [this](ReplicaKey key, const consensus::Persist& record) {
    network_.core_checker().Durable(key, record);
  };
  options.background = [this, life = std::move(life)](Task task) {
    const DiskTimes& times = options_.disk_times;
    Nanos delay = world_.Between(times.min_sync, times.max_sync);
    if (world_.random().Chance(times.slow)) delay += world_.Between(0, times.max_slow);
    world_.At(world_.now() + delay, EventKind::kDisk, life, 0, std::move(task));
  };
  return options;
}

node::NodeConfig Machine::ConfigOfThisLife() {
  node::NodeConfig config = options_.config;
  config.advertise_rpc = AddressOf(options_.id);
  config.watch = &watch_;
  config.on_disks_lost = [this](const std::string& why) {
    world_.Fail("node " + std::to_string(options_.id) + " stopped for good: " + why);
  };
  return config;
}

std::unique_ptr<Machine::Running> Machine::MakeRunning() {
  auto running = std::make_unique<Running>();
  running->life = std::make_shared<Life>(Life{options_.id, ++generation_, true, 0});
  // A monotonic clock is comparable only within one life.
  options_.clock.start = world_.Between(0, 1'000 * kSeconds);
  std::vector<Executor*> workers;
  for (std::size_t i = 0; i < options_.workers; ++i) {
    running->workers.push_back(
        std::make_unique<SimExecutor>(world_, running->life, options_.clock, options_.max_hop));
    workers.push_back(running->workers.back().get());
  }
  std::vector<store::Disk*> disks;
  for (std::size_t i = 0; i < disks_.size(); ++i) {
    disks_[i] = disks_[i]->Crash(DiskOptions(i, running->life));
    disks.push_back(disks_[i].get());
  }
  running->transport = std::make_unique<SimTransport>(world_, network_, running->life);
  running->core =
      std::make_unique<node::NodeCore>(ConfigOfThisLife(), workers, *running->transport, disks);
  return running;
}

void Machine::Boot() {
  if (up()) return;
  running_ = MakeRunning();
  world_.Trace("boot", options_.id, generation_);
  node::NodeCore* core = running_->core.get();
  running_->transport->Listen(
      [core](std::vector<consensus::Envelope> envelopes) {
        core->OnEnvelopes(std::move(envelopes));
      },
      [core](NodeId from, RpcRequest request, RpcReply reply) {
        core->OnRequest(from, std::move(request), std::move(reply));
      });
  core->Start([this, running = running_.get(), life = running_->life](Status status) {
    if (!life->alive) return;
    world_.Trace("started", life->machine, life->generation, status.has_value());
    running->started = status.has_value();
    if (status || running->stopping) return;
    if (status.error() != Errc::kUnavailable) {
      return world_.Fail("a node does not start: " + status.error().ToString());
    }
    // Nobody to join was found: a supervisor starts the daemon again.
    world_.After(500 * kMillis, [this, life] {
      if (!life->alive) return;
      TurnOff();
      Boot();
    });
  });
}

void Machine::TurnOff() {
  running_->life->alive = false;
  world_.End(*running_->life);
  running_->transport->Close();
  running_->core.reset();
  running_.reset();
}

void Machine::Crash() {
  if (!up()) return;
  world_.Trace("crash", options_.id, generation_);
  TurnOff();
}

void Machine::StopCleanly(Nanos grace) {
  if (!up() || running_->stopping) return;
  world_.Trace("stop", options_.id, generation_);
  running_->stopping = true;
  const std::shared_ptr<Life> life = running_->life;
  running_->core->Stop(Duration(grace), [this, life] {
    // Off in an event of its own: the node is still on the stack here.
    world_.After(1, [this, life] {
      if (life->alive) TurnOff();
    });
  });
}

void Machine::Pause(Nanos duration) {
  if (!up()) return;
  world_.Trace("pause", options_.id, static_cast<std::uint64_t>(duration));
  running_->life->paused_until = world_.now() + duration;
}

}  // namespace decree::sim
