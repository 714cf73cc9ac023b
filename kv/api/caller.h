// One client operation from its first attempt to its last: finds the shard and its leader, opens
// the shard's session when a write needs one, follows NotLeader hints, refreshes the map, retries
// with full-jitter backoff until the deadline. The client library and the node's own door (HTTP,
// embedded client) use this same class, so that there is one retry policy.
//
// Every write carries one session sequence through all its attempts: a retry never executes twice
// and reports the first execution's result. An answer is kOutcomeUnknown only if an attempt was
// sent and neither it nor a later attempt of the same sequence was answered.
//
// Single-threaded: one executor, all calls and callbacks on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "kv/base/executor.h"

namespace decree {

class Courier {
 public:
  virtual ~Courier() = default;
  // Sends a call to a node; node 0 means any node that can be reached. Answers exactly once, never
  // inside this call. Without an answer the response's code is kUnavailable (certainly never sent)
  // or kOutcomeUnknown (sent, then the link broke or the time ran out). The call is carried out at
  // most once: whoever sends it again on the way answers kOutcomeUnknown, unless the log gave a
  // result.
  virtual void Call(NodeId node, RpcRequest request, RpcReply reply) = 0;
};

enum class OperationKind : std::uint8_t { kPut, kDelete, kGet, kScan, kMark };

struct Operation {
  OperationKind kind = OperationKind::kGet;
  std::string key;  // put, delete, get
  std::string value;
  Condition condition;
  std::uint64_t ttl_ms = 0;
  Consistency consistency = Consistency::kLinearizable;
  ShardId shard;     // scan, mark: the shard; others: computed from the key
  ScanRequest scan;  // scan
  Duration timeout = 2s;
};

struct OperationResult {
  Errc code = Errc::kOk;
  std::string detail;
  CommandResult command;         // put, delete, mark
  ReadResult read;               // get
  ScanResult scan;               // scan
  std::optional<ShardId> shard;  // none: it ended before the shard was known
  Epoch epoch;                   // as the node knew it that answered or refused; 0: not known
  NodeId node;                   // who answered or refused last; 0: nobody did
};
using OperationCallback = std::function<void(OperationResult)>;

struct CallerOptions {
  std::uint64_t client_id = 0;  // 0: drawn from the executor's random stream
  Duration backoff_first = 5ms;
  Duration backoff_max = 200ms;
  Duration attempt_timeout = 600ms;  // an unanswered attempt is repeated elsewhere after this
};

class Caller {
 public:
  Caller(Executor& executor, Courier& courier, CallerOptions options = {});
  ~Caller();  // answers what is pending with kCancelled (or kOutcomeUnknown if it was sent)
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  std::uint64_t Start(Operation operation, OperationCallback done);
  void Cancel(std::uint64_t id);
  std::size_t under_way() const;  // operations that are not answered yet
  // A newer map, from whoever heard of it. Older ones are ignored.
  void OfferMap(std::shared_ptr<const ShardMap> map);
  std::shared_ptr<const ShardMap> map() const;  // null before the first
  // Fetches the map unless a fetch is on its way already; the callback gets kOk or the reason.
  void RefreshMap(Duration timeout, std::function<void(Errc)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree
