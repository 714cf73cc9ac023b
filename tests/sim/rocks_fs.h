// The simulated file system as RocksDB sees it.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>

#include "tests/sim/sim_fs.h"

namespace decree::sim {

std::shared_ptr<rocksdb::FileSystem> MakeRocksFs(std::shared_ptr<SimFs> fs);

}  // namespace decree::sim
