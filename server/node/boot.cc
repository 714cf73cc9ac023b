#include "server/node/boot.h"

#include <algorithm>
#include <utility>

#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kJoinPause = 200ms;

consensus::Config Genesis(NodeId node) {
  consensus::Config genesis;
  genesis.epoch = Epoch{1};
  genesis.start = Slot{1};
  genesis.voters = {{ReplicaId{1}, node}};
  return genesis;
}

}  // namespace

rebalance::NodeRecord DescribeNode(const NodeShared& node, NodeId id) {
  rebalance::NodeRecord record;
  record.id = id;
  record.name = node.config.name;
  record.rpc = node.config.advertise_rpc;
  record.http = node.config.advertise_http;
  record.zone = node.config.zone;
  for (const store::Disk* disk : node.disks) {
    const bool failed = node.control && node.control->DiskFailed(*disk);
    record.disks.push_back({disk->incarnation(), disk->path(), disk->space().capacity_bytes,
                            failed ? rebalance::DiskState::kFailed : rebalance::DiskState::kOk});
  }
  return record;
}

Boot::Boot(NodeShared& node, std::vector<Catalog>& catalogs, Done done)
    : node_(&node), catalogs_(&catalogs), done_(std::move(done)) {}

void Boot::Finish(Result<BootResult> result) {
  Done done = std::move(done_);
  done_ = nullptr;
  if (done) done(std::move(result));
}

void Boot::Run() {
  Result<std::optional<Identity>> identity = LoadIdentity();
  if (!identity) return Finish(identity.error());
  if (*identity) return Rejoin(**identity);
  if (node_->config.join.empty()) return Found();
  if (node_->config.bootstrap_expect > 1) return Gather();
  Join(0);
}

// All disks of a node belong to the same node of the same cluster; a new empty one is adopted.
Result<std::optional<Identity>> Boot::LoadIdentity() {
  std::optional<Identity> found;
  for (Catalog& catalog : *catalogs_) {
    Result<std::optional<Identity>> identity = catalog.LoadIdentity();
    if (!identity) return identity.error();
    if (!*identity) continue;
    if (found && !(**identity == *found)) {
      return Error(Errc::kWrongCluster, catalog.disk().path() +
                                            " belongs to another node or cluster than " +
                                            catalogs_->front().disk().path());
    }
    found = **identity;
  }
  return found;
}

Status Boot::SaveIdentity(const Identity& identity) {
  for (Catalog& catalog : *catalogs_) {
    const Status saved = catalog.SaveIdentity(identity);
    if (!saved) return saved;
  }
  return {};
}

void Boot::Rejoin(const Identity& identity) {
  const Status saved = SaveIdentity(identity);
  if (!saved) return Finish(saved.error());
  for (Catalog& catalog : *catalogs_) {
    Result<std::optional<ShardMap>> map = catalog.LoadMap();
    if (!map) return Finish(map.error());
    if (*map) return Finish(BootResult{identity, std::move(*map)});
  }
  Finish(BootResult{identity, std::nullopt});
}

// ---- a new cluster ----

// Shells first, identity last: a crash in between leaves a directory without identity, and the same
// shells are written again.
void Boot::Found() {
  Executor& executor = node_->workers[0]->executor();
  const NodeId node{1};
  const Status written = WriteFoundersShells(node);
  if (!written) return Finish(written.error());
  const Identity identity{ClusterId{executor.RandomWord() | 1}, node, node_->config.shards,
                          node_->config.replicas, true};
  const Status saved = SaveIdentity(identity);
  if (!saved) return Finish(saved.error());
  Finish(BootResult{identity, std::nullopt});
}

