#include <gtest/gtest.h>

#include "decree/client.h"

namespace decree {
namespace {

using std::chrono::milliseconds;

TEST(ClientUriTest, TakesSeveralEndpointsAndTheTimeout) {
  const auto options = ParseClientUri("decree://a:1,b.example:65535,[::1]:4740/?timeout=500ms");
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->endpoints, (std::vector<std::string>{"a:1", "b.example:65535", "[::1]:4740"}));
  EXPECT_EQ(options->timeout, milliseconds(500));
}

TEST(ClientUriTest, FillsInThePortAndTheTimeout) {
  const auto options = ParseClientUri("decree://127.0.0.1,[fe80::2]");
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->endpoints, (std::vector<std::string>{"127.0.0.1:4740", "[fe80::2]:4740"}));
  EXPECT_EQ(options->timeout, kDefaultTimeout);
}

TEST(ClientUriTest, RefusesWhatItDoesNotUnderstandAndNamesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"http://a:1", "http://a:1"},
      {"decree://", "no endpoint"},
      {"decree://a:0", "a:0"},
      {"decree://a:65536", "a:65536"},
      {"decree://a:", "a:"},
      {"decree://:4740", ":4740"},
      {"decree://a:1,,b:2", "without a host"},
      {"decree://[::1", "[::1"},
      {"decree://[::1]x", "[::1]x"},
      {"decree://a:1x", "a:1x"},
      {"decree://a/path", "path"},
      {"decree://a/?color=red", "color=red"},
      {"decree://a/?timeout=0s", "0s"},
      {"decree://a/?timeout=5", "5"},
      {"decree://a/?timeout", "''"},
  };
  for (const auto& [uri, named] : cases) {
    const auto options = ParseClientUri(uri);
    ASSERT_FALSE(options) << uri;
    EXPECT_EQ(options.error(), Errc::kInvalidArgument) << uri;
    EXPECT_NE(options.error().detail().find(named), std::string::npos)
        << uri << ": " << options.error().detail();
  }
}

TEST(DurationTest, TakesUnitsAndFractions) {
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("10m"), milliseconds(600'000));
  EXPECT_EQ(*ParseDuration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(*ParseDuration("1ms"), milliseconds(1));
}

TEST(DurationTest, RefusesZeroNegativeBareAndEndless) {
  for (const char* text : {"", "s", "0ms", "-1s", "1", "1 s", "inf s", "1e9s", "999999999999h"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(ConnectTest, RefusesOptionsThatMakeNoSense) {
  EXPECT_EQ(Client::Connect(ClientOptions{}).error(), Errc::kInvalidArgument);
  ClientOptions options;
  options.endpoints = {"nowhere:port"};
  EXPECT_EQ(Client::Connect(options).error(), Errc::kInvalidArgument);
  options.endpoints = {"127.0.0.1:1"};
  options.timeout = milliseconds(0);
  EXPECT_EQ(Client::Connect(options).error(), Errc::kInvalidArgument);
}

}  // namespace
}  // namespace decree
