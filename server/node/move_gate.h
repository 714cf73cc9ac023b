// How fast the rows of snapshots may leave or reach one disk: a token bucket without a clock of its
// own. Each chunk takes its turn behind those before it; a disk that was idle gives the first one
// at once. Both ways share one gate. Voters that lag are no moves: they take turns of their own.
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "kv/base/time.h"

namespace decree::node {

// Whose rows they are.
enum class Lane : std::uint8_t {
  kUsual,   // of a move
  kUrgent,  // of a move that repairs
  kVoter,   // of a voter that lags: its shard may wait for it, and with it whoever sets the rate
  kMax = kVoter
};

class MoveGate {
 public:
  // Bytes a second; 0: no limit. Urgent is what repairs lost copies, and never slower. Voters get
  // as much again, and not less than the rate that a new cluster has.
  void SetRates(std::uint64_t usual, std::uint64_t urgent);
  // That share of a rate, and at least half of it for what is urgent. A limit stays one.
  void SetShare(std::uint64_t rate, double share);
  // Takes the turn of a chunk and says how long it is to wait for it; none: its turn would come
  // after `patience`, and nothing was taken.
  std::optional<Duration> Take(Instant now, std::uint64_t bytes, Lane lane, Duration patience);
  // How long to wait after so many bytes of rows that were read to be compared. As fast as moves
  // may be, each comparison by itself, and never so slow that it would be given up
  // (rebalance::DigestTime).
  Duration PauseAfterReading(std::uint64_t bytes);
  // A quarter of a second's worth, so that a slow rate is slow in small steps: 4 KiB to 1 MiB.
  std::uint32_t ChunkBytes(Lane lane) const;
  std::uint64_t taken() const { return taken_; }  // bytes, in all

 private:
  static constexpr std::uint64_t kFirstRate = std::uint64_t{64} << 20;
  std::uint64_t Rate(Lane lane) const;

  std::atomic<std::uint64_t> usual_{kFirstRate};
  std::atomic<std::uint64_t> urgent_{kFirstRate};
  std::atomic<std::int64_t> moves_free_at_{0};  // Instant::ns of the next turn
  std::atomic<std::int64_t> voters_free_at_{0};
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace decree::node
