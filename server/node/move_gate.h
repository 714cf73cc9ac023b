// How fast the rows of snapshots may leave or reach one disk: a token bucket without a clock of its
// own. Each chunk takes its turn behind those before it; a disk that was idle gives the first one
// at once. Both ways share one gate. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "kv/base/time.h"

namespace decree::node {

class MoveGate {
 public:
  // Bytes a second; 0: no limit. Urgent is what repairs lost copies, and never slower.
  void SetRates(std::uint64_t usual, std::uint64_t urgent);
  // That share of a rate, and at least half of it for what is urgent. A limit stays one.
  void SetShare(std::uint64_t rate, double share);
  // Takes the turn of a chunk and says how long it is to wait for it; none: its turn would come
  // after `patience`, and nothing was taken.
  std::optional<Duration> Take(Instant now, std::uint64_t bytes, bool urgent, Duration patience);
  // A quarter of a second's worth, so that a slow rate is slow in small steps: 4 KiB to 1 MiB.
  std::uint32_t ChunkBytes(bool urgent) const;
  std::uint64_t taken() const { return taken_; }  // bytes, in all

 private:
  std::uint64_t Rate(bool urgent) const { return urgent ? urgent_ : usual_; }

  std::atomic<std::uint64_t> usual_{std::uint64_t{64} << 20};
  std::atomic<std::uint64_t> urgent_{std::uint64_t{64} << 20};
  std::atomic<std::int64_t> free_at_{0};  // Instant::ns of the next turn
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace decree::node
