#include "server/net/server.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "kv/store/file_disk.h"
#include "kv/store/file_limit.h"
#include "server/net/acceptor.h"
#include "server/net/http_listener.h"
#include "server/net/native_listener.h"
#include "server/net/peers.h"
#include "server/net/runtime.h"
#include "server/node/catalog.h"

namespace decree::net {
namespace {

constexpr Duration kCloseMargin = 5s;    // beyond the grace, for the node to answer
constexpr Duration kFlushAnswers = 1s;   // beyond the grace, for the last answers to be written
constexpr Duration kFatalCheck = 100ms;  // how soon a wait notices that the workers have stopped

// NodeCore behind the interface that the doors know.
class CoreDoor final : public NodeDoor {
 public:
  void Set(node::NodeCore* core) { core_ = core; }
  void OnEnvelopes(std::vector<consensus::Envelope> envelopes) override {
    core_->OnEnvelopes(std::move(envelopes));
  }
  void OnRequest(NodeId from, RpcRequest request, RpcReply reply) override {
    core_->OnRequest(from, std::move(request), std::move(reply));
  }
  void OnLinkDown(NodeId node) override { core_->OnLinkDown(node); }
  void Admin(AdminRequest request, Duration timeout,
             std::function<void(AdminResponse)> done) override {
    core_->Admin(std::move(request), timeout, std::move(done));
  }
  NodeId id() const override { return core_->id(); }
  bool ready() const override { return core_->ready(); }
  void Operate(std::size_t worker, Operation operation, OperationCallback done) override {
    core_->caller(worker).Start(std::move(operation), std::move(done));
  }
  void CountShards(std::size_t worker, Duration timeout,
                   std::function<void(Result<std::uint32_t>)> done) override {
    Caller& caller = core_->caller(worker);
    if (const auto map = caller.map()) return done(static_cast<std::uint32_t>(map->shards.size()));
    caller.RefreshMap(timeout, [&caller, done = std::move(done)](Errc code) {
      if (const auto map = caller.map()) {
        return done(static_cast<std::uint32_t>(map->shards.size()));
      }
      done(Error(code == Errc::kOk ? Errc::kUnavailable : code, "there is no shard map yet"));
    });
  }

