// The rules of a staging place, the same on every disk. Names come from a peer: they must not leave
// the staging directory.
#pragma once

#include <cstdint>
#include <string>

#include "decree/result.h"

namespace decree::store {

// kInvalidArgument, naming the file, for a name that is not a plain file name, or for an offset
// that would leave a hole after the `size` bytes that are there. Sending a chunk again is fine.
Status CheckStagedAppend(const std::string& file, std::uint64_t offset, std::uint64_t size);

}  // namespace decree::store
