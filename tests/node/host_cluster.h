// A few shard hosts on one virtual clock, each on a node of its own with a disk in memory, joined
// by a network that delivers everything at once. Faults are the simulator's business (tests/sim).
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "kv/store/mem_disk.h"
#include "server/node/shard_host.h"
#include "server/node/snapshot_server.h"

namespace decree::node {

class VirtualExecutor : public Executor {
 public:
  void Post(Task task) override { RunAt(now_, std::move(task)); }
  void RunAt(Instant when, Task task) override {
    tasks_.push({std::max(when, now_), ++sequence_, std::make_shared<Task>(std::move(task))});
  }
  Instant Now() override { return now_; }
  WallMs WallNow() override { return 1'700'000'000'000 + now_.ns / 1'000'000 + wall_jump_ms; }
  std::uint64_t RandomWord() override { return random_.Next(); }

  bool RunOne() {
    if (tasks_.empty()) return false;
    const Entry next = tasks_.top();
    tasks_.pop();
    now_ = next.when;
    (*next.task)();
    return true;
  }
  // Runs until the condition holds; false after `limit` of virtual time.
  bool RunUntil(const std::function<bool()>& condition, Duration limit = 20s) {
    const Instant end = now_ + limit;
    while (!condition()) {
      if (tasks_.empty() || tasks_.top().when > end) return false;
      RunOne();
    }
    return true;
  }
  void RunFor(Duration time) {
    const Instant end = now_ + time;
    while (!tasks_.empty() && tasks_.top().when <= end) RunOne();
    now_ = end;
  }

  std::int64_t wall_jump_ms = 0;

 private:
  struct Entry {
    Instant when;
    std::uint64_t sequence;
    std::shared_ptr<Task> task;
    bool operator<(const Entry& other) const {
      return std::pair(when, sequence) > std::pair(other.when, other.sequence);
    }
  };
  std::priority_queue<Entry> tasks_;
  std::uint64_t sequence_ = 0;
  Instant now_{1'000'000'000};
  Random random_{7};
};

class HostCluster;

class HostNode : public HostEnv {
 public:
  HostNode(HostCluster& cluster, NodeId id);
  Executor& executor() override;
  NodeId node() const override { return id_; }
  const NodeConfig& config() const override { return config_; }
  std::uint64_t map_version() const override { return 1; }
  KeptLog& kept_log() override { return kept_log_; }
  MoveGate& move_gate(const store::Disk&) override { return gate; }
  std::shared_ptr<SpaceLedger> space_ledger(const store::Disk&) override { return ledger; }
  void Send(consensus::Envelope envelope) override;
  void Call(NodeId to, Channel channel, RpcRequest request, RpcReply reply) override;
  void Wake(ShardHost& host, Instant when) override;
  void HostChanged(ShardHost&) override {}
  void HostFailed(ShardHost&, const Error& error) override { failure = error; }

  void Handle(const RpcRequest& request, RpcReply reply);
  void OpenReplica(ReplicaId replica, const consensus::Config& genesis);
  void Crash();  // power loss: the host is gone, unsynced writes too

  std::shared_ptr<ShardHost> host;
  std::unique_ptr<store::MemDisk> disk;
  NodeConfig config_;
  MachineFactory factory =
      MachineFactory(store::KvMachine::Open);  // of replicas opened from now on
  MoveGate gate;
  const std::shared_ptr<SpaceLedger> ledger = std::make_shared<SpaceLedger>();
  std::optional<Error> failure;
  bool cut_off = false;
  bool deaf = false;                // hears nothing, but is heard
  Duration background_delay = 1ms;  // of the disk's jobs queued from now on
  int background_jobs = 0;          // so far
  int snapshots_opened = 0;
  int snapshots_read = 0;  // chunks
  bool refuses_snapshots = false;
  bool refuses_chunks = false;
  void ForgetSnapshots() { snapshots_.Clear(); }
  std::size_t snapshots_open() const { return snapshots_.open(); }

 private:
  store::MemDiskOptions DiskOptions();
  HostCluster* cluster_;
  NodeId id_;
  SnapshotServer snapshots_;
  KeptLog kept_log_;
  Instant wake_ = kNever;
};

class HostCluster {
 public:
  static constexpr ShardId kShard{3};

  explicit HostCluster(std::uint32_t nodes) {
    for (std::uint32_t i = 1; i <= nodes; ++i) {
      nodes_[NodeId{i}] = std::make_unique<HostNode>(*this, NodeId{i});
    }
  }
  HostNode& node(std::uint32_t id) { return *nodes_.at(NodeId{id}); }
  std::map<NodeId, std::unique_ptr<HostNode>>& nodes() { return nodes_; }
  VirtualExecutor& executor() { return executor_; }

