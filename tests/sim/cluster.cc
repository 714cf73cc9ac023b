#include "tests/sim/cluster.h"

#include <boost/json.hpp>
#include <utility>

#include "kv/api/shard_map.h"
#include "server/node/node_rpc.h"

namespace decree::sim {

Cluster::Cluster(World& world, ClusterOptions options)
    : world_(world), options_(std::move(options)), network_(world, options_.network) {
  // The files of RocksDB name themselves by real randomness (session ids).
  network_.options().opaque_bulk = options_.storage == Storage::kFiles;
}

Machine& Cluster::Add() {
  MachineOptions machine;
  machine.id = size() + 1;
  machine.workers = options_.workers;
  machine.disks = options_.disks;
  machine.storage = options_.storage;
  machine.disk_times = options_.disk_times;
  machine.hops = options_.hops;
  machine.log_goal_bytes = options_.log_goal_bytes;
  machine.clock.drift_ppm = world_.Between(0, 2 * options_.max_drift_ppm) - options_.max_drift_ppm;
  machine.clock.wall_offset_ms =
      world_.Between(0, 2 * options_.max_wall_skew_ms) - options_.max_wall_skew_ms;
  machine.atlas = &atlas_;
  machine.config.shards = options_.shards;
  machine.config.replicas = options_.replicas;
  machine.config.consensus = options_.consensus;
  machine.mixed_leases = options_.mixed_leases;
  machine.config.flush_bytes = options_.flush_bytes;
  machine.config.kept_log_bytes = options_.kept_log_bytes;
  machine.config.max_open_batches = options_.max_open_batches;
  machine.config.catch_up_gap = options_.catch_up_gap;
  machine.config.fetch_hold = options_.fetch_hold;
  machine.config.inline_snapshot_bytes = options_.inline_snapshot_bytes;
  machine.config.snapshots_from_followers = options_.snapshots_from_followers;
  machine.config.sessions = options_.sessions;
  for (MachineId id = 1; id <= size(); ++id) machine.config.join.push_back(AddressOf(id));
  machines_.push_back(std::make_unique<Machine>(world_, network_, std::move(machine)));
  machines_.back()->Boot();
  return *machines_.back();
}

std::vector<MachineId> Cluster::Up() {
  std::vector<MachineId> up;
  for (const auto& machine : machines_) {
    if (machine->started() && !machine->stopping() && !machine->paused()) {
      up.push_back(machine->id());
    }
  }
  return up;
}

std::optional<MachineId> Cluster::AnyUp(Random& random) {
  const std::vector<MachineId> up = Up();
  if (up.empty()) return std::nullopt;
  return up[random.Below(up.size())];
}

std::vector<MachineId> Cluster::Members() {
  std::vector<MachineId> members;
  for (const auto& machine : machines_) {
    if (!machine->retired()) members.push_back(machine->id());
  }
  return members;
}

void Cluster::BootAll() {
  for (const auto& machine : machines_) machine->Boot();
}

bool Cluster::WaitReady(Nanos at_most) {
  const Nanos end = world_.now() + at_most;
  for (;;) {
    bool all = true;
    for (const MachineId id : Members()) all = all && node(id).started() && node(id).core().ready();
    if (all) return true;
    if (world_.now() >= end) return false;
    world_.RunFor(20 * kMillis);
  }
}

bool Cluster::WaitSettled(Nanos at_most, std::string* problem) {
  const Nanos end = world_.now() + at_most;
  for (;;) {
    if (const std::optional<MachineId> at = AnyUp()) {
      const std::optional<ClusterFacts> facts = Facts(*at);
      if (!facts) {
        *problem = "node " + std::to_string(*at) + " does not tell the state of the cluster";
      } else if (facts->moves_active + facts->under_replicated + facts->leaderless == 0 &&
                 facts->nodes_up == Members().size()) {
        return true;
      } else {
        *problem = std::to_string(facts->moves_active) + " moves active, " +
                   std::to_string(facts->under_replicated) + " shards under-replicated, " +
                   std::to_string(facts->leaderless) + " leaderless, " +
                   std::to_string(facts->nodes_up) + " nodes up, says node " + std::to_string(*at);
      }
    }
    if (world_.now() >= end) return false;
    world_.RunFor(200 * kMillis);
  }
}

void Cluster::Start(MachineId at, Operation operation, OperationCallback done) {
  Machine& machine = node(at);
  const std::size_t worker = world_.random().Below(machine.workers());
  node::NodeCore* core = &machine.core();
  machine.worker(worker).Post(
      [core, worker, operation = std::move(operation), done = std::move(done)] {
        core->caller(worker).Start(operation, done);
      });
}

void Cluster::StartAdmin(MachineId at, AdminRequest request,
                         std::function<void(AdminResponse)> done) {
  if (!node(at).up()) return;
  node(at).core().Admin(std::move(request), 5s, std::move(done));
}

OperationResult Cluster::Do(MachineId at, Operation operation) {
  auto answer = std::make_shared<std::optional<OperationResult>>();
  const Nanos slack = operation.timeout.count() + 3 * kSeconds;
  if (!node(at).up()) return {.code = Errc::kUnavailable, .detail = "the machine is off"};
  Start(at, std::move(operation), [answer](OperationResult result) { *answer = result; });
  world_.RunUntil([answer] { return answer->has_value(); }, slack);
  if (*answer) return **answer;
  return {.code = Errc::kOutcomeUnknown, .detail = "never answered"};
}

OperationResult Cluster::Put(MachineId at, const std::string& key, const std::string& value,
                             Duration timeout) {
  Operation put;
  put.kind = OperationKind::kPut;
  put.key = key;
  put.value = value;
  put.timeout = timeout;
  return Do(at, put);
}

OperationResult Cluster::Get(MachineId at, const std::string& key, Duration timeout) {
  Operation get;
  get.key = key;
  get.timeout = timeout;
  return Do(at, get);
}

std::optional<AdminResponse> Cluster::Admin(MachineId at, const std::string& method,
                                            const std::string& target, const std::string& body) {
  auto answer = std::make_shared<std::optional<AdminResponse>>();
  StartAdmin(at, {method, target, body}, [answer](AdminResponse response) { *answer = response; });
  world_.RunUntil([answer] { return answer->has_value(); }, 10 * kSeconds);
  return *answer;
}

std::optional<ClusterFacts> Cluster::Facts(MachineId at) {
  const std::optional<AdminResponse> answer = Admin(at, "GET", "/v1/admin/cluster");
  if (!answer || answer->status != 200) return std::nullopt;
  const boost::json::value json = boost::json::parse(answer->body);
  const auto number = [&json](const char* name) {
    return json.at(name).to_number<std::uint64_t>();
  };
  return ClusterFacts{number("moves_active"), number("shards_under_replicated"),
                      number("shards_leaderless"), number("nodes_up")};
}

std::map<std::string, std::uint64_t> Cluster::MoveStages() {
  std::map<std::string, std::uint64_t> stages;
  const std::optional<MachineId> at = AnyUp();
  if (!at) return stages;
  const std::optional<AdminResponse> answer = Admin(*at, "GET", "/v1/admin/moves");
  if (!answer || answer->status != 200) return stages;
  const boost::json::value json = boost::json::parse(answer->body);
  for (const boost::json::value& move : json.at("moves").as_array()) {
    ++stages[move.at("stage").as_string().c_str()];
  }
  return stages;
}

std::optional<RpcResponse> Cluster::Ask(MachineId at, RpcRequest request) {
  if (!node(at).up()) return std::nullopt;
  auto answer = std::make_shared<std::optional<RpcResponse>>();
  node(at).core().OnRequest(node(at).core().id(), std::move(request),
                            [answer](RpcResponse response) { *answer = response; });
  world_.RunUntil([answer] { return answer->has_value(); }, 3 * kSeconds);
  return *answer;
}

std::optional<rebalance::ReplicaStatus> Cluster::Status(MachineId at, ShardId shard) {
  const node::StatusRequest body{{shard, ReplicaId{}}};
  const auto answer = Ask(at, {Method::kReplicaStatus, shard, 1000, Encode(body)});
  if (!answer || answer->code != Errc::kOk) return std::nullopt;
  auto status = Decode<rebalance::ReplicaStatus>(answer->body);
  if (!status) return std::nullopt;
  return *status;
}

std::optional<MachineId> Cluster::LeaderOf(ShardId shard) {
  for (const MachineId id : Up()) {
    const auto status = Status(id, shard);
    if (status && status->leader) return id;
  }
  return std::nullopt;
}

std::string Cluster::KeyOf(ShardId shard, const std::string& prefix) const {
  for (int i = 0;; ++i) {
    std::string key = prefix + std::to_string(i);
    if (ShardOf(key, options_.shards) == shard) return key;
  }
}

}  // namespace decree::sim
