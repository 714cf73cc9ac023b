#include "kv/store/mem_engine.h"

#include <utility>

#include "kv/store/mem_snapshot.h"

namespace decree::store {
namespace {

Error DamagedRow() { return Error(Errc::kCorruption, "injected: a row is damaged"); }

// Keeps the versions of one moment alive for a view and its cursors.
class Pinned {
 public:
  explicit Pinned(std::shared_ptr<MemTable> table)
      : table_(std::move(table)), sequence_(table_->Pin()) {}
  ~Pinned() { table_->Unpin(sequence_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  MemTable& table() const { return *table_; }
  std::uint64_t sequence() const { return sequence_; }

 private:
  const std::shared_ptr<MemTable> table_;
  const std::uint64_t sequence_;
};

class MemCursor : public RowCursor {
 public:
  explicit MemCursor(std::shared_ptr<const Pinned> pinned) : pinned_(std::move(pinned)) {}
  void Seek(std::string_view key) override {
    Settle(pinned_->table().Find(key, false, pinned_->sequence(), &key_, &value_));
  }
  bool Valid() const override { return valid_; }
  void Next() override {
    const std::string from = key_;
    Settle(pinned_->table().Find(from, true, pinned_->sequence(), &key_, &value_));
  }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return *value_; }
  Status status() const override { return status_; }

 private:
  void Settle(bool found) {
    const bool damaged = found && pinned_->table().Damaged(key_);
    if (damaged) status_ = DamagedRow();
    valid_ = found && !damaged;
  }

  const std::shared_ptr<const Pinned> pinned_;
  Status status_;
  bool valid_ = false;
  std::string key_;
  MemValue value_;
};

std::optional<std::string> Copy(const MemValue& value) {
  if (!value) return std::nullopt;
  return *value;
}

class MemView : public RowView {
 public:
  explicit MemView(std::shared_ptr<MemTable> table)
      : pinned_(std::make_shared<Pinned>(std::move(table))) {}
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    if (pinned_->table().Damaged(key)) return DamagedRow();
    return Copy(pinned_->table().Get(key, pinned_->sequence()));
  }
  std::unique_ptr<RowCursor> NewCursor() const override {
    return std::make_unique<MemCursor>(pinned_);
  }

 private:
  const std::shared_ptr<const Pinned> pinned_;
};

bool Dead(MemCore& core) {
  const std::lock_guard lock(core.mutex);
  return core.dead;
}

// A snapshot is made of links: what is damaged on the disk is damaged in it.
void Damage(MemFiles& files) {
  std::string& bytes = files.begin()->second;
  if (!bytes.empty()) bytes[bytes.size() / 2] ^= 1;
}

Result<std::shared_ptr<SnapshotSource>> Freeze(MemCore& core, ReplicaKey key, MemTable& table) {
  if (Status flushed = table.Flush(core, key); !flushed) return flushed.error();
  MemRows rows;
  bool damaged = table.Damaged();
  {
    const std::lock_guard lock(core.mutex);
    rows = core.image.rows[key];
    damaged |= std::exchange(core.damage_next_snapshot, false);
  }
  MemFiles files = PackRows(rows);
  if (damaged) Damage(files);
  return MakeMemSnapshot(std::move(files));
}

}  // namespace

MemEngine::MemEngine(std::shared_ptr<MemCore> core, ReplicaKey key, std::shared_ptr<MemTable> table)
    : core_(std::move(core)), key_(key), table_(std::move(table)) {}

MemEngine::~MemEngine() { table_->Close(); }

Status MemEngine::Write(const RowBatch& batch) {
  {
    const std::lock_guard lock(core_->mutex);
    if (Status refused = core_->Refused(); !refused) return refused;
  }
  table_->Write(batch);
  return {};
}

bool MemEngine::Stalled() const {
  const std::lock_guard lock(core_->mutex);
  return core_->stalled;
}

Result<std::optional<std::string>> MemEngine::Get(std::string_view key) const {
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->busy) return core_->Refused().error();
  }
  if (table_->Damaged(key)) return DamagedRow();
  return Copy(table_->Get(key, UINT64_MAX));
}

std::unique_ptr<RowView> MemEngine::View() const { return std::make_unique<MemView>(table_); }

void MemEngine::Flush(Done done) {
  core_->background([core = core_, key = key_, table = table_, done = std::move(done)] {
    if (Dead(*core)) return;
    const Status status = table->Flush(*core, key);
    core->flush_end([core, status, done] {
      if (done && !Dead(*core)) done(status);
    });
  });
}

void MemEngine::Checkpoint(SnapshotDone done) {
  core_->background([core = core_, key = key_, table = table_, done = std::move(done)] {
    if (Dead(*core)) return;
    done(Freeze(*core, key, *table));
  });
}

void MemEngine::RunInBackground(std::function<void()> job) {
  core_->background([core = core_, job = std::move(job)] {
    if (!Dead(*core)) job();
  });
}

std::uint64_t MemEngine::ApproximateBytes() const { return table_->bytes(); }
std::uint64_t MemEngine::UnflushedBytes() const { return table_->dirty_bytes(); }

}  // namespace decree::store
