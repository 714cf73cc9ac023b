// Who a data directory is, and that only one process has it (FORMATS.md, "A data directory").
#pragma once

#include <string>

#include "decree/result.h"
#include "kv/base/ids.h"
#include "kv/store/posix_file.h"

namespace decree::store {

// Holds DIR/LOCK. kLocked, naming the path, if another holder exists.
class DirectoryLock {
 public:
  static Result<DirectoryLock> Take(const std::string& directory);

 private:
  File file_;  // closing it gives the lock up, and so does the end of the process
};

struct DiskIdentity {
  Incarnation incarnation;
  bool fresh = false;  // the directory has yet to be furnished: then call ConfirmIdentity
};

// Reads the identity of a directory, or draws a new one if the directory is empty. kCorruption,
// naming the path, if it holds something else, or an identity that is damaged or of another format.
Result<DiskIdentity> ReadIdentity(const std::string& directory, const FaultHook& hook = {});
// The furnishing of a fresh directory is durable: from now on missing parts are damage.
Status ConfirmIdentity(const std::string& directory, const FaultHook& hook = {});

}  // namespace decree::store
