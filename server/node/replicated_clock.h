// The leader's side of replicated time: wall-clock milliseconds for the batches it proposes. It
// follows the monotonic clock from the moment it leads, and the wall clock only while the two agree
// within a second, so that a wall clock set wrong while we lead expires nothing.
#pragma once

#include <algorithm>

#include "kv/base/time.h"

namespace decree::node {

class ReplicatedClock {
 public:
  void Lead(Instant now, WallMs wall) {
    anchor_ = now;
    anchor_wall_ = wall;
  }
  // Never below `floor`, the time of the last applied or proposed batch.
  WallMs Read(Instant now, WallMs wall, WallMs floor) {
    const WallMs expected =
        anchor_wall_ + static_cast<WallMs>((now - anchor_) / std::chrono::milliseconds(1));
    const WallMs gap = wall > expected ? wall - expected : expected - wall;
    if (gap < 1000) Lead(now, wall);
    last_ = std::max({gap < 1000 ? wall : expected, floor, last_});
    return last_;
  }

 private:
  Instant anchor_;
  WallMs anchor_wall_ = 0;
  WallMs last_ = 0;
};

}  // namespace decree::node
