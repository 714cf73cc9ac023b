#include "server/node/move_pace.h"

#include <gtest/gtest.h>

namespace decree::node {
namespace {

class MovePaceTest : public ::testing::Test {
 protected:
  double Idle(Duration p99) { return pace_.Observe({100, p99, 0}); }
  double Moving(Duration p99, std::uint64_t samples = 100) {
    return pace_.Observe({samples, p99, 1 << 20});
  }
  MovePace pace_;
};

TEST_F(MovePaceTest, GivesWayWhenRequestsBecomeSlowerThanTheyWere) {
  Idle(2ms);
  EXPECT_EQ(Moving(2500us), 1) << "within a third and half a millisecond: noise";
  EXPECT_EQ(Moving(5ms), 0.5);
  EXPECT_EQ(Moving(5ms), 0.25);
  for (int i = 0; i < 10; ++i) Moving(50ms);
  EXPECT_EQ(pace_.share(), 1.0 / 32) << "it goes on, slowly";
}

TEST_F(MovePaceTest, RecoversWhenTheyAreWell) {
  Idle(2ms);
  Moving(50ms);
  Moving(50ms);
  EXPECT_EQ(Moving(2ms), 0.375);
  EXPECT_EQ(Idle(2ms), 0.5);
  for (int i = 0; i < 10; ++i) Moving(2ms);
  EXPECT_EQ(pace_.share(), 1);
}

TEST_F(MovePaceTest, WhatIsSlowWithoutMovesIsNotTheirDoing) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Idle(i % 2 ? 2ms : 80ms), 1);
  EXPECT_EQ(Moving(40ms), 1);
}

TEST_F(MovePaceTest, FewRequestsSayNothing) {
  Idle(2ms);
  EXPECT_EQ(Moving(900ms, 5), 1);
  EXPECT_LT(pace_.baseline(), Duration(3ms));
}

TEST_F(MovePaceTest, ALoadThatChangedForGoodIsLearned) {
  Idle(2ms);
  for (int i = 0; i < 200; ++i) Moving(8ms);
  EXPECT_EQ(pace_.share(), 1);
}

}  // namespace
}  // namespace decree::node
