// The real disk: a directory with a lock, an identity, a shared log, a small RocksDB of facts and
// one RocksDB a replica. All RocksDBs of a disk share block cache, write-buffer budget and threads.
//
//   DIR/LOCK            held while open
//   DIR/IDENTITY        format version, incarnation
//   DIR/log/            segments (FORMATS.md)
//   DIR/meta/           facts (RocksDB, synced)
//   DIR/rows/S-R/       rows of shard S, replica R (RocksDB, WAL off)
//   DIR/staging/        emptied at start-up
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kv/base/executor.h"
#include "kv/base/log_sink.h"
#include "kv/store/disk.h"
#include "kv/store/posix_file.h"

namespace rocksdb {
class Env;
}

namespace decree::store {

struct FileDiskOptions {
  std::string path;
  std::uint64_t segment_bytes = std::uint64_t{16} << 20;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;  // above it OldestPin names a replica
  std::uint64_t block_cache_bytes = std::uint64_t{128} << 20;
  std::uint64_t write_buffer_bytes = std::uint64_t{256} << 20;
  int background_threads = 2;
  std::uint64_t open_files = 0;  // descriptors for the replicas' rows; 0: half the process's limit
  LogSink log;
  std::shared_ptr<Files> files = SystemFiles();
  // A simulator has files of its own and one thread, which also runs RocksDB's jobs.
  std::function<void(Task)> later;          // runs a task later; none: the disk has threads
  std::shared_ptr<rocksdb::Env> rocks_env;  // none: RocksDB's own, over the system's files
  std::function<void()> run_rocks_flushes;  // that `rocks_env` has to run; none: it has threads
};

// kLocked: another process has the directory. kCorruption: a damaged middle of the log, or a
// directory that is not ours. kIo, kNoSpace: from the system, naming the path.
Result<std::unique_ptr<Disk>> OpenFileDisk(FileDiskOptions options);

}  // namespace decree::store
