#include "kv/base/mark.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace decree {
namespace {

void ReachMark(bool really) {
  if (really) SOMETIMES(mark_of_this_test);
}

[[maybe_unused]] void NobodyCallsThis() { SOMETIMES(mark_that_nobody_passes); }

TEST(MarkTest, IsListedBeforeItIsReached) {
  EXPECT_FALSE(MarksReached().at("mark_of_this_test"));
  ReachMark(false);
  EXPECT_FALSE(MarksReached().at("mark_of_this_test"));
  ReachMark(true);
  EXPECT_TRUE(MarksReached().at("mark_of_this_test"));
}

TEST(MarkTest, IsListedIfItsLineIsNeverPassed) {
  EXPECT_FALSE(MarksReached().at("mark_that_nobody_passes"));
}

TEST(MarkTest, TwoPlacesOfOneNameAreOneMark) {
  ReachMark(true);
  std::size_t found = 0;
  const auto marks = MarksReached();
  for (const auto& [name, reached] : marks) found += name == "mark_of_this_test";
  EXPECT_EQ(found, 1u);
}

TEST(MarkTest, MarksOfOneNameCountTogether) {
  static Mark unreached("twin_mark");
  static Mark reached("twin_mark");
  reached.Reach();
  EXPECT_FALSE(unreached.reached());
  EXPECT_TRUE(MarksReached().at("twin_mark"));
}

TEST(MarkTest, RegistersFromManyThreadsAtOnce) {
  static std::vector<std::unique_ptr<Mark>> marks(64);  // marks live as long as the process
  static std::vector<std::string> names(64);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (std::size_t i = t; i < 64; i += 4) {
        names[i] = "mark_of_thread_" + std::to_string(i);
        marks[i] = std::make_unique<Mark>(names[i].c_str());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = MarksReached();
  for (const std::string& name : names) EXPECT_EQ(all.count(name), 1u) << name;
}

}  // namespace
}  // namespace decree
