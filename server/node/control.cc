#include "server/node/control.h"

#include <iterator>
#include <utility>

#include "kv/base/bug.h"
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

}  // namespace

Control::Control(NodeShared& node)
    : node_(&node),
      catalogs_(node.disks),
      relay_(node),
      link_(node),
      reporter_(node),
      relief_(node),
      search_(node),
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
    case Method::kGather:
    case Method::kRelay:
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
  if (node_->stopping) return;
  if (!boot) return FinishStart(boot.error());
  identity_ = boot->identity;
  node_->node_id = identity_.node.value;
  node_->cluster_id = identity_.cluster.value;
  node_->transport->SetIdentity(identity_.cluster, identity_.node);
  if (boot->map) OfferMap(std::move(*boot->map));
  search_.Start();
  OpenReplicas();
}

// A disk of which something does not open is taken out, with all of its replicas.
void Control::OpenReplicas() {
  std::vector<Resident> all;
  for (Catalog* catalog : catalogs_.Working()) {
    Result<std::vector<Resident>> residents = Catalogs::Load(*catalog);
    if (residents) {
      std::move(residents->begin(), residents->end(), std::back_inserter(all));
    } else {
      OnDiskFailed(catalog->disk(), residents.error());
    }
  }
  auto missing = std::make_shared<std::size_t>(all.size());
  for (const Resident& resident : all) {
    OpenReplica(resident, nullptr,
                [this, missing, disk = &resident.catalog->disk()](const Status& opened) {
                  if (!opened && !node_->stopping) OnUnopened(*disk, opened.error());
                  if (--*missing == 0) OnReplicasOpened();
                });
  }
  if (all.empty()) OnReplicasOpened();
}

// Too few open files are a mistake in the set-up: the start is refused, no disk is given up for it.
void Control::OnUnopened(store::Disk& disk, const Error& error) {
  const bool too_few_files = error == Errc::kBusy || error == Errc::kImpossible;
  too_few_files ? FinishStart(error) : OnDiskFailed(disk, error);
}

void Control::OnReplicasOpened() {
  opened_ = true;
  if (node_->stopping) return;
  // A founder has a map once its first decree is chosen, a node without one may find it (--join).
  const bool may_come =
      node_->workers[0]->FindShard(kPlacementShard) || !node_->config.join.empty();
  if (map_ || may_come) return ServeIfReady();
  FinishStart(Error(Errc::kUnavailable,
                    "no disk of this node remembers where the cluster is: give the addresses of "
                    "other nodes with --join"));
}

// On the shard's worker; a host that is open stays as it is.
void Control::OpenReplica(const Resident& resident, std::shared_ptr<SpacePromise> room,
                          Opened done) {
  Worker& worker = node_->WorkerOf(resident.shell.key.shard);
  store::Disk* disk = &resident.catalog->disk();
  opening_.insert(resident.shell.key);
  worker.executor().Post([this, &worker, disk, shell = resident.shell, room = std::move(room),
                          done = std::move(done)] {
    worker.OpenReplica(*disk, shell, room, [this, key = shell.key, done](const Status& opened) {
      node_->workers[0]->executor().Post([this, key, done, opened] {
        opening_.erase(opening_.find(key));
        done(opened);
      });
    });
  });
}

void Control::ServeIfReady() {
  if (!opened_ || !map_ || !ready_ || node_->stopping) return;
  node_->serving = true;
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
  if (map_ && map.version < map_->version) SOMETIMES(control_older_map_offered);
  if (map_ && map.version == map_->version) return;
  if (map_ && map.version < map_->version && !DECREE_BUG_MAP_VERSION_BACKWARDS) return;
  if (map.cluster != identity_.cluster) return;
  map_ = std::make_shared<const ShardMap>(std::move(map));
  node_->map_version = map_->version;
  if (node_->config.watch) node_->config.watch->MapChanged(identity_.node, map_->version);
  link_.OfferMap(map_);
  relay_.OfferMap(map_);
  SetAddresses();
  for (const auto& worker : node_->workers) {
    worker->executor().Post(
        [worker = worker.get(), map = map_] { worker->caller().OfferMap(map); });
  }
  for (Catalog* catalog : catalogs_.Working()) {
    const Status saved = catalog->SaveMap(*map_);
    if (!saved) OnDiskFailed(catalog->disk(), saved.error());
  }
  ServeIfReady();
}

void Control::SetAddresses() { node_->transport->SetAddresses(search_.Addresses(map_.get())); }

