// Which request goes where. One object a listener; its parts that count are per worker.
#pragma once

#include <memory>
#include <vector>

#include "server/net/door.h"
#include "server/net/http_message.h"
#include "server/net/http_metrics.h"
#include "server/net/http_target.h"
#include "server/net/runtime.h"

namespace decree::net {

class HttpRoutes {
 public:
  HttpRoutes(Runtime& runtime, NodeDoor& door);

  // On that worker; `done` comes on it too, perhaps inside the call.
  void Handle(std::size_t worker, HttpRequest request, HttpDone done);
  HttpMetrics& metrics(std::size_t worker) { return metrics_[worker]; }

 private:
  void Key(std::size_t worker, HttpRequest request, HttpDone done);
  void Scan(std::size_t worker, const HttpRequest& request, const Target& target, HttpDone done);
  void Admin(std::size_t worker, HttpRequest& request, const Target& target, const HttpDone& done);
  void Metrics(std::size_t worker, HttpDone done);
  HttpResponse Ready() const;

  Runtime& runtime_;
  NodeDoor& door_;
  const Instant opened_;
  std::vector<HttpMetrics> metrics_;
};

}  // namespace decree::net
