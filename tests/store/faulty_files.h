// The system's files with a hook in front of the calls that change something, so that a test makes
// one fail as the system would.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kv/store/files.h"

namespace decree::store {

enum class FileOp { kOpen, kAllocate, kWrite, kSync, kRename, kSyncDirectory };

// Called before an operation; returns 0 to let it happen, the errno it shall fail with, or
// kPretend: a sync then reports success without being made (the test keeps what it would have made
// durable: power_loss.h).
inline constexpr int kPretend = -1;
using FaultHook = std::function<int(FileOp op, const std::string& path)>;

std::shared_ptr<Files> FaultyFiles(FaultHook hook);

}  // namespace decree::store