 private:
  node::NodeCore* core_ = nullptr;
};

// Something that happens once, awaited by a thread that is no worker.
class Event {
 public:
  void Happen() {
    std::lock_guard lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }
  // False: the time is over, or the runtime failed and it will never happen.
  bool Await(const Runtime& runtime, Duration limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    std::unique_lock lock(mutex_);
    while (!happened_ && !runtime.failed() && std::chrono::steady_clock::now() < deadline) {
      changed_.wait_for(lock, std::min<Duration>(limit, kFatalCheck));
    }
    return happened_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

Error Invalid(std::string detail) { return {Errc::kInvalidArgument, std::move(detail)}; }

Status CheckListenAddress(const std::optional<std::string>& address, const char* what,
                          bool insecure) {
  if (!address) return {};
  const auto parsed = ParseHostPort(*address);
  if (!parsed) return Invalid(std::string(what) + ": " + parsed.error().detail());
  if (insecure || IsLoopback(*parsed)) return {};
  return Invalid(
      std::string(what) + ": " + *address +
      " is not a loopback address, and nothing is encrypted or authenticated: --insecure "
      "(in a program: insecure = true) allows it");
}

bool IsUnspecified(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// What others dial: as asked for (port 0: the bound one), else the bound address itself.
Result<std::string> Advertised(const std::string& wanted, const HostPort& bound,
                               const char* option) {
  if (wanted.empty()) {
    if (!IsUnspecified(bound.host)) return ToString(bound);
    return Invalid(std::string(option) + " is needed: nobody can dial " + bound.host);
  }
  auto address = ParseHostPort(wanted);
  if (!address) return Invalid(std::string(option) + ": " + address.error().detail());
  if (address->port == 0) address->port = bound.port;
  return ToString(*address);
}

// A follower misses one heartbeat before it campaigns, and never before a lease is over.
Status CheckTimes(const consensus::Options& times) {
  if (times.heartbeat < 1ms || 2 * times.heartbeat > times.election_min) {
    return Invalid("heartbeat: from 1 ms to half of the shortest election timeout");
  }
  if (times.election_min > times.election_max || times.election_max > 60s) {
    return Invalid("election: the shortest timeout is above the longest, or that above a minute");
  }
  if (times.lease < 1ms || times.lease >= times.election_min) {
    return Invalid("lease: from 1 ms to less than the shortest election timeout");
  }
  return {};
}

}  // namespace

Status CheckOptions(const ServerOptions& options) {
  if (options.dirs.empty()) return Invalid("at least one data directory is needed");
  for (const auto& [address, what] :
       {std::pair(&options.listen, "listen"), std::pair(&options.http, "http")}) {
    const Status status = CheckListenAddress(*address, what, options.insecure);
    if (!status) return status;
  }
  for (const std::string& address : options.join) {
    const auto parsed = ParseHostPort(address);
    if (!parsed) return Invalid("join: " + parsed.error().detail());
  }
  if (options.bootstrap_expect > 1 && options.join.empty()) {
    return Invalid("bootstrap-expect: join is needed, with the addresses of the other nodes");
  }
  if (!options.join.empty() && !options.listen) {
    return Invalid("a node that joins others must be reachable: listen is needed");
  }
  if (const Status times = CheckTimes(options.consensus); !times) return times;
  if (!std::has_single_bit(options.shards) || options.shards > 4096) {
    return Invalid("shards: " + std::to_string(options.shards) +
                   " is no power of two from 1 to 4096");
  }
  if (options.replicas % 2 == 0 || options.replicas > 5) {
    return Invalid("replicas: " + std::to_string(options.replicas) + " is not 1, 3 or 5");
  }
  return {};
}

struct Server::Impl {
  explicit Impl(ServerOptions o)
      : options(std::move(o)),
        runtime({options.workers, options.on_fatal}),
        peers(runtime, options.log) {}
  ~Impl() { Close(); }

  Status OpenDisks();
  void LookForIdentity();
  Status BindPorts();
  Status MakeCore();
  void Start(std::function<void(Status)> ready);
  void Stop(Duration grace);
  void StopServing(Duration grace);
  void Close();

  const ServerOptions options;
  Runtime runtime;
  std::vector<std::unique_ptr<store::Disk>> disks;
  std::optional<Error> lost_disk;  // of `dirs`, the first that did not open
  Peers peers;
  CoreDoor door;
  std::unique_ptr<node::NodeCore> core;
  std::unique_ptr<NativeListener> native;
  std::unique_ptr<HttpListener> http;
  ServerPorts ports;
  std::string advertise;
  std::string advertise_http;
  bool rejoins = false;
  bool started = false;
  bool stopped = false;
};

// What opens is used; the node decides whether it can do without the rest. A directory that another
// process uses is no broken disk but a mistake, and so are too few open files. Of those a quarter
// is left for connections, logs and copies.
Status Server::Impl::OpenDisks() {
  std::vector<Error> errors;
  const std::uint64_t for_rows = store::OpenFileLimit() / 4 * 3;
  for (const std::string& path : options.dirs) {
    store::FileDiskOptions disk;
    disk.path = path;
    disk.block_cache_bytes = options.block_cache_bytes;
    disk.write_buffer_bytes = options.write_buffer_bytes;
    disk.open_files = std::max<std::uint64_t>(1, for_rows / options.dirs.size());
    disk.log = options.log;
    auto opened = store::OpenFileDisk(std::move(disk));
    if (opened) {
      disks.push_back(std::move(*opened));
    } else if (opened.error() == Errc::kLocked || opened.error() == Errc::kBusy) {
      return opened.error();
    } else {
      errors.push_back(opened.error());
    }
  }
  if (errors.empty()) return {};
  if (disks.empty()) return errors.front();
  lost_disk = errors.front();
  for (const Error& error : errors) {
    if (options.log) options.log(LogLevel::kError, "a disk is left out: " + error.ToString());
  }
  return {};
}

// A disk whose identity cannot be read is taken out when the node starts (Boot).
void Server::Impl::LookForIdentity() {
  for (const auto& disk : disks) {
    const auto identity = node::Catalog(*disk).LoadIdentity();
    if (identity) rejoins |= identity->has_value();
  }
}

Status Server::Impl::BindPorts() {
  if (options.listen) {
    auto acceptor = Acceptor::Bind(runtime, *options.listen, options.log);
    if (!acceptor) return acceptor.error();
    native = std::make_unique<NativeListener>(runtime, std::move(*acceptor), door, peers.identity(),
                                              options.log);
    ports.rpc = native->bound().port;
    auto address = Advertised(options.advertise, native->bound(), "advertise");
    if (!address) return address.error();
    advertise = std::move(*address);
  }
  if (options.http) {
    auto acceptor = Acceptor::Bind(runtime, *options.http, options.log);
    if (!acceptor) return acceptor.error();
    http = std::make_unique<HttpListener>(runtime, std::move(*acceptor), door, options.log);
    ports.http = http->bound().port;
    auto address = Advertised(options.advertise_http, http->bound(), "advertise-http");
    if (!address) return address.error();
    advertise_http = std::move(*address);
  }
  return {};
}

Status Server::Impl::MakeCore() {
  node::NodeConfig config;
  config.name = options.name;
  config.zone = options.zone;
  config.advertise_rpc = advertise;
  config.advertise_http = advertise_http;
  config.join = options.join;
  config.bootstrap_expect = options.bootstrap_expect;
  config.consensus = options.consensus;
  config.shards = options.shards;
  config.replicas = options.replicas;
  config.lost_disk = lost_disk;
  config.log = options.log;
  config.on_disks_lost = [this](const std::string& reason) {
    runtime.Fail(reason, options.on_disks_lost ? options.on_disks_lost : options.on_fatal);
  };
  std::vector<store::Disk*> all;
  for (const auto& disk : disks) all.push_back(disk.get());
  core = std::make_unique<node::NodeCore>(std::move(config), runtime.executors(), peers, all);
  door.Set(core.get());
  peers.SetDoor(&door);
  return {};
}

void Server::Impl::Start(std::function<void(Status)> ready) {
  started = true;
  core->Start(std::move(ready));
  if (native) native->Start();
  if (http) http->Start();
  runtime.Start();
}

// Somebody else leads before the doors close, and the replicas stay until the doors have answered.
void Server::Impl::StopServing(Duration grace) {
  const auto deadline = std::chrono::steady_clock::now() + grace;
  const auto left = [deadline] {
    return std::max<Duration>(deadline - std::chrono::steady_clock::now(), Duration{0});
  };
  const auto handed_over = std::make_shared<Event>();
  core->HandOver(grace, [handed_over] { handed_over->Happen(); });
  handed_over->Await(runtime, grace + kCloseMargin);
  const auto http_done = std::make_shared<Event>();
  const auto native_done = std::make_shared<Event>();
  if (http) http->Stop([http_done] { http_done->Happen(); });
  if (native) native->Drain([native_done] { native_done->Happen(); });
  if (http) http_done->Await(runtime, left());
  if (native) native_done->Await(runtime, left());
  const auto closed = std::make_shared<Event>();
  core->Stop(left(), [closed] { closed->Happen(); });
  closed->Await(runtime, left() + kCloseMargin);
  // What outlived the grace has been answered by the replicas that closed.
  if (http) http_done->Await(runtime, std::min(grace, kFlushAnswers));
  if (native) native->Stop();
  peers.Shutdown();
}

void Server::Impl::Stop(Duration grace) {
  if (std::exchange(stopped, true)) return;
  if (started && !runtime.failed()) StopServing(grace);
  runtime.Stop();
}

// Nothing runs any more. The node goes first: what it answers while it goes still finds the doors.
void Server::Impl::Close() {
  Stop(Duration{0});
  core.reset();
  http.reset();
  native.reset();
  disks.clear();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Create(ServerOptions options) {
  Status status = CheckOptions(options);
  if (!status) return status.error();
  auto impl = std::make_unique<Impl>(std::move(options));
  status = impl->OpenDisks();
  if (status) impl->LookForIdentity();
  if (status) status = impl->BindPorts();
  if (status) status = impl->MakeCore();
  if (!status) return status.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Result<std::unique_ptr<Server>> Server::Open(ServerOptions options) {
  auto server = Create(std::move(options));
  if (!server) return server;
  struct Outcome {
    Event known;
    Status status;
  };
  const auto outcome = std::make_shared<Outcome>();
  (*server)->Start([outcome](Status status) {
    outcome->status = std::move(status);
    outcome->known.Happen();
  });
  const Runtime& runtime = (*server)->impl_->runtime;
  if (!outcome->known.Await(runtime, std::chrono::hours(24 * 365))) {
    return Error(Errc::kShuttingDown, "the node failed while it started");
  }
  if (!outcome->status) return outcome->status.error();
  return server;
}

void Server::Start(std::function<void(Status)> ready) { impl_->Start(std::move(ready)); }
void Server::Stop(Duration grace) { impl_->Stop(grace); }
void Server::Close() { impl_->Close(); }
ServerPorts Server::ports() const { return impl_->ports; }
bool Server::rejoins() const { return impl_->rejoins; }
node::NodeCore& Server::core() { return *impl_->core; }
std::size_t Server::workers() const { return impl_->runtime.size(); }
Executor& Server::executor(std::size_t worker) { return impl_->runtime.executor(worker); }

}  // namespace decree::net
