#include "kv/base/bug.h"

#include <gtest/gtest.h>

#include <set>

namespace decree {
namespace {

TEST(BugTest, EveryBugHasANameOfItsOwnAndSaysWhatItBreaks) {
  std::set<std::string_view> names;
  for (const PlantedBug& bug : PlantedBugs()) {
    EXPECT_TRUE(names.insert(bug.name).second) << bug.name;
    EXPECT_FALSE(bug.area.empty()) << bug.name;
    EXPECT_FALSE(bug.where.empty()) << bug.name;
    EXPECT_FALSE(bug.what.empty()) << bug.name;
  }
}

TEST(BugTest, NoneIsAwakeUnlessChosen) {
  const PlantedBug& first = PlantedBugs().front();
  ASSERT_EQ(first.name, "REPLY_BEFORE_FSYNC");
  EXPECT_FALSE(DECREE_BUG_REPLY_BEFORE_FSYNC);
  EXPECT_EQ(ChooseBug(first.name), kBugsPlanted);
  EXPECT_EQ(DECREE_BUG_REPLY_BEFORE_FSYNC, kBugsPlanted);
  EXPECT_FALSE(DECREE_BUG_PROMISE_NOT_PERSISTED);
  EXPECT_TRUE(ChooseBug(""));
  EXPECT_FALSE(DECREE_BUG_REPLY_BEFORE_FSYNC);
  EXPECT_FALSE(ChooseBug("NO_SUCH_BUG"));
}

}  // namespace
}  // namespace decree
