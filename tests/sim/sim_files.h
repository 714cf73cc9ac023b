// The simulated file system as the product's log and disk see it.
#pragma once

#include <memory>

#include "kv/store/files.h"
#include "tests/sim/sim_fs.h"

namespace decree::sim {

std::shared_ptr<store::Files> MakeSimFiles(std::shared_ptr<SimFs> fs);

}  // namespace decree::sim
