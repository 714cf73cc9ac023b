#include "kv/store/mem_disk.h"

#include <algorithm>
#include <map>
#include <utility>

#include "kv/base/bug.h"
#include "kv/store/mem_core.h"
#include "kv/store/mem_engine.h"
#include "kv/store/mem_log.h"
#include "kv/store/mem_snapshot.h"
#include "kv/store/staged_file.h"

namespace decree::store {
namespace {

// Which replicas have an engine, to refuse a second one as the real disk does. Guarded by the core.
using OpenTables = std::map<ReplicaKey, std::weak_ptr<MemTable>>;

}  // namespace

struct MemDisk::Impl {
  explicit Impl(MemDiskOptions with) : options(std::move(with)), core(std::make_shared<MemCore>()) {
    core->background = options.background;
    core->flush_end = options.flush_end;
    core->on_durable = options.on_durable;
    for (auto* run : {&core->background, &core->flush_end}) {
      if (!*run) *run = [](Task task) { task(); };
    }
  }

  using Tables = std::vector<std::pair<ReplicaKey, std::shared_ptr<MemTable>>>;
  Tables OpenOnes() const {
    const std::lock_guard lock(core->mutex);
    Tables tables;
    for (const auto& [key, weak] : *open) {
      const std::shared_ptr<MemTable> table = weak.lock();
      if (table && !table->closed()) tables.emplace_back(key, table);
    }
    return tables;
  }

  const MemDiskOptions options;
  const std::shared_ptr<MemCore> core;
  std::unique_ptr<MemLog> log;
  const std::shared_ptr<OpenTables> open = std::make_shared<OpenTables>();
};

namespace {

Status CheckClosed(const OpenTables& open, ReplicaKey key) {
  const auto it = open.find(key);
  if (it == open.end()) return {};
  const std::shared_ptr<MemTable> table = it->second.lock();
  if (!table || table->closed()) return {};
  return Error(Errc::kConflict, "the rows of " + ToString(key) + " are open");
}

// The caller holds the core's mutex.
Result<std::unique_ptr<Engine>> OpenLocked(const std::shared_ptr<MemCore>& core, OpenTables& open,
                                           ReplicaKey key) {
  if (Status closed = CheckClosed(open, key); !closed) return closed.error();
  const auto damaged = core->image.damaged_rows.find(key);
  const auto table = std::make_shared<MemTable>(
      core->image.rows[key],
      damaged == core->image.damaged_rows.end() ? std::string() : damaged->second);
  open[key] = table;
  return std::unique_ptr<Engine>(std::make_unique<MemEngine>(core, key, table));
}

class MemStaging : public Staging {
 public:
  MemStaging(std::shared_ptr<MemCore> core, std::shared_ptr<OpenTables> open, ReplicaKey key)
      : core_(std::move(core)), open_(std::move(open)), key_(key) {}

  Status Append(const std::string& file, std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard lock(core_->mutex);
    if (core_->full) return Error(Errc::kNoSpace, "injected: the disk is full");
    std::string& content = files_[file];
    if (Status fits = CheckStagedAppend(file, offset, content.size()); !fits) return fits;
    content.resize(std::max<std::size_t>(content.size(), offset + bytes.size()));
    content.replace(offset, bytes.size(), bytes);
    return {};
  }

  Status Link(const std::string& file, const std::string& /*path*/) override {
    return Error(Errc::kImpossible, file + ": no links between disks in memory");
  }

  Status KeepOnly(const std::set<std::string>& files) override {
    const std::lock_guard lock(core_->mutex);
    std::erase_if(files_, [&](const auto& file) { return !files.contains(file.first); });
    return {};
  }

  std::uint64_t Size(const std::string& file) const override {
    const std::lock_guard lock(core_->mutex);
    const auto known = files_.find(file);
    return known == files_.end() ? 0 : known->second.size();
  }

  Status Prepare() override {
    const Result<MemRows> rows = UnpackRows(files_);
    return rows ? Status() : rows.error();
  }