  std::function<void(const consensus::Envelope&)> on_send;  // sees every message that leaves

  // Replica i on node i, for i in 1..voters.
  consensus::Config Genesis(std::uint32_t voters) const {
    consensus::Config config;
    config.epoch = Epoch{1};
    config.start = Slot{1};
    for (std::uint32_t i = 1; i <= voters; ++i) config.voters.push_back({ReplicaId{i}, NodeId{i}});
    return config;
  }
  void OpenVoters(std::uint32_t voters) {
    for (std::uint32_t i = 1; i <= voters; ++i) node(i).OpenReplica(ReplicaId{i}, Genesis(voters));
  }
  ShardHost* Leader() {
    for (auto& [id, node] : nodes_) {
      if (node->host && !node->cut_off && node->host->leading()) return node->host.get();
    }
    return nullptr;
  }
  ShardHost* AwaitLeader() {
    EXPECT_TRUE(executor_.RunUntil([this] { return Leader() != nullptr; })) << "no leader";
    return Leader();
  }
  RpcResponse Put(const std::string& key, const std::string& value, SessionRef session = {}) {
    Command command;
    command.session = session;
    command.key = key;
    command.value = value;
    return Write(std::move(command));
  }
  RpcResponse Write(Command command) {
    return Await([&](ShardHost& leader, RpcReply reply) {
      leader.Write(std::move(command), std::move(reply));
    });
  }
  RpcResponse Get(const std::string& key) {
    return Await([&](ShardHost& leader, RpcReply reply) {
      leader.Read(ReadRequest{key, Consistency::kLinearizable}, std::move(reply));
    });
  }
  RpcResponse Change(const ChangeMembers& change) {
    return Await([&](ShardHost& leader, RpcReply reply) {
      leader.Change(ChangeMembers(change), std::move(reply));
    });
  }
  // A shell of replica `id` on node `id`, and the decree that makes it a learner.
  void AddLearner(std::uint32_t id) {
    node(id).OpenReplica(ReplicaId{id}, {});
    ChangeMembers add;
    add.kind = ChangeKind::kAddLearner;
    add.move = MoveId{1};
    add.epoch = Epoch{1};
    add.member = {ReplicaId{id}, NodeId{id}};
    EXPECT_EQ(Change(add).code, Errc::kOk);
  }
  // The Seal by which the learner on node `id` takes the place of a voter that does not lead.
  ChangeMembers SealFor(std::uint32_t id, NodeId* removed_node = nullptr) {
    ChangeMembers seal;
    seal.kind = ChangeKind::kSeal;
    seal.move = MoveId{1};
    seal.epoch = Epoch{1};
    NodeId removed;
    for (std::uint32_t i = 1; i <= 3; ++i) {
      const bool leads = AwaitLeader()->key().replica == ReplicaId{i};
      if (!leads && !removed) {
        removed = NodeId{i};
      } else {
        seal.next_voters.push_back({ReplicaId{i}, NodeId{i}});
      }
    }
    seal.next_voters.push_back({ReplicaId{id}, NodeId{id}});
    if (removed_node) *removed_node = removed;
    return seal;
  }
  bool CaughtUp(std::uint32_t id) {
    return Leader() && node(id).host->facts().applied == Leader()->facts().applied;
  }
  HostNode& NodeOf(const ShardHost& host) {
    return node(static_cast<std::uint32_t>(host.key().replica.value));
  }
  // Some node whose replica does not lead.
  HostNode& Follower() {
    const ReplicaId leader = AwaitLeader()->key().replica;
    return node(leader == ReplicaId{1} ? 2 : 1);
  }
  RpcResponse Await(const std::function<void(ShardHost&, RpcReply)>& ask) {
    ShardHost* leader = AwaitLeader();
    auto answer = std::make_shared<std::optional<RpcResponse>>();
    if (!leader) return RpcResponse{Errc::kUnavailable, "no leader", {}, {}, {}, 0, {}};
    ask(*leader, [answer](RpcResponse response) { *answer = std::move(response); });
    EXPECT_TRUE(executor_.RunUntil([&] { return answer->has_value(); })) << "no answer";
    return answer->value_or(RpcResponse{Errc::kOutcomeUnknown, "no answer", {}, {}, {}, 0, {}});
  }

