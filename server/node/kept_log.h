// How much of their logs the shards of one node hold in memory below rows that are durable already,
// for members that lag and for snapshots on their way: one budget for all of them (P10). Any
// thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace decree::node {

class KeptLog {
 public:
  // A shard that kept `before` bytes keeps `now`.
  void Change(std::size_t before, std::size_t now) { bytes_ += now - before; }  // wraps around
  std::size_t bytes() const { return bytes_; }

 private:
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace decree::node
