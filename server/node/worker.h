// One worker of a node: the hosts of its shards, the door to them, and what leaves at the end of a
// turn. Everything runs on its executor unless it says "any thread".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "kv/api/caller.h"
#include "kv/base/histogram.h"
#include "server/node/catalog.h"
#include "server/node/host_env.h"
#include "server/node/shard_host.h"
#include "server/node/snapshot_server.h"

namespace decree::node {

struct NodeShared;

class Worker : public HostEnv {
 public:
  Worker(NodeShared& node, Executor& executor);
  ~Worker() override;

  // ---- any thread ----
  Executor& executor() override { return *executor_; }
  void Deliver(std::vector<consensus::Envelope> envelopes);
  void Dispatch(NodeId from, RpcRequest request, RpcReply reply);

  // ---- this worker ----
  // Opening rows waits for the disk, and is done on one of its threads. A host that is open stays
  // as it is. `room` may be null.
  void OpenReplica(store::Disk& disk, const ReplicaShell& shell, std::shared_ptr<SpacePromise> room,
                   std::function<void(Status)> done);
  void CloseReplica(ReplicaKey key);
  void CloseAll();  // for good: nothing is opened or sent any more
  void CloseDisk(const store::Disk& disk);
  // A host that has closed for a failure may have no rows any more: nobody finds it.
  std::shared_ptr<ShardHost> Find(ReplicaKey key) const;
  // The replica of the shard that leads, else any; null if there is none.
  std::shared_ptr<ShardHost> FindShard(ShardId shard) const;
  void ForEach(const std::function<void(ShardHost&)>& visit) const;
  // Replicas that sleep under a leader there may have lost it: they wake, staggered.
  void WakeSleepersOf(NodeId leader);
  Caller& caller() { return *caller_; }
  // From arrival to answer of some reads and writes since the last call.
  Histogram TakeLatencies();

  // ---- HostEnv ----
  NodeId node() const override;
  const NodeConfig& config() const override;
  std::uint64_t map_version() const override;
  KeptLog& kept_log() override;
  MoveGate& move_gate(const store::Disk& disk) override;
  std::shared_ptr<SpaceLedger> space_ledger(const store::Disk& disk) override;
  void Send(consensus::Envelope envelope) override;
  void Call(NodeId to, Channel channel, RpcRequest request, RpcReply reply) override;
  void Wake(ShardHost& host, Instant when) override;
  void HostChanged(ShardHost& host) override;
  void HostFailed(ShardHost& host, const Error& error) override;

 private:
  class NodeCourier;

  Status OnRowsOpened(store::Disk& disk, const ReplicaShell& shell,
                      const std::shared_ptr<SpacePromise>& room, ShardHost::Rows rows);
  void CallHere(RpcRequest request, RpcReply reply);
  void Receive(std::vector<consensus::Envelope>&& envelopes);
  void Handle(RpcRequest&& request, RpcReply&& reply);
  void Time(Instant arrived, RpcReply& reply);
  void HandleStatus(const RpcRequest& request, const RpcReply& reply);
  void FlushOutbox();
  void ArmTimer(Instant when);
  void OnTimer();

  NodeShared* node_;
  Executor* executor_;
  std::map<ReplicaKey, std::shared_ptr<ShardHost>> hosts_;
  std::set<std::pair<Instant, ReplicaKey>> wakes_;
  std::map<ReplicaKey, Instant> wake_of_;
  std::set<ReplicaKey> waking_;  // that WakeSleepersOf has not woken yet
  Instant timer_ = kNever;
  std::vector<consensus::Envelope> outbox_;
  bool flush_posted_ = false;
  bool closed_ = false;
  std::set<const store::Disk*> closed_disks_;
  const std::shared_ptr<bool> life_ = std::make_shared<bool>(true);  // of this object
  std::uint64_t requests_ = 0;
  Histogram latencies_;
  SnapshotServer snapshots_;
  std::unique_ptr<NodeCourier> courier_;
  std::unique_ptr<Caller> caller_;
};

}  // namespace decree::node
