// The system's file system.
#pragma once

#include <memory>

#include "kv/store/files.h"

namespace decree::store {

std::shared_ptr<Files> SystemFiles();

}  // namespace decree::store
