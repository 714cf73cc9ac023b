// The leader's side of replicated time: wall-clock milliseconds for the batches it proposes. It
// follows the monotonic clock from an anchor, and the wall clock only while the two agree within a
// second, so that a wall clock set wrong expires nothing.
//
// The anchor is the time of the leader before: its heartbeats tell it, so that a new leader whose
// wall clock is an hour fast goes on where the old one was. Whoever heard no leader since its start
// begins with its wall clock, however far ahead: there is nothing better, an outage may have been
// long, and what expired meanwhile must go. Time never falls.
#pragma once

#include <algorithm>

#include "kv/base/mark.h"
#include "kv/base/time.h"

namespace decree::node {

class ReplicatedClock {
 public:
  // The leader says its time. It may have been long on its way, so that what is expected from
  // earlier ones falls by a little at a time only: by more than clocks drift apart.
  void Follow(Instant now, WallMs leader_time) {
    const WallMs expected = Expected(now);
    const bool late = anchored_ && leader_time < expected;
    if (late) SOMETIMES(clock_leaders_time_came_late);
    Anchor(now, late ? expected - 1 : leader_time);
  }
  // `floor` is the time of the last applied batch.
  void Lead(Instant now, WallMs wall, WallMs floor) {
    if (!anchored_) Anchor(now, std::max(wall, floor));
  }
  // Never below `floor`, the time of the last applied or proposed batch. Needs Lead or Follow.
  WallMs Read(Instant now, WallMs wall, WallMs floor) {
    const WallMs expected = Expected(now);
    const WallMs gap = wall > expected ? wall - expected : expected - wall;
    if (gap >= kTrusted) SOMETIMES(clock_wall_not_trusted);
    const WallMs time = std::max(gap < kTrusted ? wall : expected, floor);
    if (time != expected) Anchor(now, time);
    last_ = std::max(last_, time);
    return last_;
  }

 private:
  static constexpr WallMs kTrusted = 1000;

  WallMs Expected(Instant now) const {
    return anchor_time_ + static_cast<WallMs>((now - anchor_) / std::chrono::milliseconds(1));
  }
  void Anchor(Instant now, WallMs time) {
    anchored_ = true;
    anchor_ = now;
    anchor_time_ = time;
  }

  bool anchored_ = false;
  Instant anchor_;
  WallMs anchor_time_ = 0;
  WallMs last_ = 0;
};

}  // namespace decree::node
