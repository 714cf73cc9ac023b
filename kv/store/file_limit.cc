#include "kv/store/file_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <bit>

namespace decree::store {
namespace {

constexpr std::uint64_t kMostTables = 256;
constexpr std::uint64_t kFewestTables = 10;  // RocksDB keeps no fewer

}  // namespace

std::uint64_t OpenFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  // More than any disk can use; an infinite limit is a large number.
  return std::min<std::uint64_t>(limit.rlim_cur, std::uint64_t{1} << 24);
}

void RaiseOpenFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  [[maybe_unused]] const int best_effort = ::setrlimit(RLIMIT_NOFILE, &limit);
}

int OpenFileShare::TablesFor(std::uint64_t databases) const {
  const std::uint64_t each = descriptors_ / std::bit_ceil(std::max<std::uint64_t>(1, databases));
  const std::uint64_t tables = each > kIdle ? each - kIdle : 0;
  return static_cast<int>(std::clamp(tables, kFewestTables, kMostTables));
}

}  // namespace decree::store
