#include "server/net/http_target.h"

#include <gtest/gtest.h>

namespace decree::net {
namespace {

TEST(PercentDecodeTest, EveryByteCanBeWritten) {
  for (int byte = 0; byte < 256; ++byte) {
    char text[4];
    std::snprintf(text, sizeof text, "%%%02X", byte);
    EXPECT_EQ(PercentDecode(text), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(PercentDecode("a%2Fb%00c"), std::string("a/b\0c", 5));
  EXPECT_EQ(PercentDecode("%c3%A9"), "\xc3\xa9");
}

TEST(PercentDecodeTest, APlusIsNoSpace) { EXPECT_EQ(PercentDecode("a+b"), "a+b"); }

TEST(PercentDecodeTest, RefusesWhatIsNoEscape) {
  for (const char* text : {"%", "%4", "a%", "%zz", "%4g", "%%41", "%u0041", "% 41"}) {
    EXPECT_EQ(PercentDecode(text), std::nullopt) << text;
  }
}

TEST(TargetTest, SplitsPathAndQuery) {
  const auto target = ParseTarget("/v1/kv/a%3Fb?ttl=30s&x=%26&flag&&y=");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/kv/a%3Fb");
  const std::vector<std::pair<std::string, std::string>> query = {
      {"ttl", "30s"}, {"x", "&"}, {"flag", ""}, {"y", ""}};
  EXPECT_EQ(target->query, query);
}

TEST(TargetTest, TakesTheAbsoluteForm) {
  EXPECT_EQ(ParseTarget("http://host:80/livez?x=1")->path, "/livez");
  EXPECT_EQ(ParseTarget("http://host")->path, "/");
}

TEST(TargetTest, RefusesABadEscapeInTheQuery) {
  EXPECT_EQ(ParseTarget("/a?b=%1").error(), Errc::kInvalidArgument);
}

TEST(DurationTest, KnowsFourUnits) {
  EXPECT_EQ(ParseDuration("500ms"), 500ms);
  EXPECT_EQ(ParseDuration("30s"), 30s);
  EXPECT_EQ(ParseDuration("5m"), std::chrono::minutes(5));
  EXPECT_EQ(ParseDuration("1h"), std::chrono::hours(1));
}

TEST(DurationTest, RefusesWhatIsNone) {
  for (const char* text : {"", "s", "30", "0s", "-1s", "+1s", "1.5s", "30 s", "30S", "1d",
                           "99999999999999999999s", "18446744073709551615h", "1000000h"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(KeyTest, HasOneTo1024Bytes) {
  EXPECT_EQ(ParseKey("a").value(), "a");
  EXPECT_EQ(ParseKey("").error(), Errc::kInvalidArgument);
  std::string longest;
  for (int i = 0; i < 1024; ++i) longest += "%FF";
  EXPECT_EQ(ParseKey(longest).value(), std::string(1024, '\xff'));
  EXPECT_EQ(ParseKey(longest + "a").error(), Errc::kTooLarge);
}

TEST(KeyTest, IsOneSegment) { EXPECT_EQ(ParseKey("a/b").error(), Errc::kInvalidArgument); }

TEST(ConditionTest, IfMatchNamesOneVersionOrAny) {
  EXPECT_EQ(ParseCondition("*", {})->kind, ConditionKind::kPresent);
  const auto condition = ParseCondition("\"42\"", {});
  EXPECT_EQ(condition->kind, ConditionKind::kVersionIs);
  EXPECT_EQ(condition->version, 42u);
  EXPECT_EQ(ParseCondition({}, {})->kind, ConditionKind::kNone);
}

TEST(ConditionTest, ATagThatIsNoVersionNeverMatchesButIsDecidedInTheLog) {
  for (const char* tag :
       {"\"abc\"", "W/\"42\"", "\"\"", "\"0\"", "\"042\"", "\"-1\"", "\"99999999999999999999\""}) {
    const auto condition = ParseCondition(tag, {});
    ASSERT_TRUE(condition) << tag;
    EXPECT_EQ(condition->kind, ConditionKind::kVersionIs) << tag;
    EXPECT_EQ(condition->version, UINT64_MAX) << tag;
  }
}

TEST(ConditionTest, RefusesWhatIsNoTag) {
  for (const char* tag : {"", "abc", "\"1", "1\"", "\"1\", \"2\"", "W/1"}) {
    EXPECT_FALSE(ParseCondition(tag, {})) << tag;
  }
  EXPECT_FALSE(ParseCondition({}, "\"1\""));
  EXPECT_FALSE(ParseCondition("*", "*"));
  EXPECT_EQ(ParseCondition({}, " * ")->kind, ConditionKind::kAbsent);
}

TEST(NamesVersionTest, LooksThroughAList) {
  EXPECT_TRUE(NamesVersion("\"42\"", 42));
  EXPECT_TRUE(NamesVersion("\"1\", W/\"42\"", 42));
  EXPECT_TRUE(NamesVersion("*", 42));
  EXPECT_FALSE(NamesVersion("\"4\", \"2\"", 42));
  EXPECT_FALSE(NamesVersion("", 42));
}

}  // namespace
}  // namespace decree::net
