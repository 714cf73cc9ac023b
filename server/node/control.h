// The control part of a node: who it is, the shard map, its replicas' birth and death, reports to
// the placement leader, and the placement leader's work while this node leads that group. Worker 0
// only, unless it says "any thread".
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "kv/api/shard_map.h"
#include "server/node/boot.h"
#include "server/node/catalogs.h"
#include "server/node/cluster_search.h"
#include "server/node/log_relief.h"
#include "server/node/node_rpc.h"
#include "server/node/node_shared.h"
#include "server/node/placement_desk.h"
#include "server/node/placement_link.h"
#include "server/node/relay.h"
#include "server/node/reporter.h"

namespace decree::node {

class Control {
 public:
  explicit Control(NodeShared& node);
  ~Control();

  static bool Owns(Method method);           // any thread
  static MachineFactory PlacementFactory();  // any thread

  void Start(std::function<void(Status)> ready);
  void HandOver(Duration grace, std::function<void()> done);
  void Stop(Duration grace, std::function<void()> done);
  void Handle(NodeId from, RpcRequest&& request, RpcReply&& reply);

  std::shared_ptr<const ShardMap> map() const { return map_; }
  void OfferMap(ShardMap map);
  void SetAddresses();  // tells the transport where the nodes are
  PlacementLink& link() { return link_; }
  Relay& relay() { return relay_; }
  ReplicaId Tombstone(ShardId shard) { return catalogs_.Tombstone(shard); }
  bool DiskFailed(const store::Disk& disk) const { return catalogs_.Failed(disk); }

  // ---- from workers ----
  void OnPlacementHost();  // a replica of the placement group on this node changed
  void OnDiskFailed(store::Disk& disk, const Error& error);
  // A replica met kBusy (store/disk.h) where it cannot go on: it starts again after a while.
  void OnReplicaBusy(store::Disk& disk, ReplicaKey key, const Error& error);

 private:
  using Opened = std::function<void(Status)>;

  void OnBooted(Result<BootResult> boot);
  void OpenReplicas();
  void OnReplicasOpened();
  // `room`: what its disk has promised; may be null.
  void OpenReplica(const Resident& resident, std::shared_ptr<SpacePromise> room, Opened done);
  void OnUnopened(store::Disk& disk, const Error& error);
  void ServeIfReady();
  void FinishStart(Status status);
  void ProposeBootstrap();
  void HandleMap(NodeId from, const RpcRequest& request, const RpcReply& reply);
  void HandleAdmin(NodeId from, RpcRequest&& request, RpcReply&& reply);
  void HandleJoin(NodeId from, RpcRequest&& request, RpcReply&& reply);
  void RegisterJoiner(const JoinRequest& join, RpcReply&& reply);
  void HandleCreate(const CreateReplica& create, RpcReply&& reply);
  void HandleDestroy(const DestroyReplica& destroy, RpcReply&& reply);
  void HandleReport(RpcRequest&& request, RpcReply&& reply);
  void RemoveReplica(Catalog& catalog, ReplicaKey key, Opened done);
  void EraseData(Catalog& catalog, ReplicaKey key, Opened done);
  void EraseLater(Catalog& catalog, ReplicaKey key, const Error& why);
  void Reopen(store::Disk& disk, ReplicaKey key);
  void AwaitHandover(Instant deadline, std::function<void()> done);
  void AwaitCallers(Instant deadline, std::function<void()> done);
  void CloseWorkers(std::function<void()> done);
  // The placement replica of this node that leads, else null.
  std::shared_ptr<ShardHost> PlacementLeaderHost();
  RpcResponse PlacementRefusal();

  NodeShared* node_;
  Catalogs catalogs_;
  std::function<void(Status)> ready_;
  Identity identity_;
  std::shared_ptr<const ShardMap> map_;
  Relay relay_;
  PlacementLink link_;
  Reporter reporter_;
  LogRelief relief_;
  ClusterSearch search_;
  PlacementDesk desk_;
  std::multiset<ReplicaKey> opening_;  // asked of their workers, not answered yet
  bool opened_ = false;                // the replicas on the disks
  bool bootstrap_proposed_ = false;
};

}  // namespace decree::node
