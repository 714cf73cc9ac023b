#include "server/node/log_relief.h"

#include <utility>

#include "kv/base/mark.h"
#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kIdlePause = 500ms;
constexpr Duration kBusyPause = 20ms;  // one replica after another, as long as the log is too long

}  // namespace

void LogRelief::Tick(std::uint64_t generation) {
  if (generation != generation_ || node_->stopping) return;
  bool busy = false;
  for (store::Disk* disk : node_->disks) {
    if (!node_->control->DiskFailed(*disk)) busy |= Relieve(*disk);
  }
  Executor& executor = node_->workers[0]->executor();
  executor.RunAt(executor.Now() + (busy ? kBusyPause : kIdlePause),
                 [this, generation] { Tick(generation); });
}

bool LogRelief::Relieve(store::Disk& disk) {
  const std::optional<ReplicaKey> pin = disk.log().OldestPin();
  if (!pin) return false;
  SOMETIMES(log_of_a_disk_relieved);
  Worker& worker = node_->WorkerOf(pin->shard);
  worker.executor().Post([&worker, key = *pin] {
    if (const auto host = worker.Find(key)) host->ReleaseLog();
  });
  return std::exchange(asked_[&disk], *pin) != *pin;
}

}  // namespace decree::node
