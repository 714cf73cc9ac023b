#include "tests/sim/shorten.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace decree::sim {
namespace {

FaultNumbers UpTo(std::uint32_t last) {
  FaultNumbers all;
  for (std::uint32_t i = 1; i <= last; ++i) all.insert(i);
  return all;
}

auto NeedsAllOf(FaultNumbers needed) {
  return [needed = std::move(needed)](const FaultNumbers& some) {
    return std::includes(some.begin(), some.end(), needed.begin(), needed.end());
  };
}

TEST(ShortenTest, FindsTheOneFaultThatMatters) {
  const Shortened found = Shorten(UpTo(64), NeedsAllOf({41}), 100);
  EXPECT_EQ(found.kept, FaultNumbers{41});
  EXPECT_TRUE(found.minimal);
  EXPECT_LE(found.runs, 20u);
}

TEST(ShortenTest, FindsThreeFaultsFarApart) {
  const FaultNumbers needed{3, 29, 30};
  const Shortened found = Shorten(UpTo(30), NeedsAllOf(needed), 200);
  EXPECT_EQ(found.kept, needed);
  EXPECT_TRUE(found.minimal);
}

TEST(ShortenTest, KeepsAllIfAllMatter) {
  EXPECT_EQ(Shorten(UpTo(5), NeedsAllOf(UpTo(5)), 100).kept, UpTo(5));
}

TEST(ShortenTest, FindsThatNoneMatters) {
  const Shortened found = Shorten(UpTo(20), NeedsAllOf({}), 100);
  EXPECT_TRUE(found.kept.empty());
  EXPECT_EQ(found.runs, 1u);
}

TEST(ShortenTest, StopsWhenTheRunsAreUsedUp) {
  const FaultNumbers needed{3, 29, 30};
  const Shortened found = Shorten(UpTo(30), NeedsAllOf(needed), 7);
  EXPECT_FALSE(found.minimal);
  EXPECT_EQ(found.runs, 7u);
  EXPECT_TRUE(NeedsAllOf(needed)(found.kept)) << "what is left still fails";
}

}  // namespace
}  // namespace decree::sim
