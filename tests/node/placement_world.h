// A cluster as the placement leader sees it, in virtual time: a placement state that applies what
// is proposed, and nodes that answer calls from a small model of shards whose membership changes by
// the rules of consensus::Advance. Which replicas live and which must not come back the nodes
// remember as real ones do, on disks in memory.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "consensus/decree.h"
#include "host_cluster.h"
#include "kv/store/mem_disk.h"
#include "server/node/catalogs.h"
#include "server/node/node_rpc.h"
#include "server/node/placement_port.h"

namespace decree::node {

struct ModelShard {
  consensus::Config config;
  ReplicaId leader;
  Slot chosen{10};
  Epoch started{1};
  std::map<ReplicaId, NodeId> alive;
  std::set<ReplicaId> with_rows;
  std::map<ReplicaId, std::string> problems;  // what keeps a replica from getting any rows
  std::vector<Slot> marks;
};

struct ModelNode {
  std::map<Incarnation, std::unique_ptr<store::MemDisk>> disks;

  Catalogs Open() const {
    std::vector<store::Disk*> all;
    for (const auto& [incarnation, disk] : disks) all.push_back(disk.get());
    return Catalogs(all);
  }
};

class PlacementWorld : public PlacementPort {
 public:
  explicit PlacementWorld(std::uint32_t shards = 2, std::uint32_t replicas = 3) {
    rebalance::Bootstrap bootstrap{ClusterId{5}, shards, replicas, Record(1)};
    Apply(bootstrap);
    for (std::uint32_t i = 0; i < shards; ++i) FoundShard(ShardId{i});
    FoundShard(kPlacementShard);
  }

  static rebalance::NodeRecord Record(std::uint32_t node) {
    rebalance::NodeRecord record;
    record.id = node == 1 ? NodeId{1} : NodeId{};
    record.name = "n" + std::to_string(node);
    record.rpc = "rpc-" + std::to_string(node);
    record.http = "http-" + std::to_string(node);
    record.disks = {
        {Incarnation{node * 10}, "/disk", std::uint64_t{1} << 40, rebalance::DiskState::kOk}};
    return record;
  }
  NodeId Join(std::uint32_t node) {
    return NodeId{static_cast<std::uint32_t>(Apply(rebalance::RegisterNode{Record(node)}).version)};
  }
  CommandResult Apply(rebalance::PlacementChange change) {
    slot_ = slot_.Next();
    return state_.Apply(slot_, Time(), {NodeId{1}, std::move(change)});
  }
  MoveId Start(ShardId shard, ReplicaId source, NodeId to, Incarnation to_disk = {}) {
    rebalance::StartMove start;
    start.to_disk = to_disk;
    start.shard = shard;
    start.epoch = state_.Shard(shard)->entry.epoch;
    start.source = source;
    start.to = to;
    const CommandResult result = Apply(start);
    EXPECT_EQ(result.code, Errc::kOk) << result.detail;
    return MoveId{result.version};
  }
  const rebalance::MoveRecord& Move(MoveId id) const { return *state_.Move(id); }
  bool Ended(MoveId id) const { return rebalance::IsFinal(Move(id).stage); }
  ModelShard& shard(ShardId id) { return shards_.at(id); }
  ReplicaId Tombstone(NodeId node, ShardId shard) { return Home(node).Open().Tombstone(shard); }
  Incarnation AddDisk(NodeId node) {
    rebalance::NodeRecord record = *state_.Node(node);
    const Incarnation disk{record.disks.back().incarnation.value + 1};
    record.disks.push_back({disk, "/disk2", std::uint64_t{1} << 40, rebalance::DiskState::kOk});
    Apply(rebalance::RegisterNode{record});
    return disk;
  }
  // What lives on a node after a crash is what its disks say.
  void Restart(NodeId node) {
    for (auto& [id, shard] : shards_) {
      std::erase_if(shard.alive, [node](const auto& replica) { return replica.second == node; });
    }
    Catalogs catalogs = Home(node).Open();
    for (Catalog* disk : catalogs.Working()) {
      for (const Resident& resident : *Catalogs::Load(*disk)) {
        shards_.at(resident.shell.key.shard).alive[resident.shell.key.replica] = node;
      }
    }
  }
  VirtualExecutor& clock() { return executor_; }

