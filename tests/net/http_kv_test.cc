// What the table of the contract says about keys, asked over a socket.
#include "tests/net/http_fixture.h"

namespace decree::net {
namespace {

using HttpKvTest = HttpTest;

TEST_F(HttpKvTest, PutCreatesThenReplaces) {
  const Answer created = Ask("PUT", "/v1/kv/a", {}, "one");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.Field("ETag"), "\"1\"");
  EXPECT_EQ(created.body, "");
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", {}, "two").status, 200);
  const Answer got = Ask("GET", "/v1/kv/a");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "two");
  EXPECT_EQ(got.Field("ETag"), "\"2\"");
}

TEST_F(HttpKvTest, EveryDataAnswerNamesShardEpochAndNode) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE"}) {
    const Answer answer = Ask(method, "/v1/kv/missing");
    EXPECT_EQ(answer.Field("Decree-Shard"), "11") << method;
    EXPECT_EQ(answer.Field("Decree-Epoch"), "3") << method;
    EXPECT_EQ(answer.Field("Decree-Node"), "2") << method;
  }
}

TEST_F(HttpKvTest, WhatIsNotKnownIsLeftOutNotCalledZero) {
  store.forced = Errc::kUnavailable;
  store.place_known = false;
  const Answer answer = Ask("GET", "/v1/kv/a");
  EXPECT_EQ(answer.status, 503);
  for (const char* field : {"Decree-Shard", "Decree-Epoch", "Decree-Node"}) {
    EXPECT_EQ(answer.Field(field), std::nullopt) << field;
  }
}

TEST_F(HttpKvTest, AKeyIsExactlyItsDecodedBytes) {
  Ask("PUT", "/v1/kv/a%2Fb%00c", {}, "x");
  EXPECT_EQ(store.last.key, std::string("a/b\0c", 5));
  Ask("GET", "/v1/kv/a+b");
  EXPECT_EQ(store.last.key, "a+b");
}

TEST_F(HttpKvTest, AValueCanHoldAnyBytesOrNone) {
  std::string value;
  for (int i = 0; i < 70000; ++i) value.push_back(static_cast<char>(i * 7));
  EXPECT_EQ(Ask("PUT", "/v1/kv/v", {}, value).status, 201);
  EXPECT_EQ(Ask("GET", "/v1/kv/v").body, value);
  EXPECT_EQ(Ask("PUT", "/v1/kv/empty", {}, "").status, 201);
  const Answer empty = Ask("GET", "/v1/kv/empty");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
}

TEST_F(HttpKvTest, HeadHasTheLengthButNoBody) {
  Ask("PUT", "/v1/kv/a", {}, "12345");
  RawSocket socket(port());
  socket.Send("HEAD /v1/kv/a HTTP/1.1\r\nHost: t\r\n\r\nGET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
  std::string held = socket.ReadUntil(
      [](const std::string& bytes) { return bytes.find("ok\n") != std::string::npos; });
  const auto head = TakeAnswer(held, true);
  EXPECT_EQ(head->Field("Content-Length"), "5");
  EXPECT_EQ(TakeAnswer(held)->body, "ok\n");
}

TEST_F(HttpKvTest, DeleteIs204WhetherOrNotItExisted) {
  Ask("PUT", "/v1/kv/a", {}, "x");
  for (int i = 0; i < 2; ++i) {
    const Answer answer = Ask("DELETE", "/v1/kv/a");
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.Field("Content-Length"), std::nullopt);
  }
  EXPECT_EQ(Ask("GET", "/v1/kv/a").status, 404);
}

TEST_F(HttpKvTest, AFailedConditionIs412WithTheCurrentETag) {
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-Match: *\r\n", "x").status, 412);
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-None-Match: *\r\n", "x").status, 201);
  const Answer again = Ask("PUT", "/v1/kv/a", "If-None-Match: *\r\n", "y");
  EXPECT_EQ(again.status, 412);
  EXPECT_EQ(again.Field("ETag"), "\"1\"");
  EXPECT_NE(again.body.find("\"code\":\"precondition_failed\""), std::string::npos);
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-Match: \"7\"\r\n", "y").status, 412);
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-Match: \"1\"\r\n", "y").status, 200);
  EXPECT_EQ(Ask("DELETE", "/v1/kv/a", "If-Match: \"1\"\r\n").status, 412);
  EXPECT_EQ(Ask("DELETE", "/v1/kv/a", "If-Match: *\r\n").status, 204);
}

TEST_F(HttpKvTest, A412ForAMissingKeyHasNoETag) {
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-Match: \"1\"\r\n", "x").Field("ETag"), std::nullopt);
}

TEST_F(HttpKvTest, IfNoneMatchOfAReadIs304) {
  Ask("PUT", "/v1/kv/a", {}, "x");
  const Answer same = Ask("GET", "/v1/kv/a", "If-None-Match: \"1\"\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.Field("ETag"), "\"1\"");
  EXPECT_EQ(Ask("GET", "/v1/kv/a", "If-None-Match: \"2\"\r\n").status, 200);
}

