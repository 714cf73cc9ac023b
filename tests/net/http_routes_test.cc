#include "tests/net/http_fixture.h"

namespace decree::net {
namespace {

using HttpRoutesTest = HttpTest;

TEST_F(HttpRoutesTest, LivezIsAlwaysOkReadyzFollowsTheNode) {
  EXPECT_EQ(Ask("GET", "/livez").body, "ok\n");
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  door.is_ready = false;
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
  const Answer not_ready = Ask("GET", "/readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_TRUE(not_ready.Field("Retry-After"));
}

TEST_F(HttpRoutesTest, VersionIsJson) {
  const Answer answer = Ask("GET", "/version");
  EXPECT_EQ(answer.Field("Content-Type"), "application/json");
  EXPECT_NE(answer.body.find("\"version\":\""), std::string::npos);
}

TEST_F(HttpRoutesTest, TheDescriptionIsServedAsJson) {
  const Answer answer = Ask("GET", "/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Field("Content-Type"), "application/json");
  EXPECT_TRUE(answer.body.starts_with("{\"openapi\":\"3.1.0\",")) << answer.body.substr(0, 80);
}

TEST_F(HttpRoutesTest, AnUnknownRouteIsAProblem404) {
  for (const char* path : {"/", "/v1/kvs", "/v1/nothing", "/livez/", "/v1/admin"}) {
    const Answer answer = Ask("GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_NE(answer.body.find("\"code\":\"no_such_route\""), std::string::npos) << path;
    EXPECT_EQ(answer.Field("Decree-Shard"), std::nullopt) << path;
  }
}

TEST_F(HttpRoutesTest, AWrongMethodOfAKnownRouteIs405WithAllow) {
  for (const char* path : {"/livez", "/readyz", "/version", "/metrics", "/openapi.json"}) {
    const Answer answer = Ask("POST", path);
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.Field("Allow"), "GET, HEAD") << path;
  }
}

TEST_F(HttpRoutesTest, WhatAnAdministrativeResourceTakesIsTheNodesToSay) {
  std::vector<std::string> methods;
  door.on_admin = [&](const AdminRequest& request, const std::function<void(AdminResponse)>& done) {
    methods.push_back(request.method);
    AdminResponse answer;
    answer.status = request.target == "/v1/admin/moves" ? 405 : 404;
    if (answer.status == 405) answer.allow = "GET, POST";
    done(std::move(answer));
  };
  for (const char* method : {"PUT", "OPTIONS"}) {
    const Answer refused = Ask(method, "/v1/admin/moves");
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_EQ(refused.Field("Allow"), "GET, HEAD, POST") << method;
    EXPECT_EQ(Ask(method, "/v1/admin/nothing").status, 404) << method;
  }
  EXPECT_EQ(methods, (std::vector<std::string>{"PUT", "PUT", "OPTIONS", "OPTIONS"}));
}

TEST_F(HttpRoutesTest, AdministrationTakesATimeoutAndAbsoluteTargets) {
  const std::string echo = Ask("GET", "/v1/admin/decrees?from=7&timeout=350ms&limit=9").body;
  EXPECT_NE(echo.find("\"/v1/admin/decrees?from=7&limit=9\""), std::string::npos) << echo;
  EXPECT_EQ(door.admin_timeout, 350ms);
  const std::string absolute = Ask("GET", "http://node:80/v1/admin/cluster").body;
  EXPECT_NE(absolute.find("\"/v1/admin/cluster\""), std::string::npos) << absolute;
  EXPECT_EQ(door.admin_timeout, 2s);
  EXPECT_EQ(Ask("GET", "/v1/admin/cluster?timeout=soon").status, 400);
}

TEST_F(HttpRoutesTest, AdministrationIsPassedOnAsItCame) {
  EXPECT_EQ(Ask("POST", "/v1/admin/moves?x=%41", {}, "(1)").body,
            "{\"method\":\"POST\",\"target\":\"/v1/admin/moves?x=%41\",\"body\":\"(1)\"}");
  EXPECT_EQ(Ask("DELETE", "/v1/admin/moves/7").status, 200);
  EXPECT_EQ(Ask("HEAD", "/v1/admin/cluster").status, 200);
}

TEST_F(HttpRoutesTest, MetricsCountRequestsByCodeAndTheirTimes) {
  Ask("PUT", "/v1/kv/a", {}, "x");
  Ask("GET", "/v1/kv/a");
  Ask("GET", "/v1/kv/missing");
  const std::string text = Ask("GET", "/metrics").body;
  for (const char* line : {"decree_http_requests_total{code=\"201\"} 1\n",
                           "decree_http_requests_total{code=\"200\"} 1\n",
                           "decree_http_requests_total{code=\"404\"} 1\n",
                           "decree_http_kv_duration_seconds_count{op=\"read\"} 2\n",
                           "decree_http_kv_duration_seconds_count{op=\"write\"} 1\n",
                           "decree_http_kv_duration_seconds_bucket{op=\"write\",le=\"+Inf\"} 1\n",
                           "decree_ready 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST_F(HttpRoutesTest, EveryAnswerHasADate) {
  const auto date = Ask("GET", "/livez").Field("Date");
  ASSERT_TRUE(date);
  EXPECT_EQ(date->size(), std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
  EXPECT_EQ(HttpDate(784111777'000), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace decree::net
