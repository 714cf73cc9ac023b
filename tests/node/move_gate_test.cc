#include "server/node/move_gate.h"

#include <gtest/gtest.h>

namespace decree::node {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr Duration kForEver = Duration::max();

TEST(MoveGateTest, ChunksTakeTheirTurnsAtTheRate) {
  MoveGate gate;
  gate.SetRates(10 * kMiB, 10 * kMiB);
  const Instant now{1'000'000'000};
  EXPECT_EQ(gate.Take(now, kMiB, Lane::kUsual, kForEver), Duration::zero()) << "the disk was idle";
  EXPECT_EQ(gate.Take(now, kMiB, Lane::kUsual, kForEver), Duration(100ms));
  EXPECT_EQ(gate.Take(now, kMiB, Lane::kUsual, kForEver), Duration(200ms));
  EXPECT_EQ(gate.Take(now + 250ms, kMiB, Lane::kUsual, kForEver), Duration(50ms));
  EXPECT_EQ(gate.Take(now + 2s, kMiB, Lane::kUsual, kForEver), Duration::zero())
      << "no credit, no debt";
  EXPECT_EQ(gate.taken(), 5 * kMiB);
}

TEST(MoveGateTest, WhatWouldWaitTooLongTakesNothing) {
  MoveGate gate;
  gate.SetRates(kMiB, kMiB);
  const Instant now{1};
  gate.Take(now, 2 * kMiB, Lane::kUsual, kForEver);
  EXPECT_FALSE(gate.Take(now, kMiB, Lane::kUsual, 1s));
  EXPECT_EQ(gate.taken(), 2 * kMiB);
  EXPECT_EQ(gate.Take(now + 1s, kMiB, Lane::kUsual, 1s), Duration(1s));
}

TEST(MoveGateTest, UrgentWorkIsNeverSlower) {
  MoveGate gate;
  gate.SetRates(kMiB, 4 * kMiB);
  const Instant now{1};
  gate.Take(now, kMiB, Lane::kUrgent, kForEver);
  EXPECT_EQ(gate.Take(now, kMiB, Lane::kUsual, kForEver), Duration(250ms));
  gate.SetRates(8 * kMiB, 4 * kMiB);
  EXPECT_EQ(gate.Take(now + 10s, kMiB, Lane::kUrgent, kForEver), Duration::zero());
  EXPECT_EQ(gate.Take(now + 10s, kMiB, Lane::kUrgent, kForEver), Duration(125ms));
}

TEST(MoveGateTest, WithoutALimitNobodyWaits) {
  MoveGate gate;
  gate.SetRates(0, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gate.Take(Instant{1}, 100 * kMiB, i == 0 ? Lane::kUrgent : Lane::kUsual, 1s),
              Duration::zero());
  }
}

TEST(MoveGateTest, AShareOfALimitIsALimitAndLeavesRepairHalf) {
  MoveGate gate;
  gate.SetShare(8 * kMiB, 0.25);
  EXPECT_EQ(gate.Take(Instant{1}, 2 * kMiB, Lane::kUsual, kForEver), Duration::zero());
  EXPECT_EQ(gate.Take(Instant{1}, 4 * kMiB, Lane::kUrgent, kForEver), Duration(1s)) << "2 MiB/s";
  EXPECT_EQ(gate.Take(Instant{1}, kMiB, Lane::kUrgent, kForEver), Duration(2s)) << "4 MiB/s";
  MoveGate slow;
  slow.SetShare(3, 1.0 / 32);
  slow.Take(Instant{1}, 1, Lane::kUsual, kForEver);
  EXPECT_FALSE(slow.Take(Instant{1}, 1, Lane::kUsual, 0s)) << "not without a limit";
}

// Were it otherwise, a group that waits for the rows of a voter would wait at the rate of moves;
// the placement group, which alone can change that rate, too.
TEST(MoveGateTest, AVoterThatLagsWaitsForNoMoveNorForItsRate) {
  MoveGate gate;
  gate.SetShare(2048, 1.0 / 32);
  const Instant now{1};
  gate.Take(now, kMiB, Lane::kUsual, kForEver);
  EXPECT_EQ(gate.ChunkBytes(Lane::kVoter), kMiB);
  EXPECT_EQ(gate.Take(now, 64 * kMiB, Lane::kVoter, 1s), Duration::zero());
  EXPECT_EQ(gate.Take(now, kMiB, Lane::kVoter, 1s), Duration(1s)) << "64 MiB/s";
  MoveGate fast;
  fast.SetRates(256 * kMiB, 256 * kMiB);
  fast.Take(now, 64 * kMiB, Lane::kVoter, 1s);
  EXPECT_EQ(fast.Take(now, kMiB, Lane::kVoter, 1s), Duration(250ms));
  EXPECT_EQ(fast.Take(now, kMiB, Lane::kUsual, 1s), Duration::zero());
}

// It would be given up after five seconds and one for each 32 MiB (rebalance::DigestTime).
TEST(MoveGateTest, ComparingIsAsFastAsMovesAndNeverTooSlowToEnd) {
  MoveGate gate;
  gate.SetRates(128 * kMiB, 128 * kMiB);
  EXPECT_EQ(gate.PauseAfterReading(64 * kMiB), Duration(500ms));
  gate.SetRates(1024, 1024);
  EXPECT_EQ(gate.PauseAfterReading(48 * kMiB), Duration(1s));
  gate.SetRates(0, 0);
  EXPECT_EQ(gate.PauseAfterReading(48 * kMiB), Duration::zero());
  EXPECT_EQ(gate.taken(), 160 * kMiB);
}

TEST(MoveGateTest, ASlowRateIsSlowInSmallSteps) {
  MoveGate gate;
  gate.SetRates(64 * kMiB, 64 * kMiB);
  EXPECT_EQ(gate.ChunkBytes(Lane::kUsual), kMiB);
  gate.SetRates(kMiB, 2 * kMiB);
  EXPECT_EQ(gate.ChunkBytes(Lane::kUsual), kMiB / 4);
  EXPECT_EQ(gate.ChunkBytes(Lane::kUrgent), kMiB / 2);
  gate.SetRates(1024, 1024);
  EXPECT_EQ(gate.ChunkBytes(Lane::kUsual), 4096u);
  gate.SetRates(0, 0);
  EXPECT_EQ(gate.ChunkBytes(Lane::kUsual), kMiB);
}

}  // namespace
}  // namespace decree::node