TEST_F(HttpKvTest, ATtlIsPassedOnAndItsEndReported) {
  const Answer put = Ask("PUT", "/v1/kv/a?ttl=30s", {}, "x");
  EXPECT_EQ(store.last.ttl_ms, 30'000u);
  EXPECT_EQ(put.Field("Decree-Expires-At"), "1030000");
  EXPECT_EQ(Ask("GET", "/v1/kv/a").Field("Decree-Expires-At"), "1030000");
  EXPECT_EQ(Ask("PUT", "/v1/kv/b", {}, "x").Field("Decree-Expires-At"), std::nullopt);
}

TEST_F(HttpKvTest, TimeoutAndConsistencyArePassedOn) {
  Ask("GET", "/v1/kv/a?timeout=500ms&consistency=stale");
  EXPECT_EQ(store.last.timeout, 500ms);
  EXPECT_EQ(store.last.consistency, Consistency::kStale);
  Ask("GET", "/v1/kv/a");
  EXPECT_EQ(store.last.timeout, 2s);
  EXPECT_EQ(store.last.consistency, Consistency::kLinearizable);
}

TEST_F(HttpKvTest, ABoundOnStalenessIsNeverExceeded) {
  Ask("GET", "/v1/kv/a?consistency=stale&max_staleness=500ms");
  EXPECT_EQ(store.last.consistency, Consistency::kLinearizable);
}

TEST_F(HttpKvTest, RequestsThatMakeNoSenseAre400AndReachNoShard) {
  store.last.key = "untouched";
  const std::string longest(1025, 'k');
  for (const std::string& target :
       {std::string("/v1/kv/"), std::string("/v1/kv/a%"), std::string("/v1/kv/a%zz"),
        std::string("/v1/kv/a%2"), std::string("/v1/kv/a/b"), std::string("/v1/kv/a?ttl=x"),
        std::string("/v1/kv/a?ttl=0s"), std::string("/v1/kv/a?timeout=-1s"),
        std::string("/v1/kv/a?tll=30s"), std::string("/v1/kv/a?x=%4"), "/v1/kv/" + longest}) {
    const Answer answer = Ask("PUT", target, {}, "v");
    EXPECT_EQ(answer.status, 400) << target;
    EXPECT_EQ(answer.Field("Content-Type"), "application/problem+json") << target;
    EXPECT_NE(answer.body.find("\"outcome\":\"not_applied\""), std::string::npos) << target;
  }
  EXPECT_EQ(Ask("GET", "/v1/kv/a?consistency=eventual").status, 400);
  EXPECT_EQ(Ask("GET", "/v1/kv/a?ttl=30s").status, 400);
  EXPECT_EQ(Ask("PUT", "/v1/kv/a", "If-Match: abc\r\n", "v").status, 400);
  EXPECT_EQ(store.last.key, "untouched");
}

TEST_F(HttpKvTest, EachFailureHasItsStatusItsCodeAndItsOutcome) {
  struct Case {
    Errc code;
    int status;
    const char* outcome;
    bool retry_after;
  };
  for (const Case& c : {Case{Errc::kUnavailable, 503, "not_applied", true},
                        Case{Errc::kDeadlineExceeded, 503, "not_applied", true},
                        Case{Errc::kShuttingDown, 503, "not_applied", true},
                        Case{Errc::kOutcomeUnknown, 504, "unknown", false},
                        Case{Errc::kBusy, 429, "not_applied", true},
                        Case{Errc::kConflict, 409, "not_applied", false},
                        Case{Errc::kImpossible, 422, "not_applied", false},
                        Case{Errc::kTooLarge, 413, "not_applied", false}}) {
    store.forced = c.code;
    const Answer answer = Ask("PUT", "/v1/kv/a", {}, "v");
    EXPECT_EQ(answer.status, c.status);
    EXPECT_EQ(answer.Field("Retry-After").has_value(), c.retry_after) << c.status;
    for (const std::string& part :
         {"\"code\":\"" + std::string(ErrcName(c.code)) + "\"",
          "\"outcome\":\"" + std::string(c.outcome) + "\"",
          std::string("\"retryable\":") + (IsRetryable(c.code) ? "true" : "false"),
          "\"status\":" + std::to_string(c.status)}) {
      EXPECT_NE(answer.body.find(part), std::string::npos) << part << " in " << answer.body;
    }
  }
}

TEST_F(HttpKvTest, OtherMethodsAre405WithAllow) {
  for (const char* method : {"POST", "PATCH", "OPTIONS", "BREW"}) {
    const Answer answer = Ask(method, "/v1/kv/a");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.Field("Allow"), "GET, HEAD, PUT, DELETE") << method;
  }
}

}  // namespace
}  // namespace decree::net
