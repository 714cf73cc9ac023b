// A cluster of simulated machines, and the words in which scenarios are told: add, crash, boot,
// cut, put, get, move, expect.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rebalance/move.h"
#include "tests/sim/atlas.h"
#include "tests/sim/executor.h"
#include "tests/sim/machine.h"

namespace decree::sim {

struct ClusterOptions {
  NetworkOptions network;
  DiskTimes disk_times;
  std::uint32_t shards = 4;
  std::uint32_t replicas = 3;
  std::size_t workers = 1;
  std::size_t disks = 1;
  Storage storage = Storage::kMemory;
  std::int64_t max_drift_ppm = 0;
  std::int64_t max_wall_skew_ms = 0;
  Hops hops;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
  std::uint64_t flush_bytes = std::uint64_t{4} << 20;
  std::uint64_t kept_log_bytes = node::NodeConfig{}.kept_log_bytes;
  std::size_t max_open_batches = node::NodeConfig{}.max_open_batches;
  std::uint64_t catch_up_gap = node::NodeConfig{}.catch_up_gap;
  Duration fetch_hold = node::NodeConfig{}.fetch_hold;
  std::uint64_t inline_snapshot_bytes = node::NodeConfig{}.inline_snapshot_bytes;
  bool snapshots_from_followers = node::NodeConfig{}.snapshots_from_followers;
  store::SessionLimits sessions;
  consensus::Options consensus;
  bool mixed_leases = false;  // on or off at each machine, for one life
};

struct ClusterFacts {
  std::uint64_t moves_active = 0;
  std::uint64_t under_replicated = 0;
  std::uint64_t leaderless = 0;
  std::uint64_t nodes_up = 0;
};

class Cluster {
 public:
  Cluster(World& world, ClusterOptions options);

  World& world() { return world_; }
  Network& network() { return network_; }
  Atlas& atlas() { return atlas_; }
  const ClusterOptions& options() const { return options_; }

  // A new machine, booted: the first founds the cluster, the others join it.
  Machine& Add();
  MachineId size() const { return static_cast<MachineId>(machines_.size()); }
  Machine& node(MachineId id) { return *machines_.at(id - 1); }
  std::vector<MachineId> Up();  // started, not stopping, not paused
  std::optional<MachineId> AnyUp() { return AnyUp(world_.random()); }
  std::optional<MachineId> AnyUp(Random& random);
  std::vector<MachineId> Members();  // all that were not retired
  void BootAll();

  bool WaitReady(Nanos at_most);  // all members serve
  // No move is under way and every shard has its copies; `problem` says what is missing.
  bool WaitSettled(Nanos at_most, std::string* problem);

  // ---- one request, at the door of one machine; runs the world until it is answered ----
  std::optional<RpcResponse> Ask(MachineId at, RpcRequest request);  // as over the native protocol
  OperationResult Do(MachineId at, Operation operation);
  OperationResult Put(MachineId at, const std::string& key, const std::string& value,
                      Duration timeout = 2s);
  OperationResult Get(MachineId at, const std::string& key, Duration timeout = 2s);
  std::optional<AdminResponse> Admin(MachineId at, const std::string& method,
                                     const std::string& target, const std::string& body = "");
  std::optional<ClusterFacts> Facts(MachineId at);
  std::optional<rebalance::ReplicaStatus> Status(MachineId at, ShardId shard);
  // The machine that leads a shard, by its own word; none for now: empty.
  std::optional<MachineId> LeaderOf(ShardId shard);
  // Stage names of all moves, counted.
  std::map<std::string, std::uint64_t> MoveStages();

  // Without waiting: the callback runs on a worker of that machine, or never if it dies.
  void Start(MachineId at, Operation operation, OperationCallback done);
  void StartAdmin(MachineId at, AdminRequest request, std::function<void(AdminResponse)> done);

  // Some key of the shard.
  std::string KeyOf(ShardId shard, const std::string& prefix = "k") const;

 private:
  World& world_;
  ClusterOptions options_;
  Network network_;
  Atlas atlas_;
  std::vector<std::unique_ptr<Machine>> machines_;
};

}  // namespace decree::sim
