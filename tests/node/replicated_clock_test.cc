#include "server/node/replicated_clock.h"

#include <gtest/gtest.h>

namespace decree::node {
namespace {

constexpr WallMs kHour = 3'600'000;
constexpr WallMs kStart = 1'700'000'000'000;

class ReplicatedClockTest : public testing::Test {
 protected:
  void Wait(Duration time) { now_ = now_ + time; }
  WallMs TrueTime() const { return kStart + static_cast<WallMs>(now_.ns / 1'000'000); }
  // Hears a leader whose clock is right, each heartbeat.
  void FollowFor(Duration time) {
    for (const Instant end = now_ + time; now_ < end; Wait(50ms)) clock_.Follow(now_, TrueTime());
  }

  Instant now_{0};
  ReplicatedClock clock_;
};

TEST_F(ReplicatedClockTest, ANewLeaderWithAFastWallClockGoesOnWhereTheOldOneWas) {
  FollowFor(1s);
  Wait(400ms);
  clock_.Lead(now_, TrueTime() + kHour, 0);
  EXPECT_EQ(clock_.Read(now_, TrueTime() + kHour, 0), TrueTime());
  Wait(10s);
  EXPECT_EQ(clock_.Read(now_, TrueTime() + kHour, 0), TrueTime());
  // When the wall clock is set right, it is followed again.
  EXPECT_EQ(clock_.Read(now_, TrueTime() + 300, 0), TrueTime() + 300);
}

TEST_F(ReplicatedClockTest, ANewLeaderWithASlowWallClockGoesOnWhereTheOldOneWas) {
  FollowFor(1s);
  clock_.Lead(now_, TrueTime() - kHour, 0);
  Wait(10s);
  EXPECT_EQ(clock_.Read(now_, TrueTime() - kHour, 0), TrueTime());
}

TEST_F(ReplicatedClockTest, AWallClockThatJumpsWhileItLeadsChangesNothing) {
  clock_.Lead(now_, TrueTime(), 0);
  EXPECT_EQ(clock_.Read(now_, TrueTime(), 0), TrueTime());
  Wait(5s);
  EXPECT_EQ(clock_.Read(now_, TrueTime() + kHour, 0), TrueTime());
  Wait(5s);
  EXPECT_EQ(clock_.Read(now_, TrueTime() - kHour, 0), TrueTime());
}

TEST_F(ReplicatedClockTest, AfterARestartTheWallClockIsTheBestThereIs) {
  const WallMs applied = TrueTime() - 10 * kHour;  // the outage was long
  clock_.Lead(now_, TrueTime(), applied);
  EXPECT_EQ(clock_.Read(now_, TrueTime(), applied), TrueTime());
}

TEST_F(ReplicatedClockTest, TimeNeverFallsAndDoesNotStandStill) {
  const WallMs applied = TrueTime() + kHour;  // an earlier leader was fast
  clock_.Lead(now_, TrueTime(), applied);
  EXPECT_EQ(clock_.Read(now_, TrueTime(), applied), applied);
  for (int i = 0; i < 10'000; ++i) {  // read more often than every millisecond
    Wait(100us);
    clock_.Read(now_, TrueTime(), applied);
  }
  EXPECT_EQ(clock_.Read(now_, TrueTime(), applied), applied + 1000);
}

TEST_F(ReplicatedClockTest, AHeartbeatThatWasLongOnItsWayTurnsNothingBack) {
  FollowFor(1s);
  clock_.Follow(now_, TrueTime() - 3000);
  clock_.Lead(now_, TrueTime() + kHour, 0);
  EXPECT_GE(clock_.Read(now_, TrueTime() + kHour, 0), TrueTime() - 2);
}

TEST_F(ReplicatedClockTest, ClocksThatDriftApartAreFollowed) {
  FollowFor(1s);
  for (int i = 0; i < 20'000; ++i) {  // ours runs 1 % faster than the leader's
    Wait(50ms);
    const Instant theirs{now_.ns - (now_.ns - 1'000'000'000) / 100};
    clock_.Follow(now_, kStart + static_cast<WallMs>(theirs.ns / 1'000'000));
  }
  const WallMs leader =
      kStart + static_cast<WallMs>((now_.ns - (now_.ns - 1'000'000'000) / 100) / 1'000'000);
  clock_.Lead(now_, 0, 0);
  EXPECT_NEAR(static_cast<double>(clock_.Read(now_, 0, 0)), static_cast<double>(leader), 2.0);
}

}  // namespace
}  // namespace decree::node