// ---- the placement group ----

std::shared_ptr<ShardHost> Control::PlacementLeaderHost() {
  if (node_->stopping) return nullptr;
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

// Two replicas may live here while the group moves between disks: what counts is the one that
// leads, whichever of them changed.
void Control::OnPlacementHost() {
  if (node_->stopping) return;
  desk_.OnHost();
  const rebalance::PlacementState* state = desk_.state();
  if (!state) return;
  if (state->bootstrapped()) {
    OfferMap(state->Map());
  } else if (identity_.founder && PlacementLeaderHost()) {
    ProposeBootstrap();
  }
}

// ---- calls ----

void Control::Handle(NodeId from, RpcRequest&& request, RpcReply&& reply) {
  if (node_->stopping) return reply(Refuse(Errc::kUnavailable, "this node is stopping"));
  if (request.method == Method::kGather) {
    RpcResponse response;
    response.body = Encode(DescribeGatherer(*node_, identity_.cluster));
    return reply(std::move(response));
  }
  if (!identity_.cluster) {
    return reply(Refuse(Errc::kBusy, "this node does not belong to a cluster yet"));
  }
  switch (request.method) {
    case Method::kGetMap:
      return HandleMap(from, request, reply);
    case Method::kAdmin:
      return HandleAdmin(from, std::move(request), std::move(reply));
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
    case Method::kRelay: {
      Result<RelayedCall> call = Decode<RelayedCall>(request.body);
      if (!call || call->request.method == Method::kRelay) {
        return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
      }
      return relay_.CarryOn(std::move(*call), std::move(reply));
    }
    default:
      reply(Refuse(Errc::kInvalidArgument, "unknown method"));
  }
}

// A node that finds nobody tells those it knows who else there is (cluster_search.h).
void Control::HandleMap(NodeId from, const RpcRequest& request, const RpcReply& reply) {
  if (from && !request.body.empty()) {
    Result<ShardMap> told = Decode<ShardMap>(request.body);
    if (!told) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
    OfferMap(*std::move(told));
  }
  if (!map_) return reply(Refuse(Errc::kBusy, "this node is starting"));
  RpcResponse response;
  response.served_by = node_->node();
  response.map_version = map_->version;
  response.body = Encode(*map_);
  reply(std::move(response));
}

// The first node asked carries the request to the placement leader; a node that was asked by
// another node only answers for itself, so that requests do not run in circles.
void Control::HandleAdmin(NodeId from, RpcRequest&& request, RpcReply&& reply) {
  Result<AdminRequest> admin = Decode<AdminRequest>(request.body);
  if (!admin) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  if (PlacementLeaderHost()) {
    admin->timeout_ms = request.timeout_ms;
    desk_.Admin(std::move(*admin),
                [reply = std::move(reply), self = node_->node()](AdminResponse answer) {
                  RpcResponse response;
                  response.served_by = self;
                  response.body = Encode(answer);
                  reply(std::move(response));
                });
    return;
  }
  if (from) return reply(PlacementRefusal());
  const Repeat repeat = admin->method == "GET" ? Repeat::kUnanswered : Repeat::kNotDone;
  link_.Call(std::move(request), repeat, std::move(reply));
}

void Control::HandleJoin(NodeId from, RpcRequest&& request, RpcReply&& reply) {
  Result<JoinRequest> join = Decode<JoinRequest>(request.body);
  if (!join) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  if (join->cluster && join->cluster != identity_.cluster) {
    return reply(Refuse(Errc::kWrongCluster, "this is another cluster"));
  }
  if (PlacementLeaderHost()) return RegisterJoiner(*join, std::move(reply));
  if (from) return reply(PlacementRefusal());
  link_.Call(std::move(request), Repeat::kUnanswered, std::move(reply));
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
  const rebalance::PlacementState* state = desk_.state();
  if (!PlacementLeaderHost() || !state) {
    SOMETIMES(control_report_to_no_leader);
    return reply(PlacementRefusal());
  }
  ReportAnswer answer;
  if (map_ && map_->version > report->map_version) answer.map = *map_;
  desk_.OnReport(std::move(*report));
  answer.silent = desk_.Suspects();
  answer.move_rate_bytes_per_s = state->settings().move_rate_bytes_per_s;
  RpcResponse response;
  response.served_by = node_->node();
  response.body = Encode(answer);
  reply(std::move(response));
}

}  // namespace decree::node
