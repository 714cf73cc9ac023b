#include "kv/store/rocks_shared.h"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <cstdio>
#include <utility>

#include "kv/store/rocks_checksum.h"
#include "kv/store/rocks_files.h"

namespace decree::store {
namespace {

// Passes RocksDB's errors on and drops the rest: no LOG file, no descriptor for one, no growth.
class SinkLogger : public rocksdb::Logger {
 public:
  explicit SinkLogger(LogSink sink)
      : rocksdb::Logger(rocksdb::InfoLogLevel::ERROR_LEVEL), sink_(std::move(sink)) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list args) override {
    if (!sink_) return;
    char line[512];
    std::vsnprintf(line, sizeof line, format, args);
    sink_(LogLevel::kError, line);
  }

 private:
  const LogSink sink_;
};

std::shared_ptr<rocksdb::Env> OwnEnv() {
  return rocksdb::NewCompositeEnv(std::make_shared<RocksFiles>());
}

}  // namespace

RocksShared::RocksShared(const RocksSharedOptions& options)
    : options_(options),
      cache_(rocksdb::NewLRUCache(options.block_cache_bytes)),
      write_buffers_(std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes)),
      logger_(std::make_shared<SinkLogger>(options.log)),
      env_(options.env ? options.env : OwnEnv()) {
  env_->IncBackgroundThreadsIfNeeded(options.background_threads, rocksdb::Env::LOW);
  env_->IncBackgroundThreadsIfNeeded(1, rocksdb::Env::HIGH);
}

rocksdb::Options RocksShared::CommonOptions() const {
  rocksdb::Options options;
  options.env = env_.get();
  // The default of info_log_level depends on NDEBUG, which Debian's build leaves unset.
  options.info_log_level = rocksdb::InfoLogLevel::ERROR_LEVEL;
  options.info_log = logger_;
  options.keep_log_file_num = 1;
  options.stats_dump_period_sec = 0;  // no timer threads
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.max_file_opening_threads = 1;
  options.max_background_jobs = options_.background_threads + 1;
  options.max_open_files = MaxOpenFiles(kFewTables);
  options.table_cache_numshardbits = 0;  // each part of the cache would keep one table open
  options.max_manifest_file_size = std::uint64_t{4} << 20;
  options.paranoid_checks = true;
  options.rate_limiter = options_.rate_limiter;
  options.arena_block_size =
      32 << 10;  // the default of 1 MiB is reserved by every touched database
  return options;
}

rocksdb::Options RocksShared::RowOptions(int tables) const {
  rocksdb::Options options = CommonOptions();
  options.max_open_files = MaxOpenFiles(tables);
  options.file_checksum_gen_factory = WholeFileChecksums();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_manager = write_buffers_;
  options.write_buffer_size = std::size_t{16} << 20;
  // RocksDB neither delays nor stops writes on its own: they would hold the worker, and consensus
  // with it. RocksEngine::Stalled says when it is time to turn new ones away; these are the last
  // resort before the memory ends.
  options.max_write_buffer_number = 64;
  options.level0_slowdown_writes_trigger = 1'000'000;
  options.level0_stop_writes_trigger = 1'000'000;
  options.soft_pending_compaction_bytes_limit = 0;  // none
  options.hard_pending_compaction_bytes_limit = 0;
  options.target_file_size_base = std::uint64_t{32} << 20;
  options.max_bytes_for_level_base = std::uint64_t{128} << 20;
  options.allow_concurrent_memtable_write = false;  // one writer
  options.enable_write_thread_adaptive_yield = false;
  options.avoid_flush_during_shutdown = true;
  return options;
}

rocksdb::Options RocksShared::FactOptions() const {
  rocksdb::Options options = CommonOptions();
  options.write_buffer_size = std::size_t{1} << 20;
  // Every fact was synced: only a write that never finished may be missing, never one in the
  // middle.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return options;
}

rocksdb::Status RocksShared::Flush(rocksdb::DB& db) const {
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;  // asked for: do not wait for a better moment
  if (options_.run_flushes) {
    options.wait = false;
    if (const auto status = db.Flush(options); !status.ok()) return status;
    options_.run_flushes();
  }
  options.wait = true;
  return db.Flush(options);
}

Status RocksShared::Written(const rocksdb::Status& status, const std::string& path) const {
  Status written = ToStatus(status, path);
  if (!written && options_.on_failure) options_.on_failure(written.error());
  return written;
}

namespace {

// Without the two checksums of a damaged block: they help nobody, and depend on the random ids that
// RocksDB puts into its files.
std::string TextOf(const rocksdb::Status& status) {
  std::string text = status.ToString();
  const std::size_t checksums = text.find(": stored = ");
  if (checksums == std::string::npos) return text;
  return text.erase(checksums, text.find(" in ", checksums) - checksums);
}

}  // namespace

Error RocksError(const rocksdb::Status& status, const std::string& path) {
  const std::string detail = path + ": " + TextOf(status);
  if (IsTooManyFiles(status)) return Error(Errc::kBusy, detail);
  if (status.IsNoSpace()) return Error(Errc::kNoSpace, detail);
  if (status.IsIOError()) return Error(Errc::kIo, detail);
  if (status.IsShutdownInProgress() || status.IsAborted()) return Error(Errc::kCancelled, detail);
  return Error(Errc::kCorruption, detail);
}

Status ToStatus(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return {};
  return RocksError(status, path);
}

}  // namespace decree::store
