// A Caller in virtual time, over nodes that answer as the test says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv/api/caller.h"
#include "kv/base/random.h"

namespace decree {

// Tasks in the order of their time; nothing happens between them.
class VirtualExecutor : public Executor {
 public:
  explicit VirtualExecutor(std::uint64_t seed = 1) : random_(seed) {}
  void Post(Task task) override { RunAt(now_, std::move(task)); }
  void RunAt(Instant when, Task task) override {
    tasks_.emplace(std::pair(std::max(when, now_), ++last_), std::move(task));
  }
  Instant Now() override { return now_; }
  WallMs WallNow() override { return static_cast<WallMs>(now_.ns / 1'000'000); }
  std::uint64_t RandomWord() override { return random_.Next(); }

  void RunUntil(Instant end) {
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) RunOne();
    now_ = std::max(now_, end);
  }
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  std::size_t pending() const { return tasks_.size(); }
  std::uint64_t steps() const { return steps_; }

 private:
  void RunOne() {
    auto node = tasks_.extract(tasks_.begin());
    now_ = node.key().first;
    ++steps_;
    node.mapped()();
  }

  Instant now_{};
  std::map<std::pair<Instant, std::uint64_t>, Task> tasks_;
  std::uint64_t last_ = 0;
  std::uint64_t steps_ = 0;
  Random random_;
};

// One call as a node received it.
struct SeenCall {
  NodeId node;
  Instant at;
  RpcRequest request;
  RpcReply reply;  // for tests that answer later
  Command command() const { return Decode<Command>(request.body).value(); }
};

// Nodes whose behaviour is a function; without one, calls are kept and not answered.
class ScriptedCourier : public Courier {
 public:
  using Behaviour = std::function<std::optional<RpcResponse>(const SeenCall&)>;
  explicit ScriptedCourier(VirtualExecutor& executor) : executor_(executor) {}

  void Call(NodeId node, RpcRequest request, RpcReply reply) override {
    SeenCall call{node, executor_.Now(), std::move(request), std::move(reply)};
    if (call.request.method == Method::kGetMap) {
      map_calls.push_back(call);
      return Answer(on_map, call);
    }
    calls.push_back(call);
    const bool opens =
        call.request.method == Method::kWrite && call.command().kind == CommandKind::kOpenSession;
    Answer(opens && on_open ? on_open : on_call, call);
  }

  std::vector<SeenCall> CallsOf(CommandKind kind) const {
    std::vector<SeenCall> found;
    for (const SeenCall& call : calls) {
      if (call.request.method == Method::kWrite && call.command().kind == kind)
        found.push_back(call);
    }
    return found;
  }

  Behaviour on_map;
  Behaviour on_open;  // null: as any call
  Behaviour on_call;
  Duration delay = 1ms;
  std::vector<SeenCall> calls;  // all but kGetMap
  std::vector<SeenCall> map_calls;

 private:
  void Answer(const Behaviour& behaviour, const SeenCall& call) {
    if (!behaviour) return;
    executor_.RunAt(executor_.Now() + delay, [behaviour, call] {
      if (auto response = behaviour(call)) call.reply(std::move(*response));
    });
  }

  VirtualExecutor& executor_;
};

inline RpcResponse Refuses(Errc code, NodeId leader = {}) {
  RpcResponse response;
  response.code = code;
  response.leader = leader;
  return response;
}

inline RpcResponse Executes(const CommandResult& result, NodeId node = {}) {
  RpcResponse response;
  response.served_by = node;
  response.body = Encode(result);
  return response;
}

// The node does what it was asked.
inline RpcResponse Serves(const SeenCall& call) {
  RpcResponse response;
  response.served_by = call.node;
  if (call.request.method == Method::kRead) response.body = Encode(ReadResult{"v", 1, 0});
  if (call.request.method == Method::kScan) response.body = Encode(ScanResult{{}, true});
  if (call.request.method == Method::kWrite) response.body = Encode(CommandResult{});
  return response;
}

inline std::shared_ptr<ShardMap> MapOf(std::vector<std::uint32_t> nodes, std::uint64_t version = 1,
                                       std::size_t shards = 1) {
  auto map = std::make_shared<ShardMap>();
  map->cluster = ClusterId{9};
  map->version = version;
  ShardEntry entry;
  entry.epoch = Epoch{1};
  for (const std::uint32_t node : nodes) {
    entry.replicas.push_back({ReplicaId{node}, NodeId{node}, Incarnation{node}, true});
    map->nodes.push_back({NodeId{node}, "h:" + std::to_string(node), ""});
  }
  map->shards.assign(shards, entry);
  return map;
}

inline Operation PutOperation(std::string key, std::string value = "v") {
  Operation operation;
  operation.kind = OperationKind::kPut;
  operation.key = std::move(key);
  operation.value = std::move(value);
  return operation;
}

inline Operation GetOperation(std::string key,
                              Consistency consistency = Consistency::kLinearizable) {
  Operation operation;
  operation.key = std::move(key);
  operation.consistency = consistency;
  return operation;
}

class CallerTest : public testing::Test {
 protected:
  CallerTest() : courier_(executor_), caller_(std::make_unique<Caller>(executor_, courier_)) {
    courier_.on_map = [this](const SeenCall&) {
      RpcResponse response;
      response.body = Encode(*map_);
      return response;
    };
    courier_.on_open = [](const SeenCall& call) {
      CommandResult opened;
      opened.version = 77;
      return Executes(opened, call.node);
    };
    courier_.on_call = Serves;
  }

  // A place for a result; the test fails if it is answered twice.
  std::shared_ptr<std::optional<OperationResult>> Start(Operation operation) {
    auto place = std::make_shared<std::optional<OperationResult>>();
    last_id_ = caller_->Start(std::move(operation), [place](OperationResult result) {
      EXPECT_FALSE(place->has_value()) << "answered twice";
      *place = std::move(result);
    });
    EXPECT_FALSE(place->has_value()) << "answered inside Start";
    return place;
  }
  OperationResult Do(Operation operation) {
    const auto place = Start(std::move(operation));
    executor_.RunFor(3s);
    EXPECT_TRUE(place->has_value()) << "never answered";
    return place->value_or(OperationResult{});
  }

  VirtualExecutor executor_;
  std::shared_ptr<ShardMap> map_ = MapOf({1, 2, 3});
  ScriptedCourier courier_;
  std::unique_ptr<Caller> caller_;
  std::uint64_t last_id_ = 0;
};

}  // namespace decree