 private:
  VirtualExecutor executor_;
  std::map<NodeId, std::unique_ptr<HostNode>> nodes_;
};

inline CommandResult Verdict(const RpcResponse& response) {
  EXPECT_EQ(response.code, Errc::kOk) << response.detail;
  const auto result = Decode<CommandResult>(response.body);
  return result ? *result : CommandResult{Errc::kCorruption, 0, false, 0, {}};
}

inline std::string ValueOf(const RpcResponse& response) {
  if (response.code != Errc::kOk) return std::string(ErrcName(response.code));
  return Decode<ReadResult>(response.body)->value;
}

inline HostNode::HostNode(HostCluster& cluster, NodeId id) : cluster_(&cluster), id_(id) {
  disk = std::make_unique<store::MemDisk>(DiskOptions());
  config_.inline_snapshot_bytes = 0;
  config_.snapshots_from_followers = false;
}

inline store::MemDiskOptions HostNode::DiskOptions() {
  store::MemDiskOptions options;
  options.incarnation = Incarnation{id_.value};
  options.background = [this](Task task) {
    ++background_jobs;
    executor().RunAt(executor().Now() + background_delay, std::move(task));
  };
  return options;
}

inline Executor& HostNode::executor() { return cluster_->executor(); }

inline void HostNode::Send(consensus::Envelope envelope) {
  if (cut_off) return;
  if (cluster_->on_send) cluster_->on_send(envelope);
  auto shared = std::make_shared<consensus::Envelope>(std::move(envelope));
  cluster_->executor().Post([cluster = cluster_, shared] {
    const auto to = cluster->nodes().find(shared->to.node);
    if (to == cluster->nodes().end() || !to->second->host) return;
    if (to->second->cut_off || to->second->deaf) return;
    if (to->second->host->key().replica != shared->to.id) return;
    to->second->host->Receive(std::move(*shared));
  });
}

inline void HostNode::Call(NodeId to, Channel, RpcRequest request, RpcReply reply) {
  cluster_->executor().Post(
      [cluster = cluster_, to, request = std::move(request), reply = std::move(reply)] {
        HostNode& target = *cluster->nodes().at(to);
        if (target.cut_off) return reply({Errc::kUnavailable, "cut off", {}, {}, {}, 0, {}});
        if (target.deaf) {
          const auto late = cluster->executor().Now() + milliseconds(request.timeout_ms);
          return cluster->executor().RunAt(late, [reply] {
            reply({Errc::kOutcomeUnknown, "no answer", {}, {}, {}, 0, {}});
          });
        }
        target.Handle(request, [cluster, reply](RpcResponse response) {
          cluster->executor().Post([reply, response] { reply(response); });
        });
      });
}

inline void HostNode::Handle(const RpcRequest& request, RpcReply reply) {
  if (request.method == Method::kSnapshotOpen && refuses_snapshots) {
    reply({Errc::kUnavailable, "told to refuse", {}, {}, {}, 0, {}});
  } else if (request.method == Method::kSnapshotOpen) {
    ++snapshots_opened;
    snapshots_.Open(*host, *Decode<SnapshotOpen>(request.body), *this, std::move(reply));
  } else if (request.method == Method::kSnapshotRead && refuses_chunks) {
    reply({Errc::kUnavailable, "told to refuse", {}, {}, {}, 0, {}});
  } else if (request.method == Method::kSnapshotRead) {
    ++snapshots_read;
    snapshots_.Read(*Decode<SnapshotRead>(request.body), *this, std::move(reply));
  } else {
    snapshots_.Close(Decode<SnapshotClose>(request.body)->id);
    reply({});
  }
}

inline void HostNode::Wake(ShardHost& woken, Instant when) {
  wake_ = when;
  if (when == kNever) return;
  executor().RunAt(when, [this, when, weak = woken.weak_from_this()] {
    const auto alive = weak.lock();
    if (alive && wake_ == when) alive->Tick();
  });
}

inline void HostNode::OpenReplica(ReplicaId replica, const consensus::Config& genesis) {
  auto opened = ShardHost::Open(*this, *disk, {HostCluster::kShard, replica}, genesis, factory,
                                disk->OpenRows({HostCluster::kShard, replica}));
  ASSERT_TRUE(opened) << opened.error().ToString();
  host = *opened;
  host->Start();
}

inline void HostNode::Crash() {
  snapshots_.Clear();
  host->Close();
  auto reborn = disk->Crash(DiskOptions());
  host.reset();
  disk = std::move(reborn);
}

}  // namespace decree::node
