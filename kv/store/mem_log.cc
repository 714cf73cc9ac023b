#include "kv/store/mem_log.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "consensus/output.h"
#include "kv/base/codec.h"

namespace decree::store {
namespace {

struct Queued {
  ReplicaKey key;
  consensus::Persist record;
  Log::Done done;
  bool forgotten = false;  // its replica went while it waited
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
        if (core->log_error) status = *core->log_error;
      }
      if (status && core->on_durable && !queued.forgotten)
        core->on_durable(queued.key, queued.record);
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
    if (core->syncs_fail && !core->log_error) {
      core->log_error = Error(Errc::kIo, "injected: the log no longer syncs");
      core->image.unusable = core->log_error;
    }
    if (core->log_error) return batch;
    MakeTrimsDurable();
    for (const Queued& queued : batch) {
      if (!queued.forgotten) Store(queued);
    }
    return batch;
  }

  // Trims and forgets cost no sync of their own: they travel with the next records.
  void MakeTrimsDurable() {
    for (const auto& [key, slot] : std::exchange(trims, {})) {
      const auto it = core->image.log.find(key);
      if (it == core->image.log.end()) continue;
      it->second.merged.Trim(slot);
      it->second.trimmed.clear();
    }
    for (const ReplicaKey& key : std::exchange(forgotten, {})) core->image.log.erase(key);
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

  void LetGo(MemReplicaLog& log, std::map<Slot, MemLogEntry>::iterator end) {
    for (auto it = log.live.begin(); it != end; it = log.live.erase(it)) {
      live_bytes -= it->second.bytes;
      log.trimmed.insert(*it);
    }
  }

  const std::shared_ptr<MemCore> core;
  std::vector<Queued> waiting;
  std::map<ReplicaKey, Slot> trims;
  std::set<ReplicaKey> forgotten;
  bool sync_scheduled = false;
  std::uint64_t sequence = 0;
  std::uint64_t live_bytes = 0;
};

MemLog::MemLog(std::shared_ptr<MemCore> core, std::uint64_t goal_bytes)
    : core_(std::move(core)), queue_(std::make_shared<Queue>(core_)), goal_bytes_(goal_bytes) {
  for (auto& [key, log] : core_->image.log) {
    log.live.merge(log.trimmed);  // the power was lost before the trim was durable
    log.trimmed.clear();
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
  if (queue_->forgotten.contains(key)) return;
  MemReplicaLog& log = core_->image.log[key];
  queue_->LetGo(log, log.live.upper_bound(slot));
  Slot& trim = queue_->trims[key];
  trim = std::max(trim, slot);
}

// As in the real log, what was appended before is forgotten too, though it is not written yet.
void MemLog::Forget(ReplicaKey key) {
  const std::lock_guard lock(core_->mutex);
  for (Queued& queued : queue_->waiting) queued.forgotten |= queued.key == key;
  const auto it = core_->image.log.find(key);
  if (it == core_->image.log.end()) return;
  queue_->LetGo(it->second, it->second.live.end());
  queue_->forgotten.insert(key);
}

Result<consensus::Recovered> MemLog::Recover(ReplicaKey key) {
  const std::lock_guard lock(core_->mutex);
  const auto it = core_->image.log.find(key);
  if (it == core_->image.log.end() || queue_->forgotten.contains(key)) {
    return consensus::Recovered{};
  }
  LogMerge merged = it->second.merged;
  const auto trim = queue_->trims.find(key);
  if (trim != queue_->trims.end()) merged.Trim(trim->second);
  return merged.ToRecovered();
}

std::vector<ReplicaKey> MemLog::Replicas() {
  const std::lock_guard lock(core_->mutex);
  std::vector<ReplicaKey> keys;
  for (const auto& [key, log] : core_->image.log) {
    if (!queue_->forgotten.contains(key)) keys.push_back(key);
  }
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

void MemLog::Close() {
  const std::lock_guard lock(core_->mutex);
  queue_->MakeTrimsDurable();
}

std::size_t MemLog::unsynced() const {
  const std::lock_guard lock(core_->mutex);
  return queue_->waiting.size();
}

// Reading stops at the first record that is torn, and only the last write can be concerned: what
// survives of it is a prefix (FORMATS.md, "Torn or corrupt").
void MemLog::LosePower(std::size_t records) {
  std::vector<Queued> survivors;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->dead || core_->log_error) return;
    records = std::min(records, queue_->waiting.size());
    if (records > 0) queue_->MakeTrimsDurable();
    queue_->trims.clear();
    queue_->forgotten.clear();
    for (std::size_t i = 0; i < records; ++i) queue_->Store(queue_->waiting[i]);
    survivors.assign(queue_->waiting.begin(),
                     queue_->waiting.begin() + static_cast<std::ptrdiff_t>(records));
    queue_->waiting.clear();
  }
  if (!core_->on_durable) return;
  for (const Queued& queued : survivors) core_->on_durable(queued.key, queued.record);
}

}  // namespace decree::store
