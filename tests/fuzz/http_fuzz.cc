// HTTP: requests as they come over the wire, taken apart, routed to a small store, and answered. It
// is all the same in what pieces the bytes come; each request gets one answer; and each answer is
// one that a client's parser takes.
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <deque>
#include <functional>
#include <stdexcept>

#include "kv/api/key_scan.h"
#include "server/net/http_kv.h"
#include "server/net/http_parser.h"
#include "server/net/http_routes.h"
#include "server/net/http_target.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/net/fake_door.h"

namespace decree::fuzz {
namespace {

using namespace net;
namespace http = boost::beast::http;

struct Parsed {
  HttpParser::State state = HttpParser::State::kNeedMore;
  std::size_t used = 0;
  HttpRequest request;
  HttpResponse refusal;
};

// Offers the bytes in pieces of this size, what is left of one together with the next.
Parsed Parse(std::string_view bytes, std::size_t piece) {
  const HttpLimits limits{200, 1000, 300, 1000};
  HttpParser parser(limits);
  Parsed parsed;
  std::size_t offered = 0;
  while (parsed.state == HttpParser::State::kNeedMore && offered < bytes.size()) {
    offered = std::min(bytes.size(), offered + piece);
    const auto fed = parser.Feed(bytes.substr(parsed.used, offered - parsed.used));
    DECREE_CHECK(fed.used <= offered - parsed.used);
    parsed.used += fed.used;
    parsed.state = fed.state;
  }
  parsed.request = parser.TakeRequest();
  if (parsed.state == HttpParser::State::kRefused) parsed.refusal = parser.refusal();
  DECREE_CHECK(parsed.request.body.size() <= limits.body_bytes);
  return parsed;
}

// What is wrong may be seen before the header's end or at it, as the pieces have it.
void CheckSame(const Parsed& whole, const Parsed& pieces) {
  constexpr auto kDone = HttpParser::State::kDone;
  DECREE_CHECK((whole.state == kDone) == (pieces.state == kDone));
  if (whole.state != pieces.state) return;
  if (whole.state == HttpParser::State::kRefused) {
    DECREE_CHECK(whole.refusal.status == pieces.refusal.status);
  }
  if (whole.state != kDone) return;
  DECREE_CHECK(whole.used == pieces.used);
  DECREE_CHECK(whole.request.method == pieces.request.method);
  DECREE_CHECK(whole.request.target == pieces.request.target);
  DECREE_CHECK(whole.request.body == pieces.request.body);
  DECREE_CHECK(whole.request.if_match == pieces.request.if_match);
  DECREE_CHECK(whole.request.too_large == pieces.request.too_large);
  DECREE_CHECK(whole.request.keep_alive == pieces.request.keep_alive);
}

// A client reads the answer as it was meant, head and body.
void CheckAnswer(const HttpResponse& response, const Framing& framing) {
  DECREE_CHECK(response.status >= 200 && response.status < 600);
  std::string bytes;
  AppendResponse(bytes, response, framing);
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  parser.header_limit(1u << 20);
  parser.skip(framing.head);
  parser.eager(true);
  boost::beast::error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(bytes), error);
  DECREE_CHECK_MSG(!error, error ? error.message() : "");
  DECREE_CHECK(parser.is_done() && used == bytes.size());
  DECREE_CHECK(parser.get().result_int() == static_cast<unsigned>(response.status));
  const bool bodyless = framing.head || response.status == 204 || response.status == 304;
  if (parser.get()["Content-Type"].find("json") != boost::beast::string_view::npos) {
    boost::json::parse(response.body, error);
    DECREE_CHECK_MSG(!error, response.body);
  }
  DECREE_CHECK(parser.get().body() == (bodyless ? "" : response.body));
}

// Two keys in each shard, one of which is no text.
ScanResult PageOf(const Operation& scan) {
  ScanResult page;
  for (const std::string& key : {"a" + ToString(scan.shard), "\xfe" + ToString(scan.shard)}) {
    const bool wanted = key > scan.scan.after && key.starts_with(scan.scan.prefix);
    if (wanted && page.rows.size() < scan.scan.limit) page.rows.push_back({key, key, 3});
  }
  page.complete = page.rows.size() < scan.scan.limit;
  return page;
}

// A store of few keys behind the routes, on loops that are never started: what is posted is
// dropped.
class Routes {
 public:
  Routes() {
    door_.on_operate = [this](std::size_t, const Operation& operation,
                              const OperationCallback& done) {
      OperationResult result;
      result.shard = ShardId{11};
      if (operation.kind == OperationKind::kScan) {
        result.scan = PageOf(operation);
      } else if (operation.kind == OperationKind::kGet && operation.key == "a") {
        result.read = {"value", 3, 4};
      } else if (operation.kind == OperationKind::kGet) {
        result.code = Errc::kNotFound;
      } else if (operation.condition.kind != ConditionKind::kNone) {
        result.code = Errc::kPreconditionFailed;
      } else {
        result.command.version = 4;
      }
      later_.push_back([done, result] { done(result); });  // never inside the call
    };
  }
  // The status of the answer; 0: it comes later.
  int Handle(const HttpRequest& request) {
    const bool head = request.verb == Verb::kHead;
    const Framing framing{head, request.keep_alive, request.http10,
                          "Sun, 06 Nov 1994 08:49:37 GMT"};
    auto status = std::make_shared<int>(0);
    routes_.Handle(0, request, [status, framing](const HttpResponse& response) {
      DECREE_CHECK(*status == 0);
      *status = response.status;
      CheckAnswer(response, framing);
    });
    for (; !later_.empty(); later_.pop_front()) later_.front()();
    return *status;
  }

