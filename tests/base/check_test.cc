#include "kv/base/check.h"

#include <gtest/gtest.h>

namespace decree {
namespace {

TEST(CheckTest, FailureUnwindsWithPlaceAndDetail) {
  EXPECT_NO_THROW(DECREE_CHECK(1 + 1 == 2));
  try {
    DECREE_CHECK_MSG(1 + 1 == 3, "arithmetic");
    FAIL() << "did not throw";
  } catch (const CheckFailure& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("1 + 1 == 3"), std::string::npos);
    EXPECT_NE(text.find("check_test.cc"), std::string::npos);
    EXPECT_NE(text.find("arithmetic"), std::string::npos);
  }
}

}  // namespace
}  // namespace decree
