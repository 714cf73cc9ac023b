#include "tests/sim/machine.h"

#include <cstdio>
#include <utility>

namespace decree::sim {

void MachineWatch::Opened(ReplicaKey key, const consensus::Replica& replica) {
  if (atlas_) atlas_->Note(key.shard, replica);
  checker_.Opened(key, replica);
}

void MachineWatch::Stepped(ReplicaKey key, const consensus::Replica& replica,
                           const consensus::Output& output) {
  if (atlas_ && (output.leadership_changed || !output.chosen.empty())) {
    atlas_->Note(key.shard, replica);
  }
  checker_.Stepped(key, replica, output);
  const std::optional<Instant> until = replica.LeaseUntil();
  checker_.Lease(key, replica, until ? std::optional(clock_.WorldTime(*until)) : std::nullopt);
}

Machine::Machine(World& world, Network& network, MachineOptions options)
    : world_(world),
      network_(network),
      options_(std::move(options)),
      watch_(network.core_checker(), options_.atlas, options_.clock) {
  slots_.resize(options_.disks);
  for (std::size_t i = 0; i < slots_.size(); ++i) ReplaceDisk(i);
}

Machine::~Machine() { Crash(); }

DiskLife Machine::LifeOfDisks(std::shared_ptr<Life> life) {
  DiskLife options;
  options.now_ns = [this] { return world_.now(); };
  options.on_durable = [this](ReplicaKey key, const consensus::Persist& record) {
    network_.core_checker().Durable(key, record);
  };
  options.opens = [this] {
    const Nanos longest = options_.hops.max_opening;
    if (longest > 0) world_.Spend(world_.Between(0, longest));
  };
  options.flush_end = [this, life](Task task) {
    const Nanos longest = options_.disk_times.max_flush;
    if (longest == 0) return task();
    world_.At(world_.now() + world_.Between(0, longest), EventKind::kDisk, life, 0,
              std::move(task));
  };
  options.background = [this, life = std::move(life)](Task task) {
    const DiskTimes& times = options_.disk_times;
    Nanos delay = world_.Between(times.min_sync, times.max_sync);
    if (times.slow_for_good || world_.random().Chance(times.slow))
      delay += world_.Between(0, times.max_slow);
    world_.At(world_.now() + delay, EventKind::kDisk, life, 0, std::move(task));
  };
  return options;
}

node::NodeConfig Machine::ConfigOfThisLife(const std::shared_ptr<Life>& life) {
  node::NodeConfig config = options_.config;
  config.advertise_rpc = AddressOf(options_.id);
  if (options_.mixed_leases) config.consensus.leases = world_.random().Chance(0.5);
  config.watch = &watch_;
  config.log = [this](LogLevel, std::string_view line) { world_.Say(options_.id, line); };
  config.on_disks_lost = [this, life](const std::string& why) {
    if (!life->alive) return;  // it dies in a disk call: nothing works any more, and nobody hears
    if (expected_losses_ == 0) {
      world_.Fail("node " + std::to_string(options_.id) + " stopped for good: " + why);
    }
    Exit(life);
  };
  return config;
}

// As decreed does: a directory that does not open is left out, if another one does.
std::vector<store::Disk*> Machine::OpenDisks(const std::shared_ptr<Life>& life,
                                             node::NodeConfig& config) {
  std::vector<store::Disk*> disks;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const Result<store::Disk*> opened = slot.disk->Open(LifeOfDisks(life));
    slot.disk->SetFull(slot.full);
    slot.open = opened ? *opened : nullptr;
    if (opened) {
      disks.push_back(*opened);
      continue;
    }
    config.lost_disk = opened.error();
    if (expected_losses_ == 0) {
      world_.Fail("a disk does not open: " + opened.error().ToString());
    }
  }
  return disks;
}

