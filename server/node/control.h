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
#include "server/node/catalog.h"
#include "server/node/log_relief.h"
#include "server/node/node_rpc.h"
#include "server/node/node_shared.h"
#include "server/node/placement_desk.h"
#include "server/node/placement_link.h"
#include "server/node/reporter.h"

namespace decree::node {

class Control {
 public:
  explicit Control(NodeShared& node);
  ~Control();

  static bool Owns(Method method);           // any thread
  static MachineFactory PlacementFactory();  // any thread

  void Start(std::function<void(Status)> ready);
  void Stop(Duration grace, std::function<void()> done);
  void Handle(NodeId from, RpcRequest&& request, RpcReply&& reply);
  void Admin(NodeId from, AdminRequest&& request, RpcReply&& reply);

  std::shared_ptr<const ShardMap> map() const { return map_; }
  void OfferMap(ShardMap map);
  PlacementLink& link() { return link_; }
  ReplicaId Tombstone(ShardId shard);
  bool DiskFailed(const store::Disk& disk) const { return failed_.count(&disk) > 0; }

  // ---- from workers ----
  void OnPlacementHost(ShardHost& host);
  void OnDiskFailed(store::Disk& disk, const Error& error);

 private:
  using Opened = std::function<void(Status)>;

  void OnBooted(Result<BootResult> boot);
  void OpenReplicas(Opened done);
  Result<std::vector<std::pair<Catalog*, ReplicaShell>>> LoadReplicas();
  static void ForgetStrangers(Catalog& catalog,
                              const std::vector<std::pair<Catalog*, ReplicaShell>>& replicas);
  void Serve();
  void FinishStart(Status status);
  void ProposeBootstrap();
  void HandleJoin(NodeId from, RpcRequest&& request, RpcReply&& reply);
  void RegisterJoiner(const JoinRequest& join, RpcReply&& reply);
  void HandleCreate(const CreateReplica& create, RpcReply&& reply);
  void HandleDestroy(const DestroyReplica& destroy, RpcReply&& reply);
  void HandleReport(RpcRequest&& request, RpcReply&& reply);
  Catalog* CatalogOf(ReplicaKey key);
  Catalog* CatalogOf(Incarnation disk);
  void RemoveReplica(Catalog& catalog, ReplicaKey key, Opened done);
  void AwaitHandover(Instant deadline, std::function<void()> done);
  void CloseWorkers(std::function<void()> done);
  // The placement replica on this node if it leads, else null.
  std::shared_ptr<ShardHost> PlacementLeaderHost();
  RpcResponse PlacementRefusal();

  NodeShared* node_;
  std::vector<Catalog> catalogs_;
  std::function<void(Status)> ready_;
  Identity identity_;
  std::shared_ptr<const ShardMap> map_;
  PlacementLink link_;
  Reporter reporter_;
  LogRelief relief_;
  PlacementDesk desk_;
  bool bootstrap_proposed_ = false;
  std::set<const store::Disk*> failed_;
};

}  // namespace decree::node
