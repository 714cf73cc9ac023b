// Whole nodes on one virtual clock, joined by a network that delivers everything at once. A node
// keeps its disks over restarts and may be known by several addresses. Loss, delay and the like are
// the simulator's business (tests/sim).
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host_cluster.h"
#include "kv/store/mem_disk.h"
#include "server/node/node_core.h"
#include "server/node/node_rpc.h"

namespace decree::node {

class NodeWorld;

// A worker of one life of a node: what is left to run when the life ends never runs.
class LifeExecutor : public Executor {
 public:
  LifeExecutor(VirtualExecutor& clock, std::shared_ptr<bool> alive)
      : clock_(&clock), alive_(std::move(alive)) {}
  void Post(Task task) override { RunAt(clock_->Now(), std::move(task)); }
  void RunAt(Instant when, Task task) override {
    clock_->RunAt(when, [alive = alive_, task = std::move(task)] {
      if (*alive) task();
    });
  }
  Instant Now() override { return clock_->Now(); }
  WallMs WallNow() override { return clock_->WallNow(); }
  std::uint64_t RandomWord() override { return clock_->RandomWord(); }

 private:
  VirtualExecutor* clock_;
  std::shared_ptr<bool> alive_;
};

class WorldTransport : public Transport {
 public:
  WorldTransport(NodeWorld& world, std::shared_ptr<bool> alive)
      : world_(&world), alive_(std::move(alive)) {}
  void Send(std::vector<consensus::Envelope> envelopes) override;
  void Call(Executor& on, NodeId to, Channel channel, RpcRequest request, RpcReply reply) override;
  void CallAddress(Executor& on, const std::string& address, RpcRequest request,
                   RpcReply reply) override;
  void SetAddresses(std::map<NodeId, std::string> addresses) override {
    addresses_ = std::move(addresses);
  }
  void SetIdentity(ClusterId, NodeId node) override { self_ = node; }

  const std::map<NodeId, std::string>& addresses() const { return addresses_; }
  NodeId self() const { return self_; }
  std::uint64_t used = 0;  // envelopes and calls that this node sent

 private:
  std::string AddressOf(NodeId node) const {
    const auto found = addresses_.find(node);
    return found == addresses_.end() ? "" : found->second;
  }
  NodeWorld* world_;
  std::shared_ptr<bool> alive_;
  std::map<NodeId, std::string> addresses_;
  NodeId self_;
};

class WorldNode {
 public:
  WorldNode(NodeWorld& world, std::string address, std::size_t disks);
  ~WorldNode() { Kill(); }

  void Start();
  void Kill();  // power loss
  void Stop();  // cleanly; the node is still there afterwards
  void Restart() {
    Kill();
    Start();
  }
  bool up() const { return core_ != nullptr; }
  NodeCore& core() { return *core_; }
  WorldTransport& transport() { return *transport_; }
  store::MemDisk& disk(std::size_t i) { return *disks_[i]; }
  void ReplaceDisk(std::size_t i, Incarnation incarnation);  // an empty one, while it is down
  std::size_t disks() const { return disks_.size(); }

  NodeConfig config;
  std::set<std::size_t> unreadable;  // disks whose log is damaged: left out, as decreed does it
  std::optional<Status> started;     // what Start answered
  bool silent = false;               // takes calls and never answers
  Duration delay{};                  // before it answers a call
  std::vector<std::string> log;
  std::vector<std::string> disks_lost;
  std::vector<Method> asked;  // calls that arrived

 private:
  friend class WorldTransport;
  store::MemDiskOptions DiskOptions(Incarnation incarnation);

  NodeWorld* world_;
  std::vector<std::unique_ptr<store::MemDisk>> disks_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<LifeExecutor> executor_;
  std::unique_ptr<WorldTransport> transport_;
  std::unique_ptr<NodeCore> core_;
};

class NodeWorld {
 public:
  WorldNode& Add(const std::string& address, std::size_t disks = 1) {
    nodes_.push_back(std::make_unique<WorldNode>(*this, address, disks));
    spellings_[address] = nodes_.back().get();
    return *nodes_.back();
  }
  // Another address that leads to the node, or a new one after a move of its machine.
  void Spell(const std::string& address, WorldNode& node) { spellings_[address] = &node; }
  void Unspell(const std::string& address) { spellings_.erase(address); }
  WorldNode* Find(const std::string& address) const {
    const auto found = spellings_.find(address);
    return found == spellings_.end() || !found->second->up() ? nullptr : found->second;
  }
  VirtualExecutor& clock() { return clock_; }
  Incarnation NextIncarnation() { return Incarnation{++incarnations_}; }

