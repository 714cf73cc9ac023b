// A Client's calls inside an embedded node: posted to the worker that holds the shard, answered by
// the Caller there. No network and no copy of the retry policy.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "decree/client_backend.h"
#include "kv/api/rpc.h"
#include "kv/base/executor.h"

namespace decree {

class Caller;

// What a backend may use of a node, for as long as the node lets it. Clients may outlive their
// node.
class NodeGate {
 public:
  struct Access {
    std::vector<Executor*> workers;
    // From that worker only.
    std::function<Caller&(std::size_t worker)> caller;
    // From any thread; the answer runs on a worker.
    std::function<void(AdminRequest, Duration timeout, std::function<void(AdminResponse)>)> admin;
  };

  // Nobody comes in before Open.
  void Open(Access access);
  // The node is stopping: new calls are refused, those under way go on.
  void RefuseCalls() { refusing_ = true; }
  bool refusing() const { return refusing_; }
  // Runs `use` with the node certainly there; false: the node has gone.
  bool Enter(const std::function<void(const Access&)>& use);
  // Returns when nobody is inside and nobody can come in any more.
  void Shut();
  // The node has given up: nobody comes in any more, and what is under way may never be answered.
  void Fail();
  bool failed() const { return failed_; }

  // How many shards the cluster has, once somebody has seen the map; picks the worker.
  std::atomic<std::uint32_t> shards{0};

 private:
  Access access_;
  std::atomic<bool> open_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> refusing_{false};
  std::atomic<int> inside_{0};
};

std::shared_ptr<ClientBackend> MakeLocalBackend(std::shared_ptr<NodeGate> gate);

}  // namespace decree
