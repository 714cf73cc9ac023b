#include "decree/result.h"

#include <gtest/gtest.h>

#include <set>

namespace decree {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Error(Errc::kInvalidArgument, "3 is odd");
  return value / 2;
}

TEST(ResultTest, HoldsAValueOrAReason) {
  EXPECT_EQ(*Half(4), 2);
  ASSERT_FALSE(Half(3));
  EXPECT_EQ(Half(3).error(), Errc::kInvalidArgument);
  EXPECT_EQ(Half(3).error().ToString(), "invalid_argument: 3 is odd");
  EXPECT_EQ(Error(Errc::kBusy).ToString(), "busy");
}

TEST(ResultTest, ValueOfAFailureThrowsCodeAndDetail) {
  try {
    (void)Half(3).value();
    FAIL() << "did not throw";
  } catch (const boost::system::system_error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("3 is odd"), std::string::npos);
  }
}

TEST(ErrcTest, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(kMaxErrc); ++code) {
    names.insert(ErrcName(static_cast<Errc>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kMaxErrc) + 1);
  EXPECT_EQ(ErrcName(Errc::kNotFound), "not_found");
  EXPECT_EQ(ErrcName(Errc::kOutcomeUnknown), "outcome_unknown");
  EXPECT_EQ(ErrcName(kMaxErrc), "unauthorized");
  EXPECT_EQ(ErrcName(static_cast<Errc>(200)), "unknown_code");
}

TEST(ErrcTest, UnknownOutcomeIsNotRetriedBlindly) {
  EXPECT_TRUE(MaybeApplied(Errc::kOutcomeUnknown));
  EXPECT_FALSE(IsRetryable(Errc::kOutcomeUnknown));
  EXPECT_TRUE(IsRetryable(Errc::kUnavailable));
  EXPECT_FALSE(MaybeApplied(Errc::kUnavailable));
  EXPECT_FALSE(MaybeApplied(Errc::kSessionExpired));
}

TEST(ErrcTest, BecomesAnErrorCodeOfItsCategory) {
  const boost::system::error_code code = Errc::kLocked;
  EXPECT_STREQ(code.category().name(), "decree");
  EXPECT_EQ(code.message(), "locked");
}

}  // namespace
}  // namespace decree
