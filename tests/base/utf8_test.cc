#include "kv/base/utf8.h"

#include <gtest/gtest.h>

namespace decree {
namespace {

TEST(Utf8Test, CharactersOfAllLengthsAreText) {
  for (const char* text : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "a\xc3\xbcz"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
    EXPECT_EQ(ToUtf8(text), text);
  }
}

TEST(Utf8Test, WhatIsNoTextIsRefusedOrReplaced) {
  const std::pair<std::string, std::string> cases[] = {
      {"\xff", "?"},
      {"a\x80z", "a?z"},
      {"\xc3", "?"},  // cut off
      {"\xf5\x80\x80\x80", "????"},
      {"\xc0\xaf", "??"},                  // overlong
      {"\xed\xa0\x80", "???"},             // a surrogate
      {"\xf4\x90\x80\x80", "????"},        // above U+10FFFF
      {"\xe2\x82\xc3\xbc", "??\xc3\xbc"},  // a character after one that was cut off
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_FALSE(IsUtf8(bytes));
    EXPECT_EQ(ToUtf8(bytes), text);
  }
}

}  // namespace
}  // namespace decree
