#include "server/net/http_routes.h"

#include <utility>

#include "server/net/http_kv.h"
#include "server/net/http_scan.h"
#include "server/net/http_target.h"
#include "server/net/openapi.h"

namespace decree::net {
namespace {

constexpr std::string_view kAdminPrefix = "/v1/admin/";
constexpr Duration kAdminTimeout = 2s;  // unless ?timeout= says another

HttpResponse Text(std::string body, std::string content_type) {
  HttpResponse response;
  response.body = std::move(body);
  response.content_type = std::move(content_type);
  return response;
}

// The node speaks of GET only: HEAD is the same, and the door's business.
std::string WithHead(std::string methods) {
  const std::size_t get = methods.find("GET");
  if (get != std::string::npos) methods.insert(get + 3, ", HEAD");
  return methods;
}

HttpResponse FromAdmin(AdminResponse answer) {
  HttpResponse response;
  response.status = static_cast<int>(answer.status);
  response.body = std::move(answer.body);
  response.content_type = answer.status >= 400 ? "application/problem+json" : "application/json";
  if (!answer.location.empty()) response.AddField("Location", answer.location);
  if (!answer.allow.empty()) response.AddField("Allow", WithHead(std::move(answer.allow)));
  if (answer.status == 503 || answer.status == 429) response.AddField("Retry-After", "1");
  return response;
}

bool IsKvVerb(const HttpRequest& request) {
  return request.safe() || request.verb == Verb::kPut || request.verb == Verb::kDelete;
}

}  // namespace

HttpRoutes::HttpRoutes(Runtime& runtime, NodeDoor& door)
    : runtime_(runtime),
      door_(door),
      opened_(runtime.executor(0).Now()),
      metrics_(runtime.size()) {}

void HttpRoutes::Handle(std::size_t worker, HttpRequest request, HttpDone done) {
  const auto target = ParseTarget(request.target);
  if (!target) return done(BadRequest(target.error().detail()));
  const std::string_view path = target->path;
  if (path.starts_with(kKvPrefix)) return Key(worker, std::move(request), std::move(done));
  if (path == kScanPath) return Scan(worker, request, *target, std::move(done));
  if (path.starts_with(kAdminPrefix)) return Admin(worker, request, *target, done);
  const bool known = path == "/livez" || path == "/readyz" || path == "/version" ||
                     path == "/metrics" || path == "/openapi.json";
  if (!known) return done(NotFoundRoute(path));
  if (!request.safe()) return done(MethodNotAllowed(request.method, "GET, HEAD"));
  if (path == "/livez") return done(Text("ok\n", "text/plain"));
  if (path == "/readyz") return done(Ready());
  if (path == "/metrics") return Metrics(worker, std::move(done));
  if (path == "/openapi.json") return done(Text(std::string(kOpenApi), "application/json"));
  done(Text("{\"program\":\"decreed\",\"version\":\"" DECREE_VERSION "\"}\n", "application/json"));
}

HttpResponse HttpRoutes::Ready() const {
  if (door_.ready()) return Text("ok\n", "text/plain");
  return ErrorResponse(Errc::kUnavailable, "this node is starting or stopping");
}

void HttpRoutes::Key(std::size_t worker, HttpRequest request, HttpDone done) {
  if (!IsKvVerb(request)) return done(MethodNotAllowed(request.method, kKvAllow));
  if (request.too_large) return done(ErrorResponse(Errc::kTooLarge, "a value has up to 1 MiB"));
  if (request.verb == Verb::kPut && !request.has_length) {
    return done(ToResponse({411, ErrcName(Errc::kInvalidArgument), "PUT needs a Content-Length"}));
  }
  const auto target = ParseTarget(request.target);
  auto kv = ParseKvRequest(request, *target);
  if (!kv) {
    // 400 for a key that is too long, too: 413 is for bodies.
    return done(ToResponse({400, ErrcName(kv.error().code()), kv.error().detail()}));
  }
  Executor& executor = runtime_.executor(worker);
  const Instant begun = executor.Now();
  Operation operation = std::move(kv->operation);
  kv->operation = Operation{};
  kv->operation.kind = operation.kind;
  door_.Operate(worker, std::move(operation),
                [this, worker, begun, &executor, kv = std::move(*kv),
                 done = std::move(done)](OperationResult result) {
                  HttpMetrics& metrics = metrics_[worker];
                  const bool read = kv.operation.kind == OperationKind::kGet;
                  (read ? metrics.reads : metrics.writes).Record(executor.Now() - begun);
                  done(KvResponse(kv, std::move(result)));
                });
}

void HttpRoutes::Scan(std::size_t worker, const HttpRequest& request, const Target& target,
                      HttpDone done) {
  if (!request.safe()) return done(MethodNotAllowed(request.method, "GET, HEAD"));
  auto query = ParseScanQuery(target);
  if (!query) {
    return done(ToResponse({400, ErrcName(query.error().code()), query.error().detail()}));
  }
  std::make_shared<HttpScan>(door_, worker, runtime_.executor(worker), std::move(*query),
                             std::move(done))
      ->Run();
}

// The node knows which resources there are and what they take: 404 and 405 are its answers.
void HttpRoutes::Admin(std::size_t worker, HttpRequest& request, const Target& target,
                       const HttpDone& done) {
  if (request.too_large) return done(ErrorResponse(Errc::kTooLarge, "the body is too large"));
  Result<Duration> timeout = kAdminTimeout;
  for (const auto& [name, value] : target.query) {
    if (name == "timeout") timeout = ParseTimeout(value);
    if (!timeout) return done(BadRequest(timeout.error().detail()));
  }
  AdminRequest admin;
  admin.method = request.verb == Verb::kHead ? "GET" : request.method;
  admin.target = WithoutParameter(target, "timeout");
  admin.body = std::move(request.body);
  Executor& home = runtime_.executor(worker);
  door_.Admin(std::move(admin), *timeout, [&home, done](AdminResponse answer) {
    home.Post([done, answer = std::move(answer)]() mutable { done(FromAdmin(std::move(answer))); });
  });
}

// Goes once round the workers, each adds what it counted, and ends where it began.
void HttpRoutes::Metrics(std::size_t worker, HttpDone done) {
  struct Round {
    HttpRoutes* routes;
    std::size_t home;
    HttpDone done;
    HttpMetrics sum;

    static void Visit(std::shared_ptr<Round> round, std::size_t at) {
      Runtime& runtime = round->routes->runtime_;
      const bool last = at == runtime.size();
      runtime.executor(last ? round->home : at).Post([round, at, last] {
        if (last) return round->Finish();
        round->sum.Merge(round->routes->metrics_[at]);
        Visit(round, at + 1);
      });
    }
    void Finish() {
      const NodeDoor& door = routes->door_;
      const Duration up = routes->runtime_.executor(home).Now() - routes->opened_;
      done(Text(ToPrometheus(sum, std::chrono::duration<double>(up).count(), DECREE_VERSION,
                             door.id().value, door.ready()),
                "text/plain; version=0.0.4"));
    }
  };
  auto round = std::make_shared<Round>(Round{this, worker, std::move(done), {}});
  Round::Visit(round, 0);
}

}  // namespace decree::net
