#include "kv/store/staged_file.h"

#include <algorithm>

namespace decree::store {
namespace {

bool IsPlain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

}  // namespace

Status CheckStagedAppend(const std::string& file, std::uint64_t offset, std::uint64_t size) {
  constexpr std::size_t kMaxName = 200;
  const bool plain = !file.empty() && file.size() <= kMaxName && file.front() != '.' &&
                     std::all_of(file.begin(), file.end(), IsPlain);
  if (!plain) return Error(Errc::kInvalidArgument, "not a snapshot file name: " + file);
  if (offset > size) {
    return Error(Errc::kInvalidArgument,
                 "snapshot file " + file + " has a hole at byte " + std::to_string(size));
  }
  return {};
}

}  // namespace decree::store
