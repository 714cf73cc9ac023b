// How many descriptors a process may hold, and how the databases of a disk share them. Each holds a
// few while it idles, and a bounded number of open tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace decree::store {

// The process's limit (ulimit -n).
std::uint64_t OpenFileLimit();
// Raises it as far as the system lets the process do. For a program's main, not for libraries.
void RaiseOpenFileLimit();

class OpenFileShare {
 public:
  // Lock, manifest, log and two of the directory: what RocksDB 7.8 holds open of every database.
  static constexpr std::uint64_t kIdle = 5;
  // A replica of some ten MiB has about so many tables. With more, one is closed to open another.
  static constexpr std::uint64_t kUsualTables = 5;

  explicit OpenFileShare(std::uint64_t descriptors) : descriptors_(descriptors) {}

  std::uint64_t descriptors() const { return descriptors_; }
  std::uint64_t most_databases() const { return descriptors_ / (kIdle + kUsualTables); }
  // Open tables for each of so many databases. Changes only where their number passes a power of
  // two, because telling an open database costs a write and a sync.
  int TablesFor(std::uint64_t databases) const;

 private:
  std::uint64_t descriptors_;
};

}  // namespace decree::store
