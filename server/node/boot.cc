#include "server/node/boot.h"

#include <utility>

#include "kv/base/mark.h"
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

// Everything a disk holds that no identity stands for.
Status Clear(Catalog& catalog) {
  store::Disk& disk = catalog.disk();
  const Result<std::vector<ReplicaShell>> shells = catalog.LoadShells();
  if (!shells) return shells.error();
  const Result<std::vector<ReplicaKey>> rows = disk.ListRows();
  if (!rows) return rows.error();
  Status done;
  for (std::size_t i = 0; done && i < rows->size(); ++i) done = disk.RemoveRows((*rows)[i]);
  for (const ReplicaKey& key : disk.log().Replicas()) disk.log().Forget(key);
  for (std::size_t i = 0; done && i < shells->size(); ++i) {
    SOMETIMES(unfinished_founding_cleared);
    done = catalog.DropShell((*shells)[i].key);
  }
  return done;
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

Boot::Boot(NodeShared& node, Catalogs& catalogs, Done done)
    : node_(&node),
      catalogs_(&catalogs),
      done_(std::move(done)),
      lost_disk_(node.config.lost_disk) {}

void Boot::Finish(Result<BootResult> result) {
  Done done = std::move(done_);
  done_ = nullptr;
  if (done) done(std::move(result));
}

void Boot::Run() {
  const Result<std::optional<Identity>> identity = LoadIdentity();
  if (!identity) return Finish(identity.error());
  if (*identity) return Rejoin(**identity);
  Begin();
}

// A disk that refuses is taken out; the node goes on with the others.
void Boot::OnEachDisk(const std::function<Status(Catalog&)>& step) {
  for (Catalog* catalog : catalogs_->Working()) {
    const Status done = step(*catalog);
    if (done) continue;
    lost_disk_ = done.error();
    node_->control->OnDiskFailed(catalog->disk(), done.error());
  }
}

// All disks of a node belong to the same node of the same cluster.
Result<std::optional<Identity>> Boot::LoadIdentity() {
  std::optional<Identity> found;
  std::string found_at;
  std::optional<Error> stranger;
  OnEachDisk([&](Catalog& catalog) -> Status {
    const Result<std::optional<Identity>> identity = catalog.LoadIdentity();
    if (!identity) return identity.error();
    const std::string& path = catalog.disk().path();
    if (found && *identity && !(**identity == *found)) {
      stranger =
          Error(Errc::kWrongCluster, path + " belongs to another node or cluster than " + found_at);
    } else if (*identity) {
      found = *identity;
      found_at = path;
    }
    return {};
  });
  if (stranger) return *stranger;
  return found;
}

void Boot::Rejoin(const Identity& identity) {
  std::optional<ShardMap> newest;
  OnEachDisk([&](Catalog& catalog) -> Status {
    Result<std::optional<ShardMap>> map = catalog.LoadMap();
    if (!map) return map.error();
    if (*map && (!newest || newest->version < (*map)->version)) newest = std::move(*map);
    return {};
  });
  const bool served = newest.has_value();
  // A disk may be missing only if the node served before: else it may be a founder whose shells lie
  // on that disk.
  if (lost_disk_ && (!served || catalogs_->Working().empty())) return Finish(*lost_disk_);
  OnEachDisk([&](Catalog& catalog) { return Adopt(catalog, identity, served); });
  if (catalogs_->Working().empty()) return Finish(*lost_disk_);
  Finish(BootResult{identity, std::move(newest)});
}

// A new disk of a node that has served holds nothing of it.
Status Boot::Adopt(Catalog& catalog, const Identity& identity, bool served) {
  const Result<std::optional<Identity>> known = catalog.LoadIdentity();
  if (!known) return known.error();
  if (*known) return {};
  if (served) {
    const Status cleared = Clear(catalog);
    if (!cleared) return cleared;
  }
  return catalog.SaveIdentity(identity);
}

// ---- a node that never was ----

// Without an identity nothing on the disks was ever acknowledged: it is what a founder left that
// was cut off. It must go before this node becomes another one, or its shells would be opened.
void Boot::Begin() {
  if (lost_disk_) return Finish(*lost_disk_);
  for (Catalog* catalog : catalogs_->Working()) {
    const Status cleared = Clear(*catalog);
    if (!cleared) return Finish(cleared.error());
  }
  if (node_->config.join.empty()) return Found();
  if (node_->config.bootstrap_expect > 0) return Gather();
  Join(0);
}

Status Boot::SaveIdentity(const Identity& identity) {
  for (Catalog* catalog : catalogs_->Working()) {
    const Status saved = catalog->SaveIdentity(identity);
    if (!saved) return saved;
  }
  return {};
}

// Shells first, identity last: a crash in between leaves a directory without identity.
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

// Shard i on disk i modulo their number, as rebalance::BootstrapDisk says.
Status Boot::WriteFoundersShells(NodeId node) {
  const std::vector<Catalog*> disks = catalogs_->Working();
  Status written = disks.front()->SaveShell({{kPlacementShard, ReplicaId{1}}, Genesis(node), {}});
  for (std::uint32_t shard = 0; written && shard < node_->config.shards; ++shard) {
    Catalog& disk = *disks[shard % disks.size()];
    written = disk.SaveShell({{ShardId{shard}, ReplicaId{1}}, Genesis(node), {}});
  }
  return written;
}

void Boot::Gather() {
  std::make_shared<Gathering>(*node_, [self = shared_from_this()](Result<Gathering::Part> part) {
    if (!part) return self->Finish(part.error());
    *part == Gathering::Part::kFounder ? self->Found() : self->Join(0);
  })->Run();
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
  if (node_->stopping) return Finish(Error(Errc::kShuttingDown, "stopped while joining"));
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
    SOMETIMES(boot_join_asked_again);
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
