// The product's disk, with its log and its RocksDBs, over a simulated file system and on one
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kv/store/file_disk.h"
#include "tests/sim/sim_fs.h"

namespace decree::sim {

struct RocksDiskOptions {
  std::string path;
  std::shared_ptr<SimFs> fs;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
  std::function<void(Task)> later;        // runs a task of the log, or a job of the disk, later
  std::function<void(Task)> rocks_later;  // runs a job of RocksDB later: never within the call
  std::function<std::int64_t()> now_ns;
};

Result<std::unique_ptr<store::Disk>> OpenRocksDisk(RocksDiskOptions options);

}  // namespace decree::sim
