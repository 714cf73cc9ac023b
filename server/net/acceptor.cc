#include "server/net/acceptor.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "server/net/acceptor_impl.h"
#include "server/net/address.h"

namespace decree::net {
namespace {

constexpr Duration kPauseAfterError = 100ms;  // out of descriptors: others must close some first
constexpr std::uint64_t kMaxConnections = 10'000;
constexpr std::uint64_t kMinConnections = 8;
constexpr std::uint64_t kOwnDescriptors = 64;  // event loops, listening sockets, links to peers

std::size_t ConnectionsAllowed() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMinConnections;
  return ConnectionsPerPort(limit.rlim_cur);
}

Result<tcp::endpoint> Resolve(Runtime& runtime, const std::string& address) {
  const auto parsed = ParseHostPort(address);
  if (!parsed) return parsed.error();
  boost::system::error_code error;
  const auto numeric = asio::ip::make_address(parsed->host, error);
  if (!error) return tcp::endpoint(numeric, parsed->port);
  tcp::resolver resolver(runtime.worker(0).io());
  const auto found =
      resolver.resolve(parsed->host, std::to_string(parsed->port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Error(Errc::kIo, "cannot resolve '" + parsed->host + "': " + error.message());
  }
  return found.begin()->endpoint();
}

}  // namespace

struct Acceptor::Impl : std::enable_shared_from_this<Acceptor::Impl> {
  Impl(Runtime& r, LogSink l, std::size_t most)
      : runtime(r), log(std::move(l)), max_connections(most), acceptor(r.worker(0).io()) {}

  Status Listen(const tcp::endpoint& endpoint);
  void Accept();
  void OnSocket(Worker& worker, tcp::socket socket);
  void OnError(const boost::system::error_code& error);

  Runtime& runtime;
  const LogSink log;
  const std::size_t max_connections;
  tcp::acceptor acceptor;  // on worker 0
  HostPort bound;
  std::function<void(Accepted)> on_accept;
  std::shared_ptr<std::atomic<std::size_t>> open = std::make_shared<std::atomic<std::size_t>>(0);
  std::size_t next_worker = 0;
  bool told = false;  // the same trouble is logged once
};

Status Acceptor::Impl::Listen(const tcp::endpoint& endpoint) {
  boost::system::error_code error;
  const auto fail = [&](const char* what) {
    const HostPort address{endpoint.address().to_string(), endpoint.port()};
    return Error(Errc::kIo,
                 std::string("cannot ") + what + " " + ToString(address) + ": " + error.message());
  };
  acceptor.open(endpoint.protocol(), error);
  if (error) return fail("open a socket for");
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error) return fail("listen on");
  const tcp::endpoint local = acceptor.local_endpoint();
  bound = {local.address().to_string(), local.port()};
  return {};
}

void Acceptor::Impl::Accept() {
  if (!acceptor.is_open()) return;
  Worker& worker = runtime.worker(next_worker++ % runtime.size());
  acceptor.async_accept(worker.io(), [self = shared_from_this(), &worker](
                                         boost::system::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) return self->OnError(error);
    self->OnSocket(worker, std::move(socket));
    self->Accept();
  });
}

void Acceptor::Impl::OnSocket(Worker& worker, tcp::socket socket) {
  const bool crowded = open->load() >= max_connections - max_connections / 4;
  if (open->load() >= max_connections) {
    if (!std::exchange(told, true) && log) {
      log(LogLevel::kWarn, "port " + std::to_string(bound.port) + " has " +
                               std::to_string(max_connections) +
                               " connections, more are closed at once: the limit of open files "
                               "(ulimit -n) allows no more");
    }
    return;
  }
  if (!crowded) told = false;
  ++*open;
  std::shared_ptr<void> ticket(nullptr, [open = open](void*) { --*open; });
  auto held = std::make_shared<tcp::socket>(std::move(socket));
  worker.Post([this, self = shared_from_this(), &worker, held, ticket, crowded] {
    on_accept({worker, std::move(*held), ticket, crowded});
  });
}

void Acceptor::Impl::OnError(const boost::system::error_code& error) {
  if (!std::exchange(told, true) && log) log(LogLevel::kError, "accept: " + error.message());
  Worker& worker = runtime.worker(0);
  worker.RunAt(worker.Now() + kPauseAfterError, [self = shared_from_this()] { self->Accept(); });
}

std::size_t ConnectionsPerPort(std::uint64_t descriptors) {
  const std::uint64_t ours = descriptors / 4;  // three quarters are the engine's (server.cc)
  const std::uint64_t ports = ours > kOwnDescriptors ? ours - kOwnDescriptors : 0;
  return std::clamp(ports / 2, kMinConnections, kMaxConnections);
}

Acceptor::Acceptor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Acceptor::~Acceptor() = default;

Result<std::unique_ptr<Acceptor>> Acceptor::Bind(Runtime& runtime, const std::string& address,
                                                 LogSink log, std::size_t max_connections) {
  const auto endpoint = Resolve(runtime, address);
  if (!endpoint) return endpoint.error();
  if (max_connections == 0) max_connections = ConnectionsAllowed();
  auto impl = std::make_shared<Impl>(runtime, std::move(log), max_connections);
  const Status listening = impl->Listen(*endpoint);
  if (!listening) return listening.error();
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(impl)));
}

const HostPort& Acceptor::bound() const { return impl_->bound; }

void Acceptor::Start(std::function<void(Accepted)> on_accept) {
  impl_->on_accept = std::move(on_accept);
  impl_->runtime.worker(0).Post([impl = impl_] { impl->Accept(); });
}

void Acceptor::Stop() {
  impl_->runtime.worker(0).Post([impl = impl_] {
    boost::system::error_code ignored;
    impl->acceptor.close(ignored);
  });
}

}  // namespace decree::net
