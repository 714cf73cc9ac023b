// The search finds the planted bugs of the core: each is awake in one search that must fail, and
// asleep in the same one, which must not.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "kv/base/bug.h"
#include "tests/model/planted.h"

namespace decree::consensus::model {
namespace {

class PlantedTest : public ::testing::TestWithParam<PlantedCase> {
 protected:
  void TearDown() override { ChooseBug(""); }
};

TEST_P(PlantedTest, IsFoundWhenAwake) {
  ASSERT_TRUE(ChooseBug(GetParam().bug));
  const SearchResult result = SearchFor(GetParam());
  const std::string_view expected = GetParam().violation;
  ASSERT_NE(expected, "") << "name what the search must say, in planted.cc";
  // "INV-1" is no part of "INV-16 ...".
  EXPECT_NE((result.violation + " ").find(std::string(expected) + " "), std::string::npos)
      << "'" << result.violation << "' after " << result.states << " states";
}

TEST_P(PlantedTest, IsNotSeenWhenAsleep) {
  const SearchResult result = SearchFor(GetParam());
  EXPECT_EQ(result.violation, "");
}

std::string NameOf(const ::testing::TestParamInfo<PlantedCase>& info) {
  return std::string(info.param.bug) + (info.param.outcomes_only ? "_Outcome" : "");
}

TEST(PlantedCasesTest, EveryBugOfTheCoreHasASearch) {
  std::set<std::string_view> searched;
  for (const PlantedCase& planted : PlantedCases()) searched.insert(planted.bug);
  for (const PlantedBug& bug : PlantedBugs()) {
    if (bug.where.substr(0, 10) != "consensus/") continue;
    EXPECT_EQ(searched.count(bug.name), 1u) << bug.name << ": name its search in planted.cc";
  }
}

INSTANTIATE_TEST_SUITE_P(Core, PlantedTest, ::testing::ValuesIn(PlantedCases()), NameOf);

}  // namespace
}  // namespace decree::consensus::model