  Result<std::unique_ptr<Engine>> Commit() override {
    if (committed_) return Error(Errc::kInvalidArgument, "this staging was committed");
    Result<MemRows> rows = UnpackRows(files_);
    if (!rows) return rows.error();
    const std::lock_guard lock(core_->mutex);
    if (core_->full) return Error(Errc::kNoSpace, "injected: the disk is full");
    if (Status closed = CheckClosed(*open_, key_); !closed) return closed.error();
    committed_ = true;
    files_.clear();
    if (DECREE_BUG_IMPORT_KEEPS_OLD_ROWS) rows->merge(core_->image.rows[key_]);
    core_->image.rows[key_] = *std::move(rows);
    core_->image.damaged_rows.erase(key_);
    return OpenLocked(core_, *open_, key_);
  }

 private:
  const std::shared_ptr<MemCore> core_;
  const std::shared_ptr<OpenTables> open_;
  const ReplicaKey key_;
  MemFiles files_;
  bool committed_ = false;
};

}  // namespace

MemDisk::MemDisk(MemDiskOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->log = std::make_unique<MemLog>(impl_->core, impl_->options.log_goal_bytes);
}

MemDisk::~MemDisk() = default;

Incarnation MemDisk::incarnation() const { return impl_->options.incarnation; }
const std::string& MemDisk::path() const { return impl_->options.path; }
Log& MemDisk::log() { return *impl_->log; }

DiskSpace MemDisk::space() const {
  const std::lock_guard lock(impl_->core->mutex);
  DiskSpace space{impl_->options.capacity_bytes, 0};
  for (const auto& [key, rows] : impl_->core->image.rows) {
    for (const auto& [row, value] : rows) space.used_bytes += row.size() + value->size();
  }
  if (impl_->core->full) space.used_bytes = space.capacity_bytes;
  return space;
}

void MemDisk::RunInBackground(Task job) {
  impl_->core->background([core = impl_->core, job = std::move(job)] {
    {
      const std::lock_guard lock(core->mutex);
      if (core->dead) return;
    }
    job();
  });
}

Result<std::optional<std::string>> MemDisk::GetMeta(std::string_view key) {
  const std::lock_guard lock(impl_->core->mutex);
  const auto it = impl_->core->image.meta.find(key);
  if (it == impl_->core->image.meta.end()) return std::optional<std::string>();
  return std::optional<std::string>(it->second);
}

Status MemDisk::PutMeta(std::string_view key, std::string_view value) {
  const std::lock_guard lock(impl_->core->mutex);
  if (impl_->core->full) return Error(Errc::kNoSpace, "injected: the disk is full");
  impl_->core->image.meta.insert_or_assign(std::string(key), std::string(value));
  return {};
}

Status MemDisk::DeleteMeta(std::string_view key) {
  const std::lock_guard lock(impl_->core->mutex);
  if (impl_->core->full) return Error(Errc::kNoSpace, "injected: the disk is full");
  impl_->core->image.meta.erase(std::string(key));
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> MemDisk::ListMeta(
    std::string_view prefix) {
  const std::lock_guard lock(impl_->core->mutex);
  std::vector<std::pair<std::string, std::string>> facts;
  const auto& meta = impl_->core->image.meta;
  for (auto it = meta.lower_bound(prefix); it != meta.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    facts.push_back(*it);
  }
  return facts;
}

Result<std::unique_ptr<Engine>> MemDisk::OpenRows(ReplicaKey key) {
  if (impl_->options.opens) impl_->options.opens();
  const std::lock_guard lock(impl_->core->mutex);
  const bool needs_no_space = impl_->core->image.rows.contains(key);
  const Status refused = impl_->core->Refused();
  if (!refused && !(needs_no_space && refused.error() == Errc::kNoSpace)) return refused.error();
  return OpenLocked(impl_->core, *impl_->open, key);
}

Result<std::unique_ptr<Staging>> MemDisk::Stage(ReplicaKey key) {
  const std::lock_guard lock(impl_->core->mutex);
  if (impl_->core->full) return Error(Errc::kNoSpace, "injected: the disk is full");
  return std::unique_ptr<Staging>(std::make_unique<MemStaging>(impl_->core, impl_->open, key));
}

Status MemDisk::RemoveRows(ReplicaKey key) {
  const std::lock_guard lock(impl_->core->mutex);
  if (Status closed = CheckClosed(*impl_->open, key); !closed) return closed;
  impl_->core->image.rows.erase(key);
  impl_->core->image.damaged_rows.erase(key);
  return {};
}

Result<std::vector<ReplicaKey>> MemDisk::ListRows() {
  const std::lock_guard lock(impl_->core->mutex);
  std::vector<ReplicaKey> keys;
  for (const auto& [key, rows] : impl_->core->image.rows) keys.push_back(key);
  return keys;
}

std::string MemDisk::RowsPath(ReplicaKey key) const {
  return path() + "/rows/" + ToString(key.shard) + "-" + ToString(key.replica);
}

std::unique_ptr<MemDisk> MemDisk::Crash(MemDiskOptions reborn) {
  MemImage image;
  impl_->log->Close();
  {
    const std::lock_guard lock(impl_->core->mutex);
    impl_->core->dead = true;
    image = std::exchange(impl_->core->image, {});
  }
  auto disk = std::make_unique<MemDisk>(MemDiskOptions{});
  disk->impl_->log.reset();
  disk->impl_ = std::make_unique<Impl>(std::move(reborn));
  disk->impl_->core->image = std::move(image);
  disk->impl_->log =
      std::make_unique<MemLog>(disk->impl_->core, disk->impl_->options.log_goal_bytes);
  return disk;
}

void MemDisk::FailSyncs() {
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->syncs_fail = true;
}

void MemDisk::FailLogForSpace() {
  const std::lock_guard lock(impl_->core->mutex);
  if (!impl_->core->log_error) {
    impl_->core->log_error = Error(Errc::kNoSpace, "injected: no space for the next segment");
  }
}

void MemDisk::DamageLog() {
  const std::lock_guard lock(impl_->core->mutex);
  if (!impl_->core->image.unusable) {
    impl_->core->image.unusable = Error(Errc::kCorruption, "injected: a log record is damaged");
  }
}

bool MemDisk::DamageRows(Random& random) {
  const auto tables = impl_->OpenOnes();
  if (tables.empty()) return false;
  const auto& [key, table] = tables[random.Below(tables.size())];
  const std::string row = table->SomeRow(random.Next());
  if (row.empty()) return false;
  table->Damage(row);
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->image.damaged_rows[key] = row;
  return true;
}

void MemDisk::DamageNextSnapshot() {
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->damage_next_snapshot = true;
}

void MemDisk::LosePower(Random& random) {
  for (const auto& [key, table] : impl_->OpenOnes()) {
    if (random.Chance(0.2)) (void)table->Flush(*impl_->core, key);
  }
  const std::size_t unsynced = impl_->log->unsynced();
  impl_->log->LosePower(random.Chance(0.5) ? 0 : random.Below(unsynced + 1));
}

struct MemDisk::Backup {
  std::map<ReplicaKey, MemRows> rows;
  std::map<std::string, std::string, std::less<>> meta;
};

std::shared_ptr<const MemDisk::Backup> MemDisk::BackUp() const {
  const std::lock_guard lock(impl_->core->mutex);
  return std::make_shared<Backup>(Backup{impl_->core->image.rows, impl_->core->image.meta});
}

std::optional<ReplicaKey> MemDisk::PutBackRows(const Backup& backup, std::uint64_t which) {
  const std::lock_guard lock(impl_->core->mutex);
  std::vector<ReplicaKey> both;
  for (const auto& [key, rows] : backup.rows) {
    if (impl_->core->image.rows.contains(key)) both.push_back(key);
  }
  if (both.empty()) return std::nullopt;
  const ReplicaKey key = both[which % both.size()];
  impl_->core->image.rows[key] = backup.rows.at(key);
  return key;
}

bool MemDisk::PutBackFact(const Backup& backup, const std::string& key) {
  const std::lock_guard lock(impl_->core->mutex);
  const auto old = backup.meta.find(key);
  if (old == backup.meta.end()) return false;
  const auto now = impl_->core->image.meta.find(key);
  if (now == impl_->core->image.meta.end() || now->second == old->second) return false;
  now->second = old->second;
  return true;
}

Status MemDisk::Usable() const {
  const std::lock_guard lock(impl_->core->mutex);
  if (impl_->core->image.unusable) return *impl_->core->image.unusable;
  return {};
}

void MemDisk::SetFull(bool full) {
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->full = full;
}

void MemDisk::SetBusy(bool busy) {
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->busy = busy;
}

void MemDisk::SetStalled(bool stalled) {
  const std::lock_guard lock(impl_->core->mutex);
  impl_->core->stalled = stalled;
}

}  // namespace decree::store
