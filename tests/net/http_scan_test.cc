// GET /v1/kv over a real socket, eight shards behind it.
#include <boost/json.hpp>
#include <string>

#include "kv/base/base64.h"
#include "tests/net/http_fixture.h"

namespace decree::net {
namespace {

namespace json = boost::json;

class HttpScanTest : public HttpTest {
 protected:
  json::object Page(const std::string& query) {
    const Answer answer = Ask("GET", "/v1/kv" + query);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.Field("Content-Type"), "application/json");
    return answer.status == 200 ? json::parse(answer.body).as_object() : json::object();
  }
  static std::string Keys(const json::object& page) {
    std::string keys;
    for (const json::value& item : page.at("items").as_array()) {
      keys += std::string(item.at("key").as_string()) + " ";
    }
    return keys;
  }
  void PutTwenty() {
    for (int i = 10; i < 30; ++i) store.Put("k" + std::to_string(i), "v" + std::to_string(i));
  }
};

TEST_F(HttpScanTest, RowsOfAllShardsComeInKeyOrder) {
  PutTwenty();
  const json::object page = Page("?limit=3");
  EXPECT_EQ(Keys(page), "k10 k11 k12 ");
  EXPECT_EQ(page.at("complete"), json::value(false));
  const json::value& first = page.at("items").at(0);
  EXPECT_EQ(first.at("value"), "v10");
  EXPECT_EQ(first.at("version"), "1") << "a string";
  EXPECT_EQ(Page("").at("items").as_array().size(), 20u);
}

TEST_F(HttpScanTest, TheCursorGoesOnUntilThePageIsComplete) {
  PutTwenty();
  std::string keys;
  std::string query = "?limit=7&prefix=k";
  for (int pages = 1;; ++pages) {
    const json::object page = Page(query);
    keys += Keys(page);
    if (page.at("complete").as_bool()) {
      EXPECT_TRUE(page.at("cursor").is_null());
      EXPECT_EQ(pages, 3);
      break;
    }
    query = "?limit=7&prefix=k&cursor=" + std::string(page.at("cursor").as_string());
  }
  EXPECT_EQ(keys, Keys(Page("")));
}

TEST_F(HttpScanTest, PrefixStartAndEndBoundIt) {
  PutTwenty();
  EXPECT_EQ(Keys(Page("?start=k27")), "k27 k28 k29 ");
  EXPECT_EQ(Keys(Page("?end=k12")), "k10 k11 ");
  EXPECT_EQ(Keys(Page("?prefix=k2&start=k15&end=k22")), "k20 k21 ");
  EXPECT_EQ(Keys(Page("?prefix=x")), "");
  EXPECT_EQ(Page("?prefix=x").at("complete"), json::value(true));
}

TEST_F(HttpScanTest, BytesThatAreNoTextComeAsBase64) {
  store.Put("a\xff", std::string("\0\xfe", 2));
  const json::value item = Page("").at("items").at(0);
  EXPECT_EQ(std::string(item.at("key_b64").as_string()), ToBase64("a\xff"));
  EXPECT_EQ(std::string(item.at("value_b64").as_string()), ToBase64(std::string("\0\xfe", 2)));
  EXPECT_FALSE(item.as_object().contains("key"));
  EXPECT_EQ(Page("?prefix=a%FF").at("items").as_array().size(), 1u);
}

TEST_F(HttpScanTest, KeysOnlyLeavesTheValuesOut) {
  PutTwenty();
  for (const char* query : {"?keys_only", "?keys_only=true", "?keys_only=1"}) {
    const json::value item = Page(query).at("items").at(0);
    EXPECT_EQ(item.at("key"), "k10");
    EXPECT_FALSE(item.as_object().contains("value")) << query;
  }
  EXPECT_TRUE(Page("?keys_only=false").at("items").at(0).as_object().contains("value"));
}

TEST_F(HttpScanTest, WhatMakesNoSenseIs400) {
  for (const char* query : {"?limit=0", "?limit=10001", "?limit=x", "?limit=", "?limit=-1",
                            "?cursor=made-up", "?keys_only=maybe", "?consistency=eventual",
                            "?max_staleness=soon", "?timeout=never", "?color=red", "?prefix=%zz"}) {
    const Answer answer = Ask("GET", "/v1/kv" + std::string(query));
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.Field("Content-Type"), "application/problem+json") << query;
  }
  EXPECT_EQ(Ask("GET", "/v1/kv?prefix=" + std::string(kMaxKeyBytes + 1, 'k')).status, 400);
  const Answer wrong = Ask("DELETE", "/v1/kv?prefix=k");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.Field("Allow"), "GET, HEAD");
}

TEST_F(HttpScanTest, ConsistencyAndTimeoutReachTheShards) {
  Page("?consistency=stale&timeout=300ms&prefix={1}");
  EXPECT_EQ(store.last.scan.consistency, Consistency::kStale);
  EXPECT_EQ(store.last.consistency, Consistency::kStale);
  EXPECT_LE(store.last.timeout, 300ms);
  Page("?consistency=stale&max_staleness=1s");
  EXPECT_EQ(store.last.scan.consistency, Consistency::kLinearizable);
}

TEST_F(HttpScanTest, AShardThatDoesNotAnswerFailsThePage) {
  PutTwenty();
  store.forced = Errc::kUnavailable;
  const Answer answer = Ask("GET", "/v1/kv");
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.Field("Retry-After"));
  EXPECT_NE(answer.body.find("\"outcome\":\"not_applied\""), std::string::npos);
  door.shards = Error(Errc::kUnavailable, "no map");
  EXPECT_EQ(Ask("GET", "/v1/kv").status, 503);
}

TEST_F(HttpScanTest, HeadSaysWhatGetWould) {
  PutTwenty();
  const Answer head = Ask("HEAD", "/v1/kv?limit=2");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Field("Content-Length"), Ask("GET", "/v1/kv?limit=2").Field("Content-Length"));
}

}  // namespace
}  // namespace decree::net
