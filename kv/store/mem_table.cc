#include <algorithm>
#include <utility>

#include "kv/store/mem_engine.h"

namespace decree::store {

MemTable::MemTable(const MemRows& rows, std::string damaged) : damaged_(std::move(damaged)) {
  for (const auto& [key, value] : rows) {
    rows_[key].push_back({0, value});
    bytes_ += key.size() + value->size();
  }
}

const MemTable::Cell* MemTable::Visible(const Cells& cells, std::uint64_t sequence) {
  for (auto it = cells.rbegin(); it != cells.rend(); ++it) {
    if (it->sequence <= sequence) return &*it;
  }
  return nullptr;
}

void MemTable::Write(const RowBatch& batch) {
  const std::lock_guard lock(mutex_);
  ++sequence_;
  for (const RowWrite& write : batch) WriteOne(write);
}

void MemTable::WriteOne(const RowWrite& write) {
  MemValue value = write.value ? std::make_shared<const std::string>(*write.value) : nullptr;
  const std::uint64_t size = write.key.size() + (value ? value->size() : 0);
  Cells& cells = rows_[write.key];
  if (!cells.empty() && cells.back().value) {
    bytes_ -= write.key.size() + cells.back().value->size();
  }
  if (value) bytes_ += size;
  if (!cells.empty() && cells.back().sequence == sequence_) {
    cells.back().value = std::move(value);
  } else {
    cells.push_back({sequence_, std::move(value)});
  }
  dirty_.insert(write.key);
  dirty_bytes_ += size;
  Prune(write.key);
}

// Drops the cells of a row that no pinned view and no later one can see.
void MemTable::Prune(const std::string& key) {
  const auto row = rows_.find(key);
  if (row == rows_.end()) return;
  Cells& cells = row->second;
  const std::uint64_t oldest = pins_.empty() ? sequence_ : *pins_.begin();
  const Cell* base = Visible(cells, oldest);
  if (base != nullptr) cells.erase(cells.begin(), cells.begin() + (base - cells.data()));
  const bool deleted = !cells.back().value;
  if (cells.size() == 1 && deleted && cells.back().sequence <= oldest) {
    rows_.erase(row);
    stale_.erase(key);
  } else if (cells.size() > 1 || deleted) {
    stale_.insert(key);
  } else {
    stale_.erase(key);
  }
}

MemValue MemTable::Get(std::string_view key, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  const auto it = rows_.find(key);
  if (it == rows_.end()) return nullptr;
  const Cell* cell = Visible(it->second, sequence);
  return cell == nullptr ? nullptr : cell->value;
}

bool MemTable::Find(std::string_view key, bool after, std::uint64_t sequence,
                    std::string* found_key, MemValue* found_value) {
  const std::lock_guard lock(mutex_);
  auto it = after ? rows_.upper_bound(key) : rows_.lower_bound(key);
  for (; it != rows_.end(); ++it) {
    const Cell* cell = Visible(it->second, sequence);
    if (cell == nullptr || !cell->value) continue;
    *found_key = it->first;
    *found_value = cell->value;
    return true;
  }
  return false;
}

void MemTable::Damage(std::string row) {
  const std::lock_guard lock(mutex_);
  damaged_ = std::move(row);
}

std::string MemTable::SomeRow(std::uint64_t which) {
  const std::lock_guard lock(mutex_);
  if (rows_.empty()) return {};
  return std::next(rows_.begin(), static_cast<std::ptrdiff_t>(which % rows_.size()))->first;
}

std::uint64_t MemTable::Pin() {
  const std::lock_guard lock(mutex_);
  pins_.insert(sequence_);
  return sequence_;
}

void MemTable::Unpin(std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  pins_.erase(pins_.find(sequence));
  if (!pins_.empty()) return;
  const std::set<std::string> stale = stale_;
  for (const std::string& key : stale) Prune(key);
}

Status MemTable::Flush(MemCore& core, ReplicaKey key) {
  const std::lock_guard table_lock(mutex_);
  if (closed_) return Error(Errc::kCancelled, "the rows were closed");
  const std::lock_guard core_lock(core.mutex);
  if (Status refused = core.Refused(); !refused) return refused;
  if (core.dead) return Error(Errc::kCancelled, "the disk is gone");
  MemRows& durable = core.image.rows[key];
  for (const std::string& changed : dirty_) {
    const auto it = rows_.find(changed);
    const MemValue value = it == rows_.end() ? nullptr : it->second.back().value;
    if (value) {
      durable.insert_or_assign(changed, value);
    } else {
      durable.erase(changed);
    }
  }
  dirty_.clear();
  dirty_bytes_ = 0;
  return {};
}

void MemTable::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::uint64_t MemTable::bytes() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::uint64_t MemTable::dirty_bytes() {
  const std::lock_guard lock(mutex_);
  return dirty_bytes_;
}

}  // namespace decree::store