  // What a healthy node reports: the replicas that live on it.
  NodeReport Report(NodeId node) const {
    NodeReport report;
    report.node = *state_.Node(node);
    for (const auto& disk : report.node.disks) {
      report.disks.push_back({disk.incarnation, disk.capacity_bytes, 1000, false});
    }
    for (const auto& [id, shard] : shards_) {
      for (const auto& [replica, home] : shard.alive) {
        if (home != node) continue;
        ReplicaReport said;
        said.key = {id, replica};
        said.leader = replica == shard.leader;
        said.voter = shard.config.IsVoter(replica);
        said.epoch = shard.config.epoch;
        said.applied = shard.chosen;
        said.keys = 7;
        said.bytes = 700;
        said.ops_per_s = 1.5;
        report.replicas.push_back(said);
      }
    }
    return report;
  }

  // ---- faults ----
  std::set<NodeId> down;                 // do not answer
  std::optional<CreateReplica> created;  // the last one that was asked for
  std::set<ReplicaId> corrupted;         // digest something else
  std::map<ReplicaId, FetchPace> paces;  // what targets were told last
  double loss = 0;                 // this share of the calls is lost, half of them after they ran
  std::set<Method> ignored;        // answered kOk, and nothing happens
  std::set<ChangeKind> refused;    // changes of members that the shard's leader cannot begin
  bool leading = true;             // else proposals are refused
  std::int64_t wall_ahead_ms = 0;  // of replicated time

  // A node answers no more, and what it led is led by another voter.
  void GoDown(NodeId node) {
    down.insert(node);
    for (auto& [id, shard] : shards_) {
      for (const auto& voter : shard.config.voters) {
        if (Leads(node, shard)) shard.leader = voter.id;
      }
    }
  }
  // A node's first disk fails, and the node says so: what it held is silent.
  void FailDisk(NodeId node) {
    rebalance::NodeRecord record = *state_.Node(node);
    record.disks.front().state = rebalance::DiskState::kFailed;
    Apply(rebalance::RegisterNode{record});
    for (auto& [id, shard] : shards_) {
      std::erase_if(shard.alive, [node](const auto& replica) { return replica.second == node; });
    }
  }

  // ---- what happened ----
  std::vector<Method> calls;
  std::size_t most_changes_at_once = 0;
  std::size_t lost_answers = 0;
  std::vector<std::string> log;

  // ---- PlacementPort ----
  Executor& executor() override { return executor_; }
  NodeId self() const override { return NodeId{1}; }
  WallMs Time() override { return executor_.WallNow() - static_cast<WallMs>(wall_ahead_ms); }
  const NodeConfig& config() const override { return config_; }
  const rebalance::PlacementState* state() override { return &state_; }
  void Propose(rebalance::PlacementChange change,
               std::function<void(CommandResult)> done) override {
    executor_.RunAt(executor_.Now() + 2ms, [this, change = std::move(change), done] {
      CommandResult refused;
      refused.code = Errc::kNotLeader;
      done(leading ? Apply(change) : refused);
    });
  }
  void CallNode(NodeId to, RpcRequest request, RpcReply reply) override {
    const bool lost = loss > 0 && random_.Chance(loss);
    if (down.contains(to) || lost) {
      if (lost && random_.Chance(0.5)) {  // only the answer is lost
        ++lost_answers;
        executor_.RunAt(executor_.Now() + 1ms, [this, to, request] { Answer(to, request); });
      }
      const milliseconds timeout(request.timeout_ms);
      executor_.RunAt(executor_.Now() + timeout, [reply] {
        RpcResponse response;
        response.code = Errc::kOutcomeUnknown;
        reply(std::move(response));
      });
      return;
    }
    if (request.method != Method::kReplicaStatus) calls.push_back(request.method);
    const bool change = request.method == Method::kChangeMembers;
    changes_ += change;
    most_changes_at_once = std::max(most_changes_at_once, changes_);
    executor_.RunAt(executor_.Now() + 1ms, [this, to, request, reply, change] {
      RpcResponse response = Answer(to, request);
      executor_.RunAt(executor_.Now() + 1ms, [this, reply, response, change] {
        changes_ -= change;
        reply(response);
      });
    });
  }
  void Log(LogLevel level, std::string_view line) override {
    if (level >= LogLevel::kInfo) log.emplace_back(line);  // what an operator is shown
  }

