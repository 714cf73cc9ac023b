// How much of its rate moves may take on this node: all of it, unless foreground requests have
// become slower than they were shortly before. Then half, and half again; back by an eighth in each
// window in which they are well. Pure.
#pragma once

#include <cstdint>

#include "kv/base/time.h"

namespace decree::node {

class MovePace {
 public:
  struct Window {
    std::uint64_t samples = 0;  // of requests
    Duration p99{};             // of them
    std::uint64_t moved_bytes = 0;
  };

  // Called at the end of each window; returns share().
  double Observe(const Window& window);
  double share() const { return share_; }
  Duration baseline() const { return Duration(static_cast<std::int64_t>(baseline_ns_)); }

 private:
  bool Suffers(const Window& window) const;
  void Learn(const Window& window);

  double share_ = 1;
  double baseline_ns_ = 0;  // p99 of requests when nothing moves; 0: not known
};

}  // namespace decree::node
