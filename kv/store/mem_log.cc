#include "kv/store/mem_log.h"

#include <map>
#include <utility>

#include "consensus/output.h"
#include "kv/base/codec.h"

namespace decree::store {
namespace {

struct Queued {
  ReplicaKey key;
  consensus::Persist record;
  Log::Done done;
};

}  // namespace

// Shared with the background task, which may outlive the log. Guarded by the core's mutex.
struct MemLog::Queue : std::enable_shared_from_this<MemLog::Queue> {
  explicit Queue(std::shared_ptr<MemCore> owner) : core(std::move(owner)) {}

  void ScheduleSync() {
    core->background([self = shared_from_this()] { self->Sync(); });
  }

  // Makes durable what is queued, then reports in order. Appends made meanwhile wait for the next
  // sync, so that the reports of one replica never overtake each other.
  void Sync() {
    const std::vector<Queued> batch = TakeBatch();
    for (const Queued& queued : batch) {
      Status status;
      {
        const std::lock_guard lock(core->mutex);
        if (core->dead) return;
        if (core->syncs_fail) status = Error(Errc::kIo, "injected: the log no longer syncs");
      }
      if (status && core->on_durable) core->on_durable(queued.key, queued.record);
      if (queued.done) queued.done(status);
    }
    bool more = false;
    {
      const std::lock_guard lock(core->mutex);
      more = !waiting.empty() && !core->dead;
      sync_scheduled = more;
    }
    if (more) ScheduleSync();
  }

  std::vector<Queued> TakeBatch() {
    const std::lock_guard lock(core->mutex);
    std::vector<Queued> batch = std::exchange(waiting, {});
    if (core->dead) return {};
    if (core->syncs_fail) return batch;
    for (const Queued& queued : batch) Store(queued);
    return batch;
  }

  void Store(const Queued& queued) {
    MemReplicaLog& log = core->image.log[queued.key];
    log.merged.Add(queued.record);
    ++sequence;
    for (const auto& vote : queued.record.votes) Account(log, vote.slot, vote.decree);
    for (const auto& chosen : queued.record.chosen) Account(log, chosen.slot, chosen.decree);
  }

  void Account(MemReplicaLog& log, Slot slot, const consensus::Decree& decree) {
    constexpr std::uint64_t kOverhead = 64;
    const std::uint64_t bytes = View(decree.payload).size() + kOverhead;
    auto [it, fresh] = log.live.try_emplace(slot, MemLogEntry{sequence, 0});
    live_bytes += bytes - it->second.bytes;
    it->second.bytes = bytes;
  }

  void Drop(MemReplicaLog& log, std::map<Slot, MemLogEntry>::iterator end) {
    for (auto it = log.live.begin(); it != end; it = log.live.erase(it)) {
      live_bytes -= it->second.bytes;
    }
  }

  const std::shared_ptr<MemCore> core;
  std::vector<Queued> waiting;
  bool sync_scheduled = false;
  std::uint64_t sequence = 0;
  std::uint64_t live_bytes = 0;
};

MemLog::MemLog(std::shared_ptr<MemCore> core, std::uint64_t goal_bytes)
    : core_(std::move(core)), queue_(std::make_shared<Queue>(core_)), goal_bytes_(goal_bytes) {
  for (const auto& [key, log] : core_->image.log) {
    for (const auto& [slot, entry] : log.live) queue_->live_bytes += entry.bytes;
  }
}

// As the real log: what is queued is written and reported before the log goes away.
MemLog::~MemLog() {
  for (;;) {
    {
      const std::lock_guard lock(core_->mutex);
      if (core_->dead || queue_->waiting.empty()) return;
    }
    queue_->Sync();
  }
}

void MemLog::Append(ReplicaKey key, consensus::Persist record, Done done) {
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->dead) return;
    queue_->waiting.push_back({key, std::move(record), std::move(done)});
    if (queue_->sync_scheduled) return;
    queue_->sync_scheduled = true;
  }
  queue_->ScheduleSync();
}

void MemLog::Trim(ReplicaKey key, Slot slot) {
  const std::lock_guard lock(core_->mutex);
  MemReplicaLog& log = core_->image.log[key];
  log.merged.Trim(slot);
  queue_->Drop(log, log.live.upper_bound(slot));
}

void MemLog::Forget(ReplicaKey key) {
  const std::lock_guard lock(core_->mutex);
  const auto it = core_->image.log.find(key);
  if (it == core_->image.log.end()) return;
  queue_->Drop(it->second, it->second.live.end());
  core_->image.log.erase(it);
}

Result<consensus::Recovered> MemLog::Recover(ReplicaKey key) {
  const std::lock_guard lock(core_->mutex);
  const auto it = core_->image.log.find(key);
  if (it == core_->image.log.end()) return consensus::Recovered{};
  return it->second.merged.ToRecovered();
}

std::vector<ReplicaKey> MemLog::Replicas() {
  const std::lock_guard lock(core_->mutex);
  std::vector<ReplicaKey> keys;
  for (const auto& [key, log] : core_->image.log) keys.push_back(key);
  return keys;
}

std::optional<ReplicaKey> MemLog::OldestPin() {
  const std::lock_guard lock(core_->mutex);
  if (queue_->live_bytes <= goal_bytes_) return std::nullopt;
  std::optional<ReplicaKey> pin;
  std::uint64_t oldest = UINT64_MAX;
  for (const auto& [key, log] : core_->image.log) {
    if (log.live.empty() || log.live.begin()->second.sequence >= oldest) continue;
    oldest = log.live.begin()->second.sequence;
    pin = key;
  }
  return pin;
}

}  // namespace decree::store
