#include "kv/base/base64.h"

#include <gtest/gtest.h>

#include <utility>

namespace decree {
namespace {

TEST(Base64Test, KnowsTheVectorsOfTheRfc) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(ToBase64(bytes), text);
    EXPECT_EQ(FromBase64(text), bytes) << text;
  }
  for (const char* bad : {"Zg", "Zg=", "Z===", "Zm9v!A==", "Zm=v"}) {
    EXPECT_EQ(FromBase64(bad), std::nullopt) << bad;
  }
}

TEST(Base64Test, TakesAllBytes) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  EXPECT_EQ(FromBase64(ToBase64(bytes)), bytes);
}

}  // namespace
}  // namespace decree
