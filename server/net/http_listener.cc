#include "server/net/http_listener.h"

#include <atomic>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/net/http_connection.h"

namespace decree::net {

struct HttpListener::Impl : std::enable_shared_from_this<HttpListener::Impl> {
  // What one worker has; used on it only.
  struct Floor {
    std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections;
    std::string date;
    HttpHeld held;
    bool draining = false;
    std::function<void()> on_empty;
  };

  Impl(Runtime& r, NodeDoor& door, LogSink l, const HttpTuning& t)
      : runtime(r), log(std::move(l)), tuning(t), routes(r, door), floors(r.size()) {}

  void OnAccept(Acceptor::Accepted accepted);
  void OnEnd(std::size_t worker, HttpConnection* ended);
  void Sweep(std::size_t worker);
  void Drain(std::size_t worker, std::function<void()> on_empty);

  Runtime& runtime;
  std::unique_ptr<Acceptor> acceptor;
  const LogSink log;
  const HttpTuning tuning;
  HttpRoutes routes;
  std::vector<Floor> floors;
};

void HttpListener::Impl::OnAccept(Acceptor::Accepted accepted) {
  const std::size_t worker = accepted.worker.index();
  Floor& floor = floors[worker];
  if (floor.draining) return;
  auto connection =
      std::make_shared<HttpConnection>(std::move(accepted), routes, tuning, floor.held, floor.date,
                                       [weak = weak_from_this(), worker](HttpConnection* ended) {
                                         if (const auto impl = weak.lock())
                                           impl->OnEnd(worker, ended);
                                       });
  floor.connections.emplace(connection.get(), connection);
  connection->Start();
}

void HttpListener::Impl::OnEnd(std::size_t worker, HttpConnection* ended) {
  Floor& floor = floors[worker];
  floor.connections.erase(ended);
  if (floor.connections.empty() && floor.on_empty) std::exchange(floor.on_empty, nullptr)();
}

// One coarse sweep a worker looks after the time-outs of all its connections.
void HttpListener::Impl::Sweep(std::size_t worker) {
  Floor& floor = floors[worker];
  Executor& executor = runtime.executor(worker);
  floor.date = HttpDate(executor.WallNow());
  const auto connections = floor.connections;  // a sweep may close some
  const Instant now = executor.Now();
  for (const auto& [key, connection] : connections) connection->Sweep(now);
  executor.RunAt(now + tuning.sweep_every, [weak = weak_from_this(), worker] {
    if (const auto impl = weak.lock()) impl->Sweep(worker);
  });
}

void HttpListener::Impl::Drain(std::size_t worker, std::function<void()> on_empty) {
  Floor& floor = floors[worker];
  floor.draining = true;
  if (floor.connections.empty()) return on_empty();
  floor.on_empty = std::move(on_empty);
  const auto connections = floor.connections;
  for (const auto& [key, connection] : connections) connection->Drain();
}

HttpListener::HttpListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                           LogSink log)
    : HttpListener(runtime, std::move(acceptor), door, std::move(log), HttpTuning{}) {}

HttpListener::HttpListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                           LogSink log, const HttpTuning& tuning)
    : impl_(std::make_shared<Impl>(runtime, door, std::move(log), tuning)) {
  impl_->acceptor = std::move(acceptor);
}

HttpListener::~HttpListener() {
  for (auto& floor : impl_->floors) {
    floor.on_empty = nullptr;  // whoever waited for it has given up
    const auto connections = floor.connections;
    for (const auto& [key, connection] : connections) connection->Close();
  }
}

void HttpListener::Start() {
  for (std::size_t worker = 0; worker < impl_->floors.size(); ++worker) {
    impl_->runtime.executor(worker).Post([impl = impl_, worker] { impl->Sweep(worker); });
  }
  impl_->acceptor->Start([weak = std::weak_ptr(impl_)](Acceptor::Accepted accepted) {
    if (const auto impl = weak.lock()) impl->OnAccept(std::move(accepted));
  });
}

void HttpListener::Stop(std::function<void()> done) {
  impl_->acceptor->Stop();
  const auto left = std::make_shared<std::atomic<std::size_t>>(impl_->floors.size());
  const auto on_empty = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (std::size_t worker = 0; worker < impl_->floors.size(); ++worker) {
    impl_->runtime.executor(worker).Post(
        [impl = impl_, worker, on_empty] { impl->Drain(worker, on_empty); });
  }
}

const HostPort& HttpListener::bound() const { return impl_->acceptor->bound(); }

}  // namespace decree::net
