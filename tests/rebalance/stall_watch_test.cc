#include "rebalance/stall_watch.h"

#include <gtest/gtest.h>

namespace decree::rebalance {
namespace {

class StallWatchTest : public ::testing::Test {
 protected:
  StallWatchTest() {
    move_.target.replica = ReplicaId{4};
    view_.leader = Replica(1000);
    view_.target = Replica(10);
    view_.others[ReplicaId{2}] = Replica(1000);
    Look();
  }
  static ReplicaStatus Replica(std::uint64_t slot) {
    ReplicaStatus status;
    status.exists = status.has_snapshot = true;
    status.config.epoch = Epoch{1};
    status.chosen = status.durable_chosen = Slot{slot};
    return status;
  }
  // One second later; true if something moved on.
  bool Look() {
    now_ = now_ + 1s;
    watch_.Observe(move_, view_, now_);
    return watch_.Idle(now_) == Duration::zero();
  }

  MoveRecord move_;
  MoveView view_;
  Instant now_{1};
  StallWatch watch_{now_};
};

TEST_F(StallWatchTest, AStageIsProgress) {
  EXPECT_FALSE(Look());
  move_.stage = Stage::kAddLearner;
  EXPECT_TRUE(Look());
  move_.cancelled = true;
  EXPECT_TRUE(Look());
  EXPECT_FALSE(Look());
  EXPECT_EQ(watch_.Idle(now_), Duration(1s));
}

TEST_F(StallWatchTest, APauseIsNoStall) {
  move_.paused = true;
  EXPECT_TRUE(Look());
  EXPECT_TRUE(Look());
  move_.paused = false;
  EXPECT_FALSE(Look());
}

TEST_F(StallWatchTest, WhatTheLogSaysOfTheMembersIsProgress) {
  view_.leader->config.ended_move = MoveId{5};
  EXPECT_TRUE(Look());
  view_.leader.reset();
  EXPECT_FALSE(Look());
  view_.leader = Replica(1000);  // one that knows less
  EXPECT_FALSE(Look());
  view_.leader->config.epoch = Epoch{2};
  EXPECT_TRUE(Look());
}

TEST_F(StallWatchTest, ALaggingReplicaThatLearnsIsProgress) {
  view_.target->durable_chosen = Slot{11};
  EXPECT_TRUE(Look());
  EXPECT_FALSE(Look());
  view_.others[ReplicaId{2}].durable_chosen = Slot{700};
  EXPECT_FALSE(Look()) << "less than before";
  view_.others[ReplicaId{2}].durable_chosen = Slot{701};
  EXPECT_FALSE(Look()) << "it knew more once";
}

TEST_F(StallWatchTest, ASnapshotThatBeginsAgainIsProgressAFewTimes) {
  view_.target->has_snapshot = false;
  const auto received = [this](std::uint64_t bytes) {
    view_.target->snapshot_bytes_done = bytes;
    return Look();
  };
  EXPECT_TRUE(received(1000));
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(received(0));
    EXPECT_TRUE(received(500)) << "again " << i;
  }
  EXPECT_FALSE(received(0));
  EXPECT_FALSE(received(500)) << "it never gets further";
  EXPECT_TRUE(received(1001));
}

TEST_F(StallWatchTest, AGapThatDoesNotShrinkIsNoProgress) {
  const auto at = [this](std::uint64_t leader, std::uint64_t target) {
    view_.leader->chosen = view_.others[ReplicaId{2}].durable_chosen = Slot{leader};
    view_.target->durable_chosen = Slot{target};
    return Look();
  };
  EXPECT_FALSE(at(2000, 1010)) << "as far behind as before";
  EXPECT_FALSE(at(3000, 1500));
  EXPECT_TRUE(at(3100, 2200));
  EXPECT_FALSE(at(2300, 2200)) << "a leader that knows less";
  EXPECT_TRUE(at(3100, 2300));
}

// A voter that stays is waited for, and the target lags now and then while clients write
// (seed 13532368588704).
TEST_F(StallWatchTest, FallingBehindForAMomentIsNoProgress) {
  view_.target->durable_chosen = Slot{1000};
  Look();
  view_.leader->chosen = Slot{2000};
  view_.target->durable_chosen = Slot{1800};
  EXPECT_FALSE(Look());
  view_.target->durable_chosen = Slot{1801};
  EXPECT_FALSE(Look());
}

TEST_F(StallWatchTest, WritesThatGoOnAreNoProgress) {
  view_.leader->chosen = Slot{1100};
  view_.others[ReplicaId{2}].durable_chosen = Slot{1100};
  EXPECT_FALSE(Look());
}

}  // namespace
}  // namespace decree::rebalance
