#include "client/cli/bench_judge.h"

#include <gtest/gtest.h>

namespace decree::cli {
namespace {

TEST(VersionJudgeTest, AnOrderByVersionsThatFitsTheTimesIsLinearizable) {
  VersionJudge judge;
  const std::uint64_t first = judge.Begin("k");
  judge.FoundNothing("k", first);
  judge.Wrote("k", first, 5, "a");
  const std::uint64_t floor = judge.Begin("k");
  EXPECT_EQ(floor, 5u);
  judge.Read("k", floor, 5, "a");
  judge.Wrote("k", floor, 9, "c");
  judge.Read("k", floor, 7, "b");  // began before version 9 was known; 7 is of a lost answer
  EXPECT_EQ(judge.violations(), 0u);
  EXPECT_EQ(judge.judged(), 5u);
}

TEST(VersionJudgeTest, WhatIsOlderThanWhatWasKnownIsTold) {
  VersionJudge judge;
  judge.Wrote("k", judge.Begin("k"), 5, "a");
  judge.Read("k", judge.Begin("k"), 4, "z");
  EXPECT_EQ(judge.violations(), 1u) << "a stale read";
  judge.Wrote("k", judge.Begin("k"), 5, "a");
  EXPECT_EQ(judge.violations(), 2u) << "a version given out twice";
  judge.FoundNothing("k", judge.Begin("k"));
  EXPECT_EQ(judge.violations(), 3u) << "a lost write";
  judge.Read("k", judge.Begin("k"), 5, "other");
  EXPECT_EQ(judge.violations(), 4u) << "another value";
  EXPECT_EQ(judge.complaints().size(), 4u);
  judge.Read("other", judge.Begin("other"), 1, "a");
  EXPECT_EQ(judge.violations(), 4u) << "keys are judged apart";
}

}  // namespace
}  // namespace decree::cli
