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
  EXPECT_EQ(gate.Take(now, kMiB, false, kForEver), Duration::zero()) << "the disk was idle";
  EXPECT_EQ(gate.Take(now, kMiB, false, kForEver), Duration(100ms));
  EXPECT_EQ(gate.Take(now, kMiB, false, kForEver), Duration(200ms));
  EXPECT_EQ(gate.Take(now + 250ms, kMiB, false, kForEver), Duration(50ms));
  EXPECT_EQ(gate.Take(now + 2s, kMiB, false, kForEver), Duration::zero()) << "no credit, no debt";
  EXPECT_EQ(gate.taken(), 5 * kMiB);
}

TEST(MoveGateTest, WhatWouldWaitTooLongTakesNothing) {
  MoveGate gate;
  gate.SetRates(kMiB, kMiB);
  const Instant now{1};
  gate.Take(now, 2 * kMiB, false, kForEver);
  EXPECT_FALSE(gate.Take(now, kMiB, false, 1s));
  EXPECT_EQ(gate.taken(), 2 * kMiB);
  EXPECT_EQ(gate.Take(now + 1s, kMiB, false, 1s), Duration(1s));
}

TEST(MoveGateTest, UrgentWorkIsNeverSlower) {
  MoveGate gate;
  gate.SetRates(kMiB, 4 * kMiB);
  const Instant now{1};
  gate.Take(now, kMiB, true, kForEver);
  EXPECT_EQ(gate.Take(now, kMiB, false, kForEver), Duration(250ms));
  gate.SetRates(8 * kMiB, 4 * kMiB);
  EXPECT_EQ(gate.Take(now + 10s, kMiB, true, kForEver), Duration::zero());
  EXPECT_EQ(gate.Take(now + 10s, kMiB, true, kForEver), Duration(125ms));
}

TEST(MoveGateTest, WithoutALimitNobodyWaits) {
  MoveGate gate;
  gate.SetRates(0, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gate.Take(Instant{1}, 100 * kMiB, i == 0, 1s), Duration::zero());
  }
}

TEST(MoveGateTest, AShareOfALimitIsALimitAndLeavesRepairHalf) {
  MoveGate gate;
  gate.SetShare(8 * kMiB, 0.25);
  EXPECT_EQ(gate.Take(Instant{1}, 2 * kMiB, false, kForEver), Duration::zero());
  EXPECT_EQ(gate.Take(Instant{1}, 4 * kMiB, true, kForEver), Duration(1s)) << "2 MiB/s";
  EXPECT_EQ(gate.Take(Instant{1}, kMiB, true, kForEver), Duration(2s)) << "4 MiB/s";
  MoveGate slow;
  slow.SetShare(3, 1.0 / 32);
  slow.Take(Instant{1}, 1, false, kForEver);
  EXPECT_FALSE(slow.Take(Instant{1}, 1, false, 0s)) << "not without a limit";
}

TEST(MoveGateTest, ASlowRateIsSlowInSmallSteps) {
  MoveGate gate;
  gate.SetRates(64 * kMiB, 64 * kMiB);
  EXPECT_EQ(gate.ChunkBytes(false), kMiB);
  gate.SetRates(kMiB, 2 * kMiB);
  EXPECT_EQ(gate.ChunkBytes(false), kMiB / 4);
  EXPECT_EQ(gate.ChunkBytes(true), kMiB / 2);
  gate.SetRates(1024, 1024);
  EXPECT_EQ(gate.ChunkBytes(false), 4096u);
  gate.SetRates(0, 0);
  EXPECT_EQ(gate.ChunkBytes(false), kMiB);
}

}  // namespace
}  // namespace decree::node
