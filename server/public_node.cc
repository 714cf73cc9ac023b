#include <boost/json.hpp>
#include <utility>

#include "decree/node.h"
#include "server/local_backend.h"
#include "server/net/server.h"

namespace decree {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kAdminTimeout{5000};

net::ServerOptions ToServerOptions(NodeOptions options) {
  net::ServerOptions server;
  server.dirs = std::move(options.dirs);
  server.listen = std::move(options.listen);
  server.http = std::move(options.http);
  server.advertise = std::move(options.advertise);
  server.advertise_http = std::move(options.advertise_http);
  server.insecure = options.insecure;
  server.consensus.leases = options.leases;
  server.consensus.heartbeat = options.heartbeat;
  server.consensus.election_min = options.election_min;
  server.consensus.election_max = options.election_max;
  server.consensus.lease = options.lease;
  server.consensus.sleep_after = options.sleep_after;
  server.join = std::move(options.join);
  server.shards = options.shards;
  server.replicas = options.replicas;
  server.name = std::move(options.name);
  server.zone = std::move(options.zone);
  server.workers = options.workers;
  server.block_cache_bytes = options.block_cache_bytes;
  server.write_buffer_bytes = options.write_buffer_bytes;
  server.log = std::move(options.log);
  server.on_fatal = std::move(options.on_fatal);
  return server;
}

std::string TextField(const json::value& body, std::string_view name) {
  const auto* object = body.if_object();
  const json::value* field = object ? object->if_contains(name) : nullptr;
  const json::string* text = field ? field->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

// problem+json: `code` is from the common vocabulary, `detail` (or `title`) is for people.
Error ProblemToError(const AdminReply& reply) {
  boost::system::error_code ignored;
  const json::value body = json::parse(reply.body, ignored);
  const std::string name = TextField(body, "code");
  std::string detail = TextField(body, "detail");
  if (detail.empty()) detail = TextField(body, "title");
  for (int i = 0; i <= static_cast<int>(kMaxErrc); ++i) {
    if (ErrcName(static_cast<Errc>(i)) == name) return {static_cast<Errc>(i), detail};
  }
  return Error(Errc::kIo, "status " + std::to_string(reply.status) + ": " + detail);
}

Result<AdminReply> Administer(Client client, std::string_view method, const std::string& target,
                              const std::string& body = {}) {
  auto reply = client.Admin(method, target, body, kAdminTimeout);
  if (reply && reply->status >= 400) return ProblemToError(*reply);
  return reply;
}

Status Drop(const Result<AdminReply>& reply) {
  if (!reply) return reply.error();
  return {};
}

}  // namespace

struct Node::Impl {
  std::unique_ptr<net::Server> server;
  std::shared_ptr<NodeGate> gate;
  bool stopped = false;

  Impl(std::unique_ptr<net::Server> opened, std::shared_ptr<NodeGate> shut)
      : server(std::move(opened)), gate(std::move(shut)) {
    NodeGate::Access access;
    for (std::size_t i = 0; i < server->workers(); ++i) {
      access.workers.push_back(&server->executor(i));
    }
    net::Server* const raw = server.get();
    access.caller = [raw](std::size_t worker) -> Caller& { return raw->core().caller(worker); };
    access.admin = [raw](AdminRequest request, Duration timeout,
                         std::function<void(AdminResponse)> done) {
      raw->core().Admin(std::move(request), timeout, std::move(done));
    };
    gate->Open(std::move(access));
  }
};

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Node::~Node() { Stop(std::chrono::milliseconds(0)); }

Result<std::unique_ptr<Node>> Node::Open(NodeOptions options) {
  if (options.dirs.empty()) {
    return Error(Errc::kInvalidArgument, "a node needs at least one directory (dirs)");
  }
  if (!options.join.empty() && !options.listen) {
    return Error(Errc::kInvalidArgument, "a node that joins others must be reachable: set listen");
  }
  auto gate = std::make_shared<NodeGate>();
  options.on_fatal = [gate, tell = std::move(options.on_fatal)](const std::string& reason) {
    gate->Fail();
    if (tell) tell(reason);
  };
  auto server = net::Server::Open(ToServerOptions(std::move(options)));
  if (!server) return server.error();
  return std::unique_ptr<Node>(
      new Node(std::make_unique<Impl>(std::move(*server), std::move(gate))));
}

Client Node::client() { return Client(MakeLocalBackend(impl_->gate), kDefaultTimeout); }

std::uint32_t Node::id() const { return impl_->stopped ? 0 : impl_->server->core().id().value; }
std::uint16_t Node::rpc_port() const { return impl_->server->ports().rpc; }
std::uint16_t Node::http_port() const { return impl_->server->ports().http; }

Result<std::uint64_t> Node::MoveShard(std::uint32_t shard, std::uint32_t from_node,
                                      std::uint32_t to_node) {
  const json::object body{{"shard", shard}, {"from", from_node}, {"to", to_node}};
  const auto reply = Administer(client(), "POST", "/v1/admin/moves", json::serialize(body));
  if (!reply) return reply.error();
  boost::system::error_code ignored;
  const json::value answer = json::parse(reply->body, ignored);
  const auto* object = answer.if_object();
  const json::value* id = object ? object->if_contains("id") : nullptr;
  if (!id || !id->is_number()) return Error(Errc::kCorruption, "no move id in: " + reply->body);
  return id->to_number<std::uint64_t>(ignored);
}

Status Node::Drain(std::uint32_t node) {
  return Drop(Administer(client(), "POST", "/v1/admin/nodes/" + std::to_string(node) + ":drain"));
}

Status Node::Undrain(std::uint32_t node) {
  return Drop(Administer(client(), "POST", "/v1/admin/nodes/" + std::to_string(node) + ":undrain"));
}

Result<std::string> Node::StatusJson() {
  const auto reply = Administer(client(), "GET", "/v1/admin/cluster");
  if (!reply) return reply.error();
  return reply->body;
}

// The gate shuts when nothing runs any more: until then clients' calls are answered by the node
// itself, which knows whether they were sent. What is still pending is answered while it closes.
void Node::Stop(std::chrono::milliseconds grace) {
  if (std::exchange(impl_->stopped, true)) return;
  impl_->gate->RefuseCalls();
  impl_->server->Stop(grace);
  impl_->gate->Shut();
  impl_->server->Close();
}

}  // namespace decree
