// Notices that a move makes no progress (design.md section 6: time-outs are on lack of progress,
// never on total time). Pure: it is told what is known and what time it is.
//
// Progress is: a later stage, a later word of the shard's log about its members, or a replica that
// lags and has received more bytes than a moment ago or is nearer to the leader than ever before. A
// snapshot that begins again counts anew, but only a few times. While clients write a replica
// learns slots all the time, caught up or as far behind as before; that moves nothing on, so it
// does not count.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "rebalance/move.h"

namespace decree::rebalance {

class StallWatch {
 public:
  explicit StallWatch(Instant now) : since_(now) {}
  void Observe(const MoveRecord& move, const MoveView& view, Instant now);
  Duration Idle(Instant now) const { return now - since_; }

 private:
  static constexpr std::uint64_t kFar = static_cast<std::uint64_t>(-1);

  bool Advanced(const MoveRecord& move, const MoveView& view);
  bool Learned(ReplicaId id, const ReplicaStatus& status, const MoveView& view);

  struct Received {
    std::uint64_t bytes = 0;  // of the present snapshot
    std::uint64_t most = 0;   // of any
    std::uint32_t restarts = 0;
    std::uint64_t gap = kFar;  // the smallest to the leader, in slots
  };
  Instant since_;
  std::tuple<Stage, bool, Epoch, MoveId> reached_;
  Slot top_;  // the most that a leader ever knew: one that knows less shortens no gap
  std::map<ReplicaId, Received> best_;
};

// How long a replica may take to digest so many rows while clients work: no stall before that.
inline Duration DigestTime(std::uint64_t bytes) {
  constexpr std::uint64_t kBytesPerMs = (std::uint64_t{32} << 20) / 1000;
  return milliseconds(bytes / kBytesPerMs);
}

}  // namespace decree::rebalance
