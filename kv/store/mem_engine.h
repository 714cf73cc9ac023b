// The rows of a replica on a MemDisk: every row keeps the versions that live views can still see.
// Durable is what the last flush put into the core's image; closing forgets the rest, as RocksDB
// without a WAL does.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kv/store/engine.h"
#include "kv/store/mem_core.h"

namespace decree::store {

// A multi-version table. Thread-safe.
class MemTable {
 public:
  // `damaged`: a row that cannot be read; empty: none.
  MemTable(const MemRows& rows, std::string damaged);

  void Write(const RowBatch& batch);
  void Damage(std::string row);
  bool Damaged() const { return !damaged_.empty(); }
  bool Damaged(std::string_view row) const { return Damaged() && damaged_ == row; }
  std::string SomeRow(std::uint64_t which);  // empty: there is none
  MemValue Get(std::string_view key, std::uint64_t sequence);
  // The first row >= key (> key if `after`) visible at the sequence.
  bool Find(std::string_view key, bool after, std::uint64_t sequence, std::string* found_key,
            MemValue* found_value);
  std::uint64_t Pin();
  void Unpin(std::uint64_t sequence);
  // Copies the changes since the last flush into the core's image. kCancelled after Close.
  Status Flush(MemCore& core, ReplicaKey key);
  void Close();
  bool closed() const { return closed_; }
  std::uint64_t bytes();
  std::uint64_t dirty_bytes();

 private:
  struct Cell {
    std::uint64_t sequence = 0;
    MemValue value;
  };
  using Cells = std::vector<Cell>;
  static const Cell* Visible(const Cells& cells, std::uint64_t sequence);
  void WriteOne(const RowWrite& write);
  void Prune(const std::string& key);

  std::mutex mutex_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, Cells, std::less<>> rows_;
  std::multiset<std::uint64_t> pins_;
  std::set<std::string> stale_;  // rows with more cells than the newest state needs
  std::set<std::string> dirty_;
  std::string damaged_;
  std::uint64_t bytes_ = 0;
  std::uint64_t dirty_bytes_ = 0;
  std::atomic<bool> closed_{false};
};

class MemEngine : public Engine {
 public:
  MemEngine(std::shared_ptr<MemCore> core, ReplicaKey key, std::shared_ptr<MemTable> table);
  ~MemEngine() override;

  Status Write(const RowBatch& batch) override;
  bool Stalled() const override;
  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<RowView> View() const override;
  void Flush(Done done) override;
  void Checkpoint(SnapshotDone done) override;
  void RunInBackground(std::function<void()> job) override;
  std::uint64_t ApproximateBytes() const override;
  std::uint64_t UnflushedBytes() const override;

 private:
  const std::shared_ptr<MemCore> core_;
  const ReplicaKey key_;
  const std::shared_ptr<MemTable> table_;
};

}  // namespace decree::store
