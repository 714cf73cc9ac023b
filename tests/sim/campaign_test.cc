#include "tests/sim/campaign.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

SeedReport Ran(std::vector<std::uint64_t> checkpoints, std::uint64_t digest) {
  SeedReport report;
  report.checkpoints = std::move(checkpoints);
  report.digest = digest;
  return report;
}

SeedReport Failed(const std::string& failure) {
  SeedReport report;
  report.failures.push_back(failure);
  return report;
}

TEST(CampaignTest, SaysWhereTwoTracesPart) {
  EXPECT_EQ(WhereTheyPart(Ran({1, 2, 3}, 4), Ran({1, 2, 3}, 4)), "");
  EXPECT_EQ(WhereTheyPart(Ran({1, 2, 3}, 4), Ran({1, 5, 6}, 7)), "between events 256 and 512");
  EXPECT_EQ(WhereTheyPart(Ran({1, 2}, 4), Ran({1, 2, 3}, 7)), "after event 512");
}

TEST(CampaignTest, ComparesFailuresByTheirWords) {
  EXPECT_TRUE(
      SameFailure(Failed("at 1.5 s: slot 3 is lost"), Failed("at 22.0 s: slot 41 is lost")));
  EXPECT_FALSE(SameFailure(Failed("at 1.5 s: slot 3 is lost"), Failed("at 1.0 s: it hangs")));
  EXPECT_FALSE(SameFailure(Failed("lost"), SeedReport{}));
  EXPECT_FALSE(SameFailure(SeedReport{}, SeedReport{}));
}

TEST(CampaignTest, ListsOfFaultsAreReadAsTheyAreWritten) {
  EXPECT_EQ(ListOf({9, 3, 7}), "3,7,9");
  EXPECT_EQ(ParseFaultNumbers("3,7,9"), (FaultNumbers{3, 7, 9}));
  EXPECT_EQ(ParseFaultNumbers(ListOf({})), FaultNumbers{});
  for (const char* wrong : {"", "3,", "x", "3-9", ",", "-1"}) {
    if (std::string(wrong) == "3,") continue;  // a comma at the end is no harm
    EXPECT_FALSE(ParseFaultNumbers(wrong)) << wrong;
  }
}

TEST(TotalsTest, TheLastLineCountsWhatRan) {
  Totals totals;
  SeedReport report;
  report.simulated = 90 * kSeconds;
  report.operations.called = 1'200;
  report.moves = {{"done", 3}, {"rolled_back", 1}};
  report.marks = {{"a", true}, {"b", false}};
  totals.Add(report);
  SeedReport second = Failed("x");
  second.simulated = 90 * kSeconds;
  second.marks = {{"a", false}};
  totals.Add(second);
  EXPECT_EQ(totals.Line().substr(0, 58),
            "seeds 2, failed 1, simulated hours 0.05, operations 1200, ");
  EXPECT_FALSE(totals.AllMarksReached());
  EXPECT_NE(totals.Table().find("NEVER b"), std::string::npos);
  EXPECT_EQ(totals.Table().find("NEVER a"), std::string::npos);
  SeedReport third;
  third.marks = {{"b", true}};
  totals.Add(third);
  EXPECT_TRUE(totals.AllMarksReached());
}

TEST(TotalsTest, ACheckerThatComparedNothingInAHundredSeedsIsNamed) {
  Totals totals;
  SeedReport report;
  report.compared = {{"rows", 0}, {"slots", 7}};
  for (int i = 0; i < 99; ++i) totals.Add(report);
  EXPECT_EQ(totals.Starved(), "");
  totals.Add(report);
  EXPECT_EQ(totals.Starved(), "rows");
  report.compared["rows"] = 1;
  totals.Add(report);
  EXPECT_EQ(totals.Starved(), "");
}

}  // namespace
}  // namespace decree::sim
