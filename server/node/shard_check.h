// Compares the replicas of a shard at one slot: a mark is chosen in its log, every replica digests
// its rows as of the mark's slot, and the digests are collected. One check a shard runs at a time:
// who asks meanwhile waits for the same mark. Worker 0 only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kv/api/shard_map.h"
#include "server/node/placement_port.h"

namespace decree::node {

struct CheckedReplica {
  ReplicaPlace place;
  std::string digest;  // empty: it did not say in time
};
struct CheckedShard {
  ShardId shard;
  Slot slot;
  std::vector<CheckedReplica> replicas;
  bool equal() const;  // all said, and all the same
};

class ShardCheck : public std::enable_shared_from_this<ShardCheck> {
 public:
  using Done = std::function<void(Result<CheckedShard>)>;
  ShardCheck(PlacementPort& port, ShardId shard) : port_(&port) { checked_.shard = shard; }

  // Answered when all digests are there, or after `patience` with what is there by then; an error
  // if no mark could be written. `leader`: where to try first; 0: unknown.
  void Join(NodeId leader, Duration patience, Done done);
  bool running() const { return running_; }

 private:
  struct Waiter {
    Instant deadline;
    Done done;
  };
  void Begin(NodeId leader);
  void Mark(NodeId node);
  void OnMarked(const RpcResponse& response);
  NodeId NextNode();
  void Collect();
  void Ask(std::size_t index);
  void OnStatus(std::size_t index, const RpcResponse& response);
  void OnRound();
  bool MarkIsOld() const;
  void After(Duration pause, std::function<void(ShardCheck&)> step);
  Instant Now() const { return port_->executor().Now(); }
  void Answer(const std::function<bool(const Waiter&)>& whom);

  PlacementPort* port_;
  CheckedShard checked_;
  std::vector<Waiter> waiters_;
  bool running_ = false;
  Instant marked_at_;
  Duration pause_{};
  std::uint64_t largest_bytes_ = 0;
  std::size_t next_ = 0;
  std::size_t asked_ = 0;
};

// The checks of all shards.
class ShardChecks {
 public:
  explicit ShardChecks(PlacementPort& port) : port_(&port) {}
  void Run(ShardId shard, NodeId leader, Duration patience, ShardCheck::Done done);

 private:
  PlacementPort* port_;
  std::map<ShardId, std::shared_ptr<ShardCheck>> checks_;
};

}  // namespace decree::node