std::unique_ptr<Machine::Running> Machine::MakeRunning() {
  auto running = std::make_unique<Running>();
  watch_.Reborn();
  running->life = std::make_shared<Life>(Life{options_.id, ++generation_, true, 0});
  // A monotonic clock is comparable only within one life.
  options_.clock.start = world_.Between(0, 1'000 * kSeconds);
  std::vector<Executor*> workers;
  for (std::size_t i = 0; i < options_.workers; ++i) {
    running->workers.push_back(
        std::make_unique<SimExecutor>(world_, running->life, options_.clock, options_.hops));
    workers.push_back(running->workers.back().get());
  }
  node::NodeConfig config = ConfigOfThisLife(running->life);
  const std::vector<store::Disk*> disks = OpenDisks(running->life, config);
  if (disks.empty()) return nullptr;
  running->transport = std::make_unique<SimTransport>(world_, network_, running->life);
  running->core =
      std::make_unique<node::NodeCore>(std::move(config), workers, *running->transport, disks);
  return running;
}

void Machine::Boot() {
  if (up() || retired_ || keep_off_) return;
  running_ = MakeRunning();
  world_.Trace("boot", options_.id, generation_, up());
  if (!up()) return;  // no disk opens: it takes a person to mend that
  node::NodeCore* core = running_->core.get();
  running_->transport->Listen(
      [core](std::vector<consensus::Envelope> envelopes) {
        core->OnEnvelopes(std::move(envelopes));
      },
      [core](NodeId from, RpcRequest request, RpcReply reply) {
        core->OnRequest(from, std::move(request), std::move(reply));
      },
      [core](NodeId node) { core->OnLinkDown(node); });
  core->Start([this, life = running_->life](const Status& status) {
    if (life->alive) OnStarted(life, status);
  });
}

void Machine::OnStarted(const std::shared_ptr<Life>& life, const Status& status) {
  world_.Trace("started", life->machine, life->generation, status.has_value());
  running_->started = status.has_value();
  if (status || running_->stopping) return;
  // kUnavailable: nobody to join was found. kBusy: too many files were open just then.
  const bool passing = status.error() == Errc::kUnavailable || status.error() == Errc::kBusy;
  if (!passing && expected_losses_ == 0) {
    return world_.Fail("a node does not start: " + status.error().ToString());
  }
  Exit(life);
}

// The process ends with an error; a supervisor starts it again.
void Machine::Exit(const std::shared_ptr<Life>& life) {
  running_->started = false;
  world_.After(500 * kMillis, [this, life] {
    if (!life->alive) return;
    TurnOff();
    Boot();
  });
}

void Machine::TurnOff() {
  running_->life->alive = false;
  world_.End(*running_->life);
  running_->transport->Close();
  running_->core.reset();
  running_->transport.reset();  // with what waits for answers, and holds what lies on the disks
  for (Slot& slot : slots_) slot.disk->Close();
  running_.reset();
}

void Machine::Crash() {
  if (!up()) return;
  LosePower(nullptr);
}

void Machine::Crash(Random& random) {
  if (!up()) return;
  LosePower(&random);
}

void Machine::LosePower(Random* dice) {
  world_.Trace("crash", options_.id, generation_);
  for (Slot& slot : slots_) slot.disk->LosePower(dice);
  TurnOff();
}

void Machine::CrashInDiskCall(std::uint64_t nth) {
  if (!up()) return;
  const std::shared_ptr<Life> life = running_->life;
  const auto crash = [this, life] {
    if (up() && running_->life == life) Crash();
  };
  // The node stands on the stack: nothing of it leaves the machine any more, and it ends at once.
  const auto died = [life, crash, this] {
    life->alive = false;
    world_.After(0, crash);
  };
  bool waits = true;
  for (Slot& slot : slots_) waits = slot.disk->DieAfter(nth, died) && waits;
  world_.After(waits ? kLongestDying - 1 : 0, crash);  // an idle disk makes no calls
}

void Machine::SetFull(std::size_t disk, bool full) {
  slots_[disk].full = full;
  slots_[disk].disk->SetFull(full);
}

void Machine::ReplaceDisk(std::size_t disk) {
  Slot& slot = slots_[disk];
  ++slot.replaced;
  slot.full = false;
  SimDiskOptions options;
  options.storage = options_.storage;
  options.path = "/n" + std::to_string(options_.id) + "/disk" + std::to_string(disk);
  options.incarnation = Incarnation{options_.id * 1000 + slot.replaced * 10 + disk};
  options.log_goal_bytes = options_.log_goal_bytes;
  if (options.storage == Storage::kFiles) options.seed = world_.random().Next();
  slot.disk = MakeSimDisk(std::move(options));
}

void Machine::SetJoin(std::vector<std::string> addresses) {
  options_.config.join = std::move(addresses);
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
  world_.Pause(*running_->life, world_.now() + duration);
}

void Machine::JumpAhead(Nanos by) {
  if (!up()) return;
  world_.Trace("jump ahead", options_.id, static_cast<std::uint64_t>(by));
  options_.clock.start += by;
  world_.Hurry(*running_->life, by);
}

void Machine::SetDrift(std::int64_t ppm) {
  Clock& clock = options_.clock;
  clock.start += world_.now() / 1'000'000 * (clock.drift_ppm - ppm);  // goes on from where it is
  clock.drift_ppm = ppm;
}

void Machine::Retire() {
  retired_ = true;
  StopCleanly(1 * kSeconds);
}

void Machine::Heal() {
  options_.disk_times.slow = 0;
  if (paused()) Pause(0);
  for (Slot& slot : slots_) {
    slot.full = false;
    slot.disk->SetFull(false);
    slot.disk->SetBusy(false);
    slot.disk->SetStalled(false);
  }
}

}  // namespace decree::sim
