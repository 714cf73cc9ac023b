// Who a data directory is, and that only one process has it (FORMATS.md, "A data directory").
#pragma once

#include <memory>
#include <string>

#include "decree/result.h"
#include "kv/base/ids.h"
#include "kv/store/files.h"

namespace decree::store {

// Takes DIR/LOCK. kLocked, naming the path, if another holder exists.
Result<std::unique_ptr<FileLock>> LockDirectory(Files& files, const std::string& directory);

struct DiskIdentity {
  Incarnation incarnation;
  bool fresh = false;  // the directory has yet to be furnished: then call ConfirmIdentity
};

// Reads the identity of a directory, or draws a new one if the directory is empty. kCorruption,
// naming the path, if it holds something else, or an identity that is damaged or of another format.
Result<DiskIdentity> ReadIdentity(Files& files, const std::string& directory);
// The furnishing of a fresh directory is durable: from now on missing parts are damage.
Status ConfirmIdentity(Files& files, const std::string& directory);

}  // namespace decree::store
