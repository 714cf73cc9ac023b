// The rows of one replica in a RocksDB of its own. The database is held by the engine, its views
// and its running background jobs together, so that each may go first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "kv/store/background_pool.h"
#include "kv/store/engine.h"
#include "kv/store/rocks_shared.h"

namespace rocksdb {
class DB;
}

namespace decree::store {

class RocksDatabase {
 public:
  RocksDatabase(std::string path, std::unique_ptr<rocksdb::DB> db,
                std::shared_ptr<RocksShared> shared, std::shared_ptr<RowsUse> use);
  ~RocksDatabase();
  RocksDatabase(const RocksDatabase&) = delete;
  RocksDatabase& operator=(const RocksDatabase&) = delete;
  rocksdb::DB& db() const { return *db_; }
  const std::string& path() const { return path_; }
  const std::shared_ptr<Files>& files() const { return shared_->files(); }
  // In effect for tables that are opened from now on. Waits for the disk.
  void LimitTables(int tables);
  // Returns when everything written before the call is durable.
  Status Flush();
  // Counted, not asked of RocksDB: what its memtables take is up to chance.
  std::uint64_t unflushed_bytes() const { return written_bytes_ - flushed_bytes_; }
  void CountWritten(std::uint64_t bytes) { written_bytes_ += bytes; }
  Status Written(const rocksdb::Status& status) const { return shared_->Written(status, path_); }
  const std::shared_ptr<RowsUse>& use() const { return use_; }

 private:
  const std::string path_;
  const std::shared_ptr<RocksShared> shared_;  // outlives db_: cache, write buffers, logger
  std::unique_ptr<rocksdb::DB> db_;
  const std::shared_ptr<RowsUse> use_;
  std::atomic<std::uint64_t> written_bytes_{0};
  std::atomic<std::uint64_t> flushed_bytes_{0};
};

class RocksEngine : public Engine {
 public:
  // `staging` is a directory for checkpoints on the same file system.
  RocksEngine(std::shared_ptr<RocksDatabase> database, std::shared_ptr<BackgroundPool> pool,
              std::string staging);
  ~RocksEngine() override;

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
  const std::shared_ptr<RocksDatabase> database_;
  const std::shared_ptr<BackgroundPool> pool_;
  const std::string staging_;
  mutable bool stalled_ = false;  // after the last write, or asked since
};

// Opens the rows in a directory; `create` makes an empty database of a missing or empty directory.
Result<std::shared_ptr<RocksDatabase>> OpenRocksDatabase(const std::string& path, bool create,
                                                         int tables,
                                                         std::shared_ptr<RocksShared> shared);

}  // namespace decree::store
