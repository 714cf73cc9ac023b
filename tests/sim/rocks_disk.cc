#include "tests/sim/rocks_disk.h"

#include <utility>

#include "tests/sim/libc_ban.h"
#include "tests/sim/rocks_env.h"
#include "tests/sim/sim_files.h"

namespace decree::sim {

Result<std::unique_ptr<store::Disk>> OpenRocksDisk(RocksDiskOptions options) {
  store::FileDiskOptions disk;
  disk.path = options.path;
  disk.segment_bytes = std::uint64_t{64} << 10;
  disk.log_goal_bytes = options.log_goal_bytes;
  disk.block_cache_bytes = std::uint64_t{4} << 20;
  disk.open_files = 4096;
  disk.files = MakeSimFiles(options.fs);
  disk.later = std::move(options.later);
  const auto env = std::make_shared<RocksEnv>(RocksEnvOptions{
      std::move(options.fs), std::move(options.now_ns), std::move(options.rocks_later)});
  disk.run_rocks_flushes = [env] { env->RunFlushes(); };
  disk.rocks_env = env;
  const LibcBanLifted lifted;  // RocksDB reads clocks where it opens
  return store::OpenFileDisk(std::move(disk));
}

}  // namespace decree::sim