  bool RunUntilReady(Duration limit = 20s) {
    return clock_.RunUntil(
        [this] {
          return std::all_of(nodes_.begin(), nodes_.end(),
                             [](const auto& node) { return !node->up() || node->core().ready(); });
        },
        limit);
  }
  OperationResult Do(WorldNode& at, Operation operation) {
    std::optional<OperationResult> result;
    at.core().caller(0).Start(std::move(operation),
                              [&](OperationResult answer) { result = std::move(answer); });
    EXPECT_TRUE(clock_.RunUntil([&] { return result.has_value(); })) << "no answer";
    return result.value_or(OperationResult{});
  }
  OperationResult Put(WorldNode& at, const std::string& key, const std::string& value) {
    Operation put;
    put.kind = OperationKind::kPut;
    put.key = key;
    put.value = value;
    return Do(at, std::move(put));
  }
  OperationResult Get(WorldNode& at, const std::string& key) {
    Operation get;
    get.key = key;
    return Do(at, std::move(get));
  }
  // A call at the door of a node, as another node of the cluster makes it; from 0: a client.
  RpcResponse Ask(WorldNode& at, Method method, ShardId shard, std::string body,
                  NodeId from = NodeId{99}, std::uint64_t timeout_ms = 2000) {
    std::optional<RpcResponse> response;
    at.core().OnRequest(from, RpcRequest{method, shard, timeout_ms, std::move(body)},
                        [&](RpcResponse answer) { response = std::move(answer); });
    EXPECT_TRUE(clock_.RunUntil([&] { return response.has_value(); })) << "no answer";
    return response.value_or(RpcResponse{});
  }
  AdminResponse Admin(WorldNode& at, const std::string& method, const std::string& target,
                      const std::string& body = "") {
    std::optional<AdminResponse> answer;
    at.core().Admin({method, "/v1/admin/" + target, body}, 5s,
                    [&](AdminResponse response) { answer = std::move(response); });
    EXPECT_TRUE(clock_.RunUntil([&] { return answer.has_value(); })) << "no answer";
    return answer.value_or(AdminResponse{});
  }

 private:
  VirtualExecutor clock_;
  std::uint64_t incarnations_ = 1000;
  std::map<std::string, WorldNode*> spellings_;
  std::vector<std::unique_ptr<WorldNode>> nodes_;
};

inline WorldNode::WorldNode(NodeWorld& world, std::string address, std::size_t disks)
    : world_(&world) {
  config.advertise_rpc = std::move(address);
  config.shards = 4;
  for (std::size_t i = 0; i < disks; ++i) {
    disks_.push_back(std::make_unique<store::MemDisk>(DiskOptions(world.NextIncarnation())));
  }
}

inline store::MemDiskOptions WorldNode::DiskOptions(Incarnation incarnation) {
  store::MemDiskOptions options;
  options.incarnation = incarnation;
  options.path = "disk-" + ToString(incarnation);
  options.background = [clock = &world_->clock()](Task task) {
    clock->RunAt(clock->Now() + 1ms, std::move(task));
  };
  return options;
}

inline void WorldNode::Start() {
  alive_ = std::make_shared<bool>(true);
  executor_ = std::make_unique<LifeExecutor>(world_->clock(), alive_);
  transport_ = std::make_unique<WorldTransport>(*world_, alive_);
  NodeConfig with = config;
  with.log = [this](LogLevel, std::string_view line) { log.emplace_back(line); };
  with.on_disks_lost = [this](const std::string& why) { disks_lost.push_back(why); };
  std::vector<store::Disk*> disks;
  for (std::size_t i = 0; i < disks_.size(); ++i) {
    if (!unreadable.contains(i)) disks.push_back(disks_[i].get());
  }
  if (!unreadable.empty())
    with.lost_disk = Error(Errc::kCorruption, "a record's checksum is wrong");
  core_ = std::make_unique<NodeCore>(std::move(with), std::vector<Executor*>{executor_.get()},
                                     *transport_, disks);
  started.reset();
  core_->Start([this](Status status) { started = std::move(status); });
}

inline void WorldNode::Kill() {
  if (!up()) return;
  *alive_ = false;
  core_.reset();
  transport_.reset();
  executor_.reset();
  for (auto& disk : disks_) disk = disk->Crash(DiskOptions(disk->incarnation()));
}

inline void WorldNode::Stop() {
  bool done = false;
  core_->Stop(1s, [&] { done = true; });
  EXPECT_TRUE(world_->clock().RunUntil([&] { return done; })) << "does not stop";
}

inline void WorldNode::ReplaceDisk(std::size_t i, Incarnation incarnation) {
  disks_[i] = std::make_unique<store::MemDisk>(DiskOptions(incarnation));
}

inline void WorldTransport::Send(std::vector<consensus::Envelope> envelopes) {
  for (consensus::Envelope& envelope : envelopes) {
    ++used;
    auto shared = std::make_shared<consensus::Envelope>(std::move(envelope));
    const std::string address = AddressOf(shared->to.node);
    world_->clock().Post([world = world_, address, shared] {
      WorldNode* const to = world->Find(address);
      if (to && !to->silent) to->core().OnEnvelopes({*shared});
    });
  }
}

inline void WorldTransport::Call(Executor& on, NodeId to, Channel, RpcRequest request,
                                 RpcReply reply) {
  CallAddress(on, AddressOf(to), std::move(request), std::move(reply));
}

inline void WorldTransport::CallAddress(Executor& on, const std::string& address,
                                        RpcRequest request, RpcReply reply) {
  ++used;
  auto answered = std::make_shared<bool>(false);
  auto back = [&on, alive = alive_, answered, reply = std::move(reply)](RpcResponse response) {
    if (!*alive || std::exchange(*answered, true)) return;
    on.Post([reply, response = std::move(response)] { reply(response); });
  };
  const auto answer = [back](Errc code) {
    RpcResponse response;
    response.code = code;
    back(std::move(response));
  };
  WorldNode* const to = world_->Find(address);
  if (!to) return answer(Errc::kUnavailable);
  VirtualExecutor& clock = world_->clock();
  clock.RunAt(clock.Now() + milliseconds(request.timeout_ms),
              [answer] { answer(Errc::kOutcomeUnknown); });
  clock.Post([world = world_, from = self_, address, request = std::move(request), back] {
    WorldNode* const to = world->Find(address);
    if (!to) return;
    to->asked.push_back(request.method);
    if (to->silent) return;
    to->core().OnRequest(from, request, [world, to, back](const RpcResponse& response) {
      world->clock().RunAt(world->clock().Now() + to->delay, [back, response] { back(response); });
    });
  });
}

}  // namespace decree::node