 private:
  void FoundShard(ShardId id) {
    ModelShard& shard = shards_[id];
    shard.config.epoch = Epoch{1};
    shard.config.voters = {{ReplicaId{1}, NodeId{1}}};
    shard.leader = ReplicaId{1};
    shard.alive[ReplicaId{1}] = NodeId{1};
    shard.with_rows.insert(ReplicaId{1});
    const ReplicaShell shell{{id, ReplicaId{1}}, shard.config, {}};
    EXPECT_TRUE(Home(NodeId{1}).Open().Working().front()->SaveShell(shell));
  }
  ModelNode& Home(NodeId node) {
    ModelNode& home = homes_[node];
    for (const rebalance::DiskRecord& disk : state_.Node(node)->disks) {
      std::unique_ptr<store::MemDisk>& known = home.disks[disk.incarnation];
      store::MemDiskOptions options;
      options.incarnation = disk.incarnation;
      if (!known) known = std::make_unique<store::MemDisk>(std::move(options));
    }
    return home;
  }

  RpcResponse Answer(NodeId node, const RpcRequest& request) {
    ModelShard& shard = shards_.at(request.shard);
    if (ignored.contains(request.method)) return Say(Errc::kOk);
    switch (request.method) {
      case Method::kReplicaStatus: {
        const auto asked = Decode<StatusRequest>(request.body);
        if (asked->pace) paces[asked->key.replica] = *asked->pace;
        return Status(node, shard, asked->key);
      }
      case Method::kCreateReplica:
        return Create(node, shard, *Decode<CreateReplica>(request.body));
      case Method::kDestroyReplica:
        return Destroy(node, shard, Decode<DestroyReplica>(request.body)->key);
      case Method::kChangeMembers:
        return Change(node, shard, *Decode<ChangeMembers>(request.body));
      default:
        return Mark(node, shard);
    }
  }
  static RpcResponse Say(Errc code) {
    RpcResponse response;
    response.code = code;
    return response;
  }
  RpcResponse Status(NodeId node, const ModelShard& shard, ReplicaKey key) {
    const ReplicaId id = key.replica;
    rebalance::ReplicaStatus status;
    status.tombstone = Tombstone(node, key.shard);
    const auto found = shard.alive.find(id);
    if (found != shard.alive.end() && found->second == node) {
      status.exists = true;
      status.leader = id == shard.leader;
      if (shard.config.Find(id)) status.config = shard.config;
      status.chosen = status.durable_chosen = status.applied = shard.chosen;
      status.has_snapshot = shard.with_rows.contains(id);
      status.epoch_started = shard.started >= shard.config.epoch;
      status.snapshot_bytes_total = status.snapshot_bytes_done = status.data_bytes = 700;
      const auto problem = shard.problems.find(id);
      if (problem != shard.problems.end()) status.problem = problem->second;
      const std::string digest = corrupted.contains(id) ? "bad" : "good";
      for (const Slot mark : shard.marks) status.digests.push_back({mark, digest});
    }
    RpcResponse response;
    response.body = Encode(status);
    return response;
  }
  RpcResponse Create(NodeId node, ModelShard& shard, const CreateReplica& create) {
    created = create;
    const auto created =
        Home(node).Open().Create({create.key, {}, create.move}, create.disk,
                                 [](const store::Disk&) -> decree::Status { return {}; });
    if (!created) return Say(created.error().code());
    shard.alive[create.key.replica] = node;
    return Say(Errc::kOk);
  }
  RpcResponse Destroy(NodeId node, ModelShard& shard, ReplicaKey key) {
    EXPECT_FALSE(shard.config.Find(key.replica)) << "a member is never destroyed";
    EXPECT_GE(shard.started, shard.config.epoch);
    Catalogs catalogs = Home(node).Open();
    const auto home = catalogs.Bury(key);
    EXPECT_TRUE(home);
    if (*home) {
      EXPECT_TRUE((*home)->DropShell(key));
    }
    if (const auto found = shard.alive.find(key.replica); found != shard.alive.end()) {
      if (found->second == node) shard.alive.erase(found);
    }
    return Say(Errc::kOk);
  }
  bool Leads(NodeId node, const ModelShard& shard) const {
    const auto leader = shard.alive.find(shard.leader);
    return leader != shard.alive.end() && leader->second == node;
  }
  RpcResponse Mark(NodeId node, ModelShard& shard) {
    if (!Leads(node, shard)) return Say(Errc::kNotLeader);
    shard.chosen = shard.chosen.Next();
    shard.marks.push_back(shard.chosen);
    CommandResult result;
    result.version = shard.chosen.value;
    RpcResponse response;
    response.body = Encode(result);
    return response;
  }
  RpcResponse Change(NodeId node, ModelShard& shard, const ChangeMembers& change) {
    if (!Leads(node, shard)) return Say(Errc::kNotLeader);
    if (change.epoch != shard.config.epoch) return Say(Errc::kConflict);
    if (refused.contains(change.kind)) return Say(Errc::kBusy);
    if (change.kind == ChangeKind::kTransferLeader) {
      EXPECT_TRUE(shard.config.IsVoter(change.member.id));
      shard.leader = change.member.id;
      return Say(Errc::kOk);
    }
    consensus::Decree decree;
    decree.move = change.move;
    decree.member = change.member;
    decree.next_voters = change.next_voters;
    decree.next_learners = change.next_learners;
    decree.kind = change.kind == ChangeKind::kAddLearner ? consensus::DecreeKind::kAddLearner
                  : change.kind == ChangeKind::kRemoveLearner
                      ? consensus::DecreeKind::kRemoveLearner
                      : consensus::DecreeKind::kSeal;
    shard.chosen = shard.chosen.Next();
    shard.config = consensus::Advance(shard.config, shard.chosen, decree);
    AfterChange(shard);
    return Say(Errc::kOk);
  }
  // New learners receive rows after a while; a new epoch starts under a leader of its own after a
  // while.
  void AfterChange(ModelShard& shard) {
    executor_.RunAt(executor_.Now() + 5ms, [&shard] {
      for (const auto& learner : shard.config.learners) {
        const bool gets_rows =
            shard.alive.contains(learner.id) && !shard.problems.contains(learner.id);
        if (gets_rows) shard.with_rows.insert(learner.id);
      }
    });
    if (shard.started == shard.config.epoch) return;
    if (!shard.config.IsVoter(shard.leader)) shard.leader = shard.config.voters.front().id;
    executor_.RunAt(executor_.Now() + 5ms, [&shard] { shard.started = shard.config.epoch; });
  }

  VirtualExecutor executor_;
  NodeConfig config_;
  rebalance::PlacementState state_;
  Slot slot_;
  std::map<ShardId, ModelShard> shards_;
  std::map<NodeId, ModelNode> homes_;
  Random random_{11};
  std::size_t changes_ = 0;
};

}  // namespace decree::node
