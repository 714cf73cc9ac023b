#include "kv/store/kv_rows.h"

#include <gtest/gtest.h>

namespace decree::store {
namespace {

TEST(KvRowsTest, DataRowsRoundTrip) {
  const std::string bytes = DataValue({300, 1'700'000'000'000, "value"});
  const DataRow row = ParseDataValue(bytes).value();
  EXPECT_EQ(row.version, 300u);
  EXPECT_EQ(row.expires_at_ms, 1'700'000'000'000u);
  EXPECT_EQ(row.value, "value");
  const std::string empty = DataValue({1, 0, ""});
  EXPECT_EQ(ParseDataValue(empty).value().value, "");
}

TEST(KvRowsTest, NumbersInKeysSortAsNumbers) {
  EXPECT_LT(ExpiryKey(255, "z"), ExpiryKey(256, "a"));
  EXPECT_LT(ExpiryKey(5, "a"), ExpiryKey(5, "b"));
  EXPECT_LT(SessionKey(1), SessionKey(UINT64_MAX));
  EXPECT_LT(ResultKey(1, UINT64_MAX), ResultKey(2, 0));
}

TEST(KvRowsTest, KeysTellWhatTheyWereMadeOf) {
  EXPECT_EQ(ParseSessionKey(SessionKey(77)).value(), 77u);
  EXPECT_EQ(ParseResultKey(ResultKey(77, 5)).value(),
            std::pair(std::uint64_t{77}, std::uint64_t{5}));
  const std::string key = ExpiryKey(99, "user");
  const ExpiryRow row = ParseExpiryRow(key, ExpiryValue(1000)).value();
  EXPECT_EQ(row.expires_at_ms, 99u);
  EXPECT_EQ(row.key, "user");
  EXPECT_EQ(row.value_bytes, 1000u);
}

TEST(KvRowsTest, MalformedRowsAreCorruption) {
  EXPECT_EQ(ParseDataValue("").error(), Errc::kCorruption);
  EXPECT_EQ(ParseDataValue("\x02\x01\x01").error(), Errc::kCorruption);
  EXPECT_EQ(ParseDataValue("\x01\xff").error(), Errc::kCorruption);
  EXPECT_EQ(ParseExpiryRow("e123", "\x01").error(), Errc::kCorruption);
  EXPECT_EQ(ParseExpiryRow(ExpiryKey(1, "k"), "").error(), Errc::kCorruption);
  EXPECT_EQ(ParseExpiryRow(ExpiryKey(1, "k"), "\x01\x01").error(), Errc::kCorruption);
  EXPECT_EQ(ParseSessionKey("s1234567").error(), Errc::kCorruption);
  EXPECT_EQ(ParseResultKey(SessionKey(1)).error(), Errc::kCorruption);
}

}  // namespace
}  // namespace decree::store