Status Boot::WriteFoundersShells(NodeId node) {
  for (Catalog& catalog : *catalogs_) {
    Result<std::vector<ReplicaShell>> leftover = catalog.LoadShells();
    if (!leftover) return leftover.error();
    for (const ReplicaShell& shell : *leftover) {
      const Status dropped = catalog.DropShell(shell.key);
      if (!dropped) return dropped;
    }
  }
  const ReplicaShell placement{{kPlacementShard, ReplicaId{1}}, Genesis(node), {}};
  Status written = catalogs_->front().SaveShell(placement);
  for (std::uint32_t shard = 0; written && shard < node_->config.shards; ++shard) {
    Catalog& catalog = (*catalogs_)[shard % catalogs_->size()];
    written = catalog.SaveShell({{ShardId{shard}, ReplicaId{1}}, Genesis(node), {}});
  }
  return written;
}

// --bootstrap-expect N: the node with the smallest address founds the cluster once N nodes, itself
// among them, answer and none of them has a cluster already; the others join it.
void Boot::Gather() {
  const auto& join = node_->config.join;
  const std::string& own = node_->config.advertise_rpc;
  if (*std::min_element(join.begin(), join.end()) < own) return Join(0);
  heard_ = 1;
  answered_ = 0;
  cluster_found_ = false;
  Executor& executor = node_->workers[0]->executor();
  const std::size_t others = static_cast<std::size_t>(
      std::count_if(join.begin(), join.end(), [&](const auto& a) { return a != own; }));
  for (const std::string& address : join) {
    if (address == own) continue;
    node_->transport->CallAddress(executor, address,
                                  RpcRequest{Method::kGetMap, kPlacementShard, 1000, {}},
                                  [self = shared_from_this(), others](RpcResponse response) {
                                    // A node without a cluster answers kBusy: it is there and
                                    // waits, as we do.
                                    if (response.code == Errc::kOk) self->cluster_found_ = true;
                                    if (response.code == Errc::kBusy) ++self->heard_;
                                    if (++self->answered_ == others) self->OnGathered();
                                  });
  }
}

void Boot::OnGathered() {
  if (node_->stopping) return;
  if (cluster_found_) return Join(0);
  if (heard_ >= node_->config.bootstrap_expect) return Found();
  Executor& executor = node_->workers[0]->executor();
  executor.RunAt(executor.Now() + kJoinPause, [self = shared_from_this()] { self->Gather(); });
}

// ---- joining ----

void Boot::Join(std::size_t next) {
  if (node_->stopping) return Finish(Error(Errc::kShuttingDown, "stopped while joining"));
  const auto& join = node_->config.join;
  JoinRequest body{DescribeNode(*node_, NodeId{}), ClusterId{}};
  RpcRequest request{Method::kJoin, kPlacementShard, 2000, Encode(body)};
  node_->transport->CallAddress(node_->workers[0]->executor(), join[next % join.size()],
                                std::move(request),
                                [self = shared_from_this(), next](RpcResponse response) {
                                  self->OnJoinAnswer(next, response);
                                });
}

void Boot::OnJoinAnswer(std::size_t asked, const RpcResponse& response) {
  Result<JoinAnswer> answer = Errc::kUnavailable;
  if (response.code == Errc::kOk) answer = Decode<JoinAnswer>(response.body);
  if (response.code == Errc::kImpossible || response.code == Errc::kWrongCluster) {
    return Finish(Error(response.code, response.detail));
  }
  if (!answer) {
    const std::string& address = node_->config.join[asked % node_->config.join.size()];
    const std::string refusal = address + ": " + Error(response.code, response.detail).ToString();
    if (refusal != last_refusal_) node_->Log(LogLevel::kInfo, "waiting to join: " + refusal);
    last_refusal_ = refusal;
    Executor& executor = node_->workers[0]->executor();
    executor.RunAt(executor.Now() + kJoinPause,
                   [self = shared_from_this(), asked] { self->Join(asked + 1); });
    return;
  }
  const Identity identity{answer->map.cluster, answer->node, 0, 0, false};
  const Status saved = SaveIdentity(identity);
  if (!saved) return Finish(saved.error());
  Finish(BootResult{identity, std::move(answer->map)});
}

}  // namespace decree::node
