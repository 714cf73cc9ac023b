#include "server/node/stall_refusals.h"

#include <gtest/gtest.h>

#include <optional>

namespace decree::node {
namespace {

constexpr Duration kPatience = 2s;

// Refused every half second from `from` on; when that was too long, if within six seconds.
std::optional<Instant> TooLong(StallRefusals& refusals, Instant from) {
  for (Instant now = from; now - from < 6s; now = now + 500ms) {
    if (refusals.Note(now, kPatience)) return now;
  }
  return std::nullopt;
}

TEST(StallRefusalsTest, WhatGoesOnForLongerThanPatienceIsTooLong) {
  StallRefusals refusals;
  EXPECT_EQ(TooLong(refusals, Instant{0}), Instant{0} + 2500ms);
}

TEST(StallRefusalsTest, AWriteThatIsTakenEndsTheStall) {
  StallRefusals refusals;
  refusals.Note(Instant{0}, kPatience);
  refusals.Note(Instant{0} + 1500ms, kPatience);
  refusals.End();
  EXPECT_EQ(TooLong(refusals, Instant{0} + 2s), Instant{0} + 4500ms);
}

TEST(StallRefusalsTest, AfterAPauseItBeginsAnew) {
  StallRefusals refusals;
  refusals.Note(Instant{0}, kPatience);
  EXPECT_EQ(TooLong(refusals, Instant{0} + 10s), Instant{0} + 12500ms);
}

}  // namespace
}  // namespace decree::node