 private:
  Runtime runtime_{{.workers = 1}};
  FakeDoor door_;
  HttpRoutes routes_{runtime_, door_};
  std::deque<std::function<void()>> later_;
};

// A target's parts are those that are said again.
void CheckTarget(const std::string& text) {
  const auto target = ParseTarget(text);
  if (!target) return;
  const std::string again = WithoutParameter(*target, "timeout");
  const auto parsed = ParseTarget(again);
  DECREE_CHECK(parsed.has_value());
  DECREE_CHECK(parsed->path == target->path);
  DECREE_CHECK(WithoutParameter(*parsed, "timeout") == again);
  for (const auto& [name, value] : parsed->query) DECREE_CHECK(name != "timeout");
}

void Run(std::string_view input) {
  Routes routes;
  // As on a connection: one request after the other.
  for (int requests = 0; requests < 8 && !input.empty(); ++requests) {
    const Parsed whole = Parse(input, input.size());
    CheckSame(whole, Parse(input, 1));
    CheckSame(whole, Parse(input, 7));
    if (whole.state == HttpParser::State::kRefused) return CheckAnswer(whole.refusal, {});
    if (whole.state != HttpParser::State::kDone) return;
    CheckTarget(whole.request.target);
    routes.Handle(whole.request);
    input.remove_prefix(whole.used);
  }
}

// A seed that asks for pages gets pages.
void CheckSeed(std::string_view seed) {
  if (seed.find("/v1/kv?") == std::string_view::npos) return;
  const int status = Routes().Handle(Parse(seed, seed.size()).request);
  if (status != 200) throw std::runtime_error("answered with " + std::to_string(status));
}

std::vector<std::string> Seeds() {
  const std::string host = " HTTP/1.1\r\nHost: t\r\n";
  return {
      "GET /v1/kv/a?consistency=stale&timeout=500ms" + host + "If-None-Match: \"3\"\r\n\r\n",
      "PUT /v1/kv/%7Bx%7Da?ttl=30s" + host + "If-Match: \"3\"\r\nContent-Length: 5\r\n\r\nvalue",
      "PUT /v1/kv/b" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
          "HEAD /v1/kv/a" + host + "\r\n",
      "DELETE /v1/kv/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "PATCH /v1/admin/settings" + host + "Content-Length: 16\r\n\r\n{\"repair\":\"off\"}",
      "POST http://h/v1/admin/moves?timeout=1s&x=y" + host + "Content-Length: 2\r\n\r\n{}",
      "GET /metrics" + host + "\r\nGET /version" + host + "\r\nGET /readyz" + host + "\r\n",
      "GET /v1/kv?limit=3&keys_only=true&timeout=1s" + host + "\r\n",
      "GET /v1/kv?prefix=a&start=a1&end=b&limit=2&consistency=stale" + host + "\r\n",
      "GET /v1/kv?prefix=%FE&cursor=" +
          ToCursor("\xfe"
                   "1") +
          host + "\r\n",
      "GET /openapi.json" + host + "\r\n",
      "PUT /v1/kv/c" + host + "Expect: 100-continue\r\nContent-Length: 400\r\n\r\n"};
}

const Registration kHttp{{"http", Run, Seeds, CheckSeed}};

}  // namespace
}  // namespace decree::fuzz
