#include "server/node/control.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"
#include "server/node/placement_machine.h"

namespace decree::node {
namespace {

RpcResponse Refuse(Errc code, std::string detail = {}) {
  RpcResponse response;
  response.code = code;
  response.detail = std::move(detail);
  return response;
}

std::vector<Catalog> MakeCatalogs(const NodeShared& node) {
  std::vector<Catalog> catalogs;
  for (store::Disk* disk : node.disks) catalogs.emplace_back(*disk);
  return catalogs;
}

}  // namespace

Control::Control(NodeShared& node)
    : node_(&node),
      catalogs_(MakeCatalogs(node)),
      link_(node),
      reporter_(node),
      relief_(node),
      desk_(node) {}

Control::~Control() = default;

bool Control::Owns(Method method) {
  switch (method) {
    case Method::kGetMap:
    case Method::kAdmin:
    case Method::kJoin:
    case Method::kReport:
    case Method::kCreateReplica:
    case Method::kDestroyReplica:
    case Method::kPlacementWrite:
      return true;
    default:
      return false;
  }
}

MachineFactory Control::PlacementFactory() { return PlacementMachine::Open; }

// ---- start ----

void Control::Start(std::function<void(Status)> ready) {
  ready_ = std::move(ready);
  std::make_shared<Boot>(*node_, catalogs_, [this](Result<BootResult> boot) {
    OnBooted(std::move(boot));
  })->Run();
}

void Control::OnBooted(Result<BootResult> boot) {
  if (!boot) return FinishStart(boot.error());
  identity_ = boot->identity;
  node_->node_id = identity_.node.value;
  node_->cluster_id = identity_.cluster.value;
  node_->transport->SetIdentity(identity_.cluster, identity_.node);
  if (boot->map) OfferMap(std::move(*boot->map));
  OpenReplicas([this](Status status) {
    if (!status) return FinishStart(std::move(status));
    // A founder serves once its first decree is chosen and there is a map; everybody else has one.
    if (map_) Serve();
  });
}

// Finishes removals that a crash cut short, and lists what is left to open.
Result<std::vector<std::pair<Catalog*, ReplicaShell>>> Control::LoadReplicas() {
  std::vector<std::pair<Catalog*, ReplicaShell>> replicas;
  for (Catalog& catalog : catalogs_) {
    Result<std::vector<ReplicaShell>> shells = catalog.LoadShells();
    if (!shells) return shells.error();
    for (ReplicaShell& shell : *shells) {
      Result<ReplicaId> tombstone = catalog.LoadTombstone(shell.key.shard);
      if (!tombstone) return tombstone.error();
      if (shell.key.replica > *tombstone) {
        replicas.emplace_back(&catalog, std::move(shell));
        continue;
      }
      SOMETIMES(removal_finished_at_start);
      Status removed = catalog.disk().RemoveRows(shell.key);
      if (removed) removed = catalog.DropShell(shell.key);
      if (!removed) return removed.error();
    }
    ForgetStrangers(catalog, replicas);
  }
  return replicas;
}

// A crash can undo a Forget that was not yet written (store/log.h).
void Control::ForgetStrangers(Catalog& catalog,
                              const std::vector<std::pair<Catalog*, ReplicaShell>>& replicas) {
  std::set<ReplicaKey> known;
  for (const auto& [of, shell] : replicas) {
    if (of == &catalog) known.insert(shell.key);
  }
  for (const ReplicaKey& key : catalog.disk().log().Replicas()) {
    if (known.count(key)) continue;
    SOMETIMES(forgotten_again_at_start);
    catalog.disk().log().Forget(key);
  }
}

void Control::OpenReplicas(Opened done) {
  auto replicas = LoadReplicas();
  if (!replicas) return done(replicas.error());
  struct Progress {
    std::size_t missing = 0;
    Status worst;
    Opened done;
  };
  auto progress = std::make_shared<Progress>();
  progress->done = std::move(done);
  progress->missing = replicas->size() + 1;
  const auto count_down = [progress](const Status& status) {
    if (!status && progress->worst) progress->worst = status;
    if (--progress->missing == 0) progress->done(progress->worst);
  };
  for (auto& [catalog, shell] : *replicas) {
    Worker& worker = node_->WorkerOf(shell.key.shard);
    worker.executor().Post(
        [node = node_, &worker, disk = &catalog->disk(), shell = shell, count_down] {
          const Status opened = worker.OpenReplica(*disk, shell);
          node->workers[0]->executor().Post([count_down, opened] { count_down(opened); });
        });
  }
  count_down({});
}

void Control::Serve() {
  if (node_->serving.exchange(true)) return;
  reporter_.Start();
  relief_.Start();
  FinishStart({});
}

void Control::FinishStart(Status status) {
  std::function<void(Status)> ready = std::move(ready_);
  ready_ = nullptr;
  if (ready) ready(std::move(status));
}

void Control::ProposeBootstrap() {
  if (bootstrap_proposed_) return;
  bootstrap_proposed_ = true;
  rebalance::Bootstrap bootstrap{identity_.cluster, identity_.shards, identity_.replicas,
                                 DescribeNode(*node_, identity_.node)};
  desk_.Propose(std::move(bootstrap), [this](CommandResult result) {
    bootstrap_proposed_ = result.code == Errc::kOk;  // else again when this node leads again
  });
}

// ---- the map ----

void Control::OfferMap(ShardMap map) {
  if (map_ && map.version <= map_->version) return;
  if (map.cluster != identity_.cluster) return;
  map_ = std::make_shared<const ShardMap>(std::move(map));
  node_->map_version = map_->version;
  link_.OfferMap(map_);
  std::map<NodeId, std::string> addresses;
  for (const NodeAddress& address : map_->nodes) addresses[address.node] = address.rpc;
  node_->transport->SetAddresses(std::move(addresses));
  for (const auto& worker : node_->workers) {
    worker->executor().Post(
        [worker = worker.get(), map = map_] { worker->caller().OfferMap(map); });
  }
  const Status saved = catalogs_.front().SaveMap(*map_);
  if (!saved) OnDiskFailed(catalogs_.front().disk(), saved.error());
}

// ---- the placement group ----

std::shared_ptr<ShardHost> Control::PlacementLeaderHost() {
  auto host = node_->workers[0]->FindShard(kPlacementShard);
  return host && host->leading() ? host : nullptr;
}

RpcResponse Control::PlacementRefusal() {
  const auto host = node_->workers[0]->FindShard(kPlacementShard);
  if (host) return host->Refusal();
  RpcResponse response = Refuse(Errc::kNotLeader, "this node is not in the placement group");
  if (link_.leader() != node_->node()) response.leader = link_.leader();
  return response;
}

void Control::OnPlacementHost(ShardHost& host) {
  desk_.OnHost(host);
  if (host.closed()) return;
  const rebalance::PlacementState* state = desk_.state();
  if (!state) return;
  if (state->bootstrapped()) {
    OfferMap(state->Map());
    if (ready_ && map_) Serve();
  } else if (host.leading() && identity_.founder) {
    ProposeBootstrap();
  }
}

// ---- calls ----

void Control::Handle(NodeId from, RpcRequest&& request, RpcReply&& reply) {
  if (!identity_.cluster) {
    return reply(Refuse(Errc::kBusy, "this node does not belong to a cluster yet"));
  }
  switch (request.method) {
    case Method::kGetMap: {
      if (!map_) return reply(Refuse(Errc::kBusy, "this node is starting"));
      RpcResponse response;
      response.served_by = node_->node();
      response.map_version = map_->version;
      response.body = Encode(*map_);
      return reply(std::move(response));
    }
    case Method::kAdmin: {
      Result<AdminRequest> admin = Decode<AdminRequest>(request.body);
      if (!admin) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
      return Admin(from, std::move(*admin), std::move(reply));
    }
    case Method::kJoin:
      return HandleJoin(from, std::move(request), std::move(reply));
    case Method::kReport:
      return HandleReport(std::move(request), std::move(reply));
    case Method::kCreateReplica: {
      Result<CreateReplica> create = Decode<CreateReplica>(request.body);
      if (!create) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
      return HandleCreate(*create, std::move(reply));
    }
    case Method::kDestroyReplica: {
      Result<DestroyReplica> destroy = Decode<DestroyReplica>(request.body);
      if (!destroy) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
      return HandleDestroy(*destroy, std::move(reply));
    }
    default:
      reply(Refuse(Errc::kInvalidArgument, "unknown method"));
  }
}

// The first node asked carries the request to the placement leader; a node that was asked by
// another node only answers for itself, so that requests do not run in circles.
void Control::Admin(NodeId from, AdminRequest&& request, RpcReply&& reply) {
  if (PlacementLeaderHost()) {
    desk_.Admin(std::move(request),
                [reply = std::move(reply), self = node_->node()](AdminResponse answer) {
                  RpcResponse response;
                  response.served_by = self;
                  response.body = Encode(answer);
                  reply(std::move(response));
                });
    return;
  }
  if (from) return reply(PlacementRefusal());
  RpcRequest forward{Method::kAdmin, kPlacementShard, 5000, Encode(request)};
  link_.Call(std::move(forward), std::move(reply));
}

void Control::HandleJoin(NodeId from, RpcRequest&& request, RpcReply&& reply) {
  Result<JoinRequest> join = Decode<JoinRequest>(request.body);
  if (!join) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  if (join->cluster && join->cluster != identity_.cluster) {
    return reply(Refuse(Errc::kWrongCluster, "this is another cluster"));
  }
  if (PlacementLeaderHost()) return RegisterJoiner(*join, std::move(reply));
  if (from) return reply(PlacementRefusal());
  link_.Call(std::move(request), std::move(reply));
}

void Control::RegisterJoiner(const JoinRequest& join, RpcReply&& reply) {
  desk_.Propose(rebalance::RegisterNode{join.node},
                [this, reply = std::move(reply)](CommandResult result) {
                  const rebalance::PlacementState* state = desk_.state();
                  if (result.code == Errc::kOk && !state) result.code = Errc::kUnavailable;
                  RpcResponse response = Refuse(result.code, result.detail);
                  if (result.code == Errc::kOk) {
                    const NodeId id{static_cast<std::uint32_t>(result.version)};
                    response.body = Encode(JoinAnswer{id, state->Map()});
                  }
                  reply(std::move(response));
                });
}

void Control::HandleReport(RpcRequest&& request, RpcReply&& reply) {
  Result<NodeReport> report = Decode<NodeReport>(request.body);
  if (!report) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  if (!PlacementLeaderHost()) return reply(PlacementRefusal());
  ReportAnswer answer;
  if (map_ && map_->version > report->map_version) answer.map = *map_;
  desk_.OnReport(std::move(*report));
  RpcResponse response;
  response.served_by = node_->node();
  response.body = Encode(answer);
  reply(std::move(response));
}

}  // namespace decree::node
