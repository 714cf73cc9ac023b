// What all RocksDBs of a disk share, and the one place where their options are set.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/status.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "decree/result.h"
#include "kv/base/log_sink.h"
#include "kv/store/posix_file.h"

namespace rocksdb {
class DB;
}

namespace decree::store {

struct RocksSharedOptions {
  std::uint64_t block_cache_bytes = std::uint64_t{128} << 20;
  std::uint64_t write_buffer_bytes = std::uint64_t{256} << 20;
  int background_threads = 2;
  std::shared_ptr<rocksdb::RateLimiter> rate_limiter;  // of flushes and compactions; none: no limit
  LogSink log;
  std::shared_ptr<Files> files = SystemFiles();  // where checkpoints are read and removed
  std::shared_ptr<rocksdb::Env> env;             // none: RocksDB's own, over the system's files
  // Where the environment has no threads: runs the flushes that are scheduled in it. Whoever is to
  // wait for one calls it before.
  std::function<void()> run_flushes;
  std::function<void(const Error&)> on_failure;  // a write or flush failed. Any thread
};

class RocksShared {
 public:
  static constexpr int kFewTables = 10;  // the fewest that RocksDB keeps

  explicit RocksShared(const RocksSharedOptions& options);
  // Rows of a replica: WAL off (the disk's log replays what a crash loses), so nothing is flushed
  // on closing either.
  // `tables` of a database may be open at once.
  rocksdb::Options RowOptions(int tables = kFewTables) const;
  // The disk's facts: few, small, each write synced.
  rocksdb::Options FactOptions() const;
  const std::shared_ptr<Files>& files() const { return options_.files; }
  // Of the rows. Returns when they are durable.
  rocksdb::Status Flush(rocksdb::DB& db) const;
  // The status of something that had to become durable, or to be ready for it.
  Status Written(const rocksdb::Status& status, const std::string& path) const;

 private:
  rocksdb::Options CommonOptions() const;

  const RocksSharedOptions options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  const std::shared_ptr<rocksdb::Logger> logger_;
  const std::shared_ptr<rocksdb::Env> env_;  // its threads serve every database of the process
};

// RocksDB's option for so many open tables: it takes some descriptors off for itself.
inline int MaxOpenFiles(int tables) { return tables + 10; }

// `path` is named in the detail. Whatever is not a full disk, too many open files (kBusy) or a
// failed call means that stored bytes are not what they should be.
Error RocksError(const rocksdb::Status& status, const std::string& path);
Status ToStatus(const rocksdb::Status& status, const std::string& path);

}  // namespace decree::store
