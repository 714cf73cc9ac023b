// A node for the doors of server/net to talk to: it records what comes and answers as it is told.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kv/base/log_sink.h"
#include "server/net/door.h"

namespace decree::net {

// Waits for a condition that other threads bring about; every change is announced.
class Monitor {
 public:
  template <class Change>
  void Do(Change change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <class Condition>
  [[nodiscard]] bool Wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class FakeDoor : public NodeDoor {
 public:
  void OnEnvelopes(std::vector<consensus::Envelope> batch) override {
    monitor.Do([&] {
      ++batches;
      for (auto& envelope : batch) envelopes.push_back(std::move(envelope));
    });
  }
  void OnRequest(NodeId from, RpcRequest request, RpcReply reply) override {
    monitor.Do([&] {
      requests.push_back(request);
      callers.push_back(from);
    });
    if (on_request) return on_request(from, std::move(request), std::move(reply));
    RpcResponse response;
    response.body = "echo:" + request.body;
    reply(std::move(response));
  }
  void OnLinkDown(NodeId node) override {
    monitor.Do([&] { lost.push_back(node); });
  }
  void Admin(AdminRequest request, Duration timeout,
             std::function<void(AdminResponse)> done) override {
    admin_timeout = timeout;
    if (on_admin) return on_admin(std::move(request), std::move(done));
    done({200,
          {},
          "{\"method\":\"" + request.method + "\",\"target\":\"" + request.target +
              "\",\"body\":\"" + request.body + "\"}"});
  }
  NodeId id() const override { return node; }
  bool ready() const override { return is_ready; }
  void Operate(std::size_t worker, Operation operation, OperationCallback done) override {
    if (on_operate) return on_operate(worker, std::move(operation), std::move(done));
    done({});
  }
  void CountShards(std::size_t, Duration,
                   std::function<void(Result<std::uint32_t>)> done) override {
    done(shards);
  }

  Result<std::uint32_t> shards = 8u;
  Monitor monitor;  // guards what is recorded
  std::vector<consensus::Envelope> envelopes;
  std::size_t batches = 0;
  std::vector<RpcRequest> requests;
  std::vector<NodeId> callers;
  std::vector<NodeId> lost;  // whose links went down
  NodeId node{1};
  std::atomic<bool> is_ready{true};
  std::function<void(NodeId, RpcRequest, RpcReply)> on_request;
  std::function<void(std::size_t, Operation, OperationCallback)> on_operate;
  Duration admin_timeout{};  // of the latest
  std::function<void(AdminRequest, std::function<void(AdminResponse)>)> on_admin;
};

class LogLines {
 public:
  LogSink sink() {
    return [this](LogLevel, std::string_view line) {
      monitor_.Do([&] { lines_.emplace_back(line); });
    };
  }
  bool WaitFor(const std::string& part) {
    return monitor_.Wait([&] {
      for (const auto& line : lines_) {
        if (line.find(part) != std::string::npos) return true;
      }
      return false;
    });
  }

 private:
  Monitor monitor_;
  std::vector<std::string> lines_;
};

}  // namespace decree::net
