#include "server/node/space_ledger.h"

#include <algorithm>
#include <string>

namespace decree::node {

bool SpaceLedger::Take(std::uint64_t bytes, std::uint64_t free) {
  std::uint64_t promised = promised_;
  do {
    if (bytes > free - std::min(promised, free)) return false;
  } while (!promised_.compare_exchange_weak(promised, promised + bytes));
  return true;
}

Status SpacePromise::Set(std::uint64_t bytes, const store::Disk& disk) {
  Release();
  const store::DiskSpace space = disk.space();
  const std::uint64_t free =
      space.capacity_bytes - std::min(space.used_bytes, space.capacity_bytes);
  if (!ledger_->Take(bytes, free)) {
    return Error(Errc::kNoSpace, std::to_string(bytes) + " bytes of rows do not fit on " +
                                     disk.path() + ", where " + std::to_string(free) +
                                     " are free and " + std::to_string(ledger_->promised()) +
                                     " of them promised to other replicas");
  }
  bytes_ = bytes;
  return {};
}

void SpacePromise::Written(std::uint64_t bytes) {
  const std::uint64_t written = std::min(bytes, bytes_);
  bytes_ -= written;
  ledger_->Give(written);
}

}  // namespace decree::node
