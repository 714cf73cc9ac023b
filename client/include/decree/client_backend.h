// What carries a Client's calls: connections to a cluster (client/remote_backend.h) or the workers
// of an embedded node (server/public_node.cc). Programs that use Decree have no business here; the
// header is public because the embedded node, in another library, implements it.
//
// Every callback runs exactly once, never inside the call that takes it, on a thread of the
// backend. All methods are thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "decree/result.h"

namespace decree {

struct Operation;        // kv/api/caller.h
struct OperationResult;  // kv/api/caller.h
struct AdminReply;       // decree/client.h
struct AdminCall {
  std::string method;  // GET POST PATCH DELETE
  std::string target;  // "/v1/admin/moves/7"
  std::string body;    // JSON or empty
  std::chrono::milliseconds timeout{0};
};

class ClientBackend {
 public:
  virtual ~ClientBackend() = default;

  // A number for Start and Cancel; unique in this backend. Given out before the call starts, so
  // that a cancellation can be wired up first.
  std::uint64_t NewCall() { return next_call_.fetch_add(1, std::memory_order_relaxed); }

  virtual void Start(std::uint64_t call, Operation operation,
                     std::function<void(OperationResult)> done) = 0;
  // The call answers soon: kCancelled, or kOutcomeUnknown for a write that was sent. An unknown or
  // finished number is nothing.
  virtual void Cancel(std::uint64_t call) = 0;
  virtual void Admin(AdminCall call, std::function<void(Result<AdminReply>)> done) = 0;
  // How many shards the cluster has; from the shard map, fetched if there is none yet.
  virtual void CountShards(std::chrono::milliseconds timeout,
                           std::function<void(Result<std::uint32_t>)> done) = 0;
  virtual void Post(std::function<void()> task) = 0;
  // True on a thread that runs callbacks, of this or of another backend: waiting there for a
  // callback could wait for ever.
  virtual bool OnOwnThread() const = 0;
  // True once calls under way may never be answered: what carries them has broken down. A blocking
  // call gives up then; handlers are called at the latest when the backend's node is destroyed.
  virtual bool Failed() const { return false; }
  // Cancels everything; every callback has run soon after. Never waits for the network, nor, on a
  // thread that runs callbacks, for anything else. Calls made later answer kShuttingDown or
  // kCancelled.
  virtual void Close() = 0;

 private:
  std::atomic<std::uint64_t> next_call_{1};
};

}  // namespace decree
