// Notices that a move makes no progress (design.md section 6: time-outs are on lack of progress,
// never on total time). Pure: it is told what is known and what time it is.
//
// Progress is: a later stage, a later word of the shard's log about its members, or a replica that
// lags and has received more bytes than a moment ago or more slots than ever before. A snapshot
// that begins again counts anew, but only a few times. A replica that is caught up learns slots all
// the time while clients write; that moves nothing on, so it does not count.
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
  bool Advanced(const MoveRecord& move, const MoveView& view);
  bool Learned(ReplicaId id, const ReplicaStatus& status, const MoveView& view);

  struct Received {
    std::uint64_t bytes = 0;  // of the present snapshot
    std::uint64_t most = 0;   // of any
    std::uint32_t restarts = 0;
    Slot slot;
  };
  Instant since_;
  std::tuple<Stage, bool, Epoch, MoveId> reached_;
  std::map<ReplicaId, Received> best_;
};

// How long a replica may take to digest so many rows while clients work: no stall before that.
inline Duration DigestTime(std::uint64_t bytes) {
  constexpr std::uint64_t kBytesPerMs = (std::uint64_t{32} << 20) / 1000;
  return milliseconds(bytes / kBytesPerMs);
}

}  // namespace decree::rebalance
