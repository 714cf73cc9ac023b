// Carries out moves while this node leads the placement group: asks the shard's replicas how they
// are, lets rebalance::NextAction decide, does that one thing, asks again. Every step is idempotent
// and the progress is in the decree log, so a new leader resumes where the old one was. Worker 0
// only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "rebalance/move.h"
#include "server/node/node_rpc.h"
#include "server/node/placement_port.h"

namespace decree::node {

// What an operator wants to see of a running move beyond its record.
struct MoveProgress {
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;
  double bytes_per_s = 0;
  std::uint64_t lag = 0;  // slots the target's durable chosen is behind the leader
  std::string problem;    // why it does not get on; empty: it does
};

class MoveDriver {
 public:
  // `gone`: whether a node has been silent for so long that no answer is to be waited for.
  explicit MoveDriver(PlacementPort& port, std::function<bool(NodeId)> gone = {},
                      std::uint64_t catch_up_gap = rebalance::kCatchUpGap)
      : port_(&port),
        gone_(std::move(gone)),
        catch_up_gap_(std::min(catch_up_gap, rebalance::kCatchUpGap)) {}

  void Start();
  void Stop();
  // The placement state changed: looks for moves that began or ended.
  void Kick();
  std::optional<MoveProgress> Progress(MoveId move) const;

 private:
  struct Task;
  using TaskPtr = std::shared_ptr<Task>;

  void Tick(std::uint64_t generation);
  const rebalance::MoveRecord* Record(const TaskPtr& task) const;  // null: ended, or not ours
  std::string WhyGone(const ReplicaPlace& place) const;
  void Poll(const TaskPtr& task);
  void Ask(const TaskPtr& task, const ReplicaPlace& place);
  void OnStatus(const TaskPtr& task, const ReplicaPlace& place, const RpcResponse& response);
  void Decide(const TaskPtr& task);
  void NoteProgress(const TaskPtr& task);
  void CheckStall(const TaskPtr& task, const rebalance::MoveRecord& move);
  static std::uint64_t LargestReplica(const TaskPtr& task);
  static Duration DigestTime(const TaskPtr& task);
  void Execute(const TaskPtr& task, const rebalance::MoveRecord& move,
               const rebalance::Action& action);
  void Wait(const TaskPtr& task, const rebalance::MoveRecord& move);
  void CreateTarget(const TaskPtr& task, const rebalance::MoveRecord& move);
  void Destroy(const TaskPtr& task, const rebalance::MoveRecord& move, const ReplicaPlace& place);
  void Mark(const TaskPtr& task, const rebalance::MoveRecord& move);
  void Change(const TaskPtr& task, const rebalance::MoveRecord& move,
              const rebalance::Action& action);
  void Advance(const TaskPtr& task, rebalance::AdvanceMove advance);
  void Propose(const TaskPtr& task, rebalance::PlacementChange change);
  void OnDone(const TaskPtr& task, const RpcResponse& response);
  void PollSoon(const TaskPtr& task, bool succeeded);

  PlacementPort* port_;
  std::function<bool(NodeId)> gone_;
  std::uint64_t catch_up_gap_;
  bool running_ = false;
  std::uint64_t generation_ = 0;
  std::map<MoveId, TaskPtr> tasks_;
};

}  // namespace decree::node
