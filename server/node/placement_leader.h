// The volatile side of the placement leader: who reported, who is alive, what the planner would do.
// Starts with the leadership of the placement group and forgets everything with it. Worker 0 only.
//
// It plans nothing until fresh reports from all nodes that should be up have come in since it
// leads: a new leader that knows little must not move shards (design.md section 6).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "rebalance/planner.h"
#include "server/node/node_rpc.h"
#include "server/node/placement_port.h"

namespace decree::node {

class PlacementLeader {
 public:
  struct Heard {
    NodeReport report;
    Instant at;
  };

  explicit PlacementLeader(PlacementPort& port) : port_(&port) {}

  void Start();
  void Stop();
  void OnReport(NodeReport report);

  bool running() const { return running_; }
  const std::map<NodeId, Heard>& heard() const { return heard_; }
  bool Alive(NodeId node) const;  // reported within suspect_after
  // Silent for so long that it is called dead; moves do not wait for it.
  bool Silent(NodeId node) const;
  // Nodes that may hold leaders and have not reported within suspect_after.
  std::vector<NodeId> Suspects() const;
  bool AllHeard() const;  // every node that should be up reported since Start
  rebalance::ClusterView View() const;
  rebalance::Plan Plan() const;  // what the rules want now
  // Why the planner could not empty the node (no disk has room...). Empty: it could, or too little
  // is known to tell.
  std::string DrainObstacle(NodeId node) const;

 private:
  void Tick(std::uint64_t generation);
  void CheckLiveness();
  void CheckRegistration(const NodeReport& report);
  void RemoveOrphans(const NodeReport& report);
  void StartMoves();
  bool Resting(ShardId shard) const;
  void StartOne(const rebalance::PlannedMove& move);
  void Transfer(const rebalance::PlannedTransfer& transfer);
  void FinishDrains();
  void SetState(NodeId node, rebalance::NodeState state, std::string reason);
  void NoteNewNodes();
  // Since the last report, or since this leader knows the node.
  std::optional<Duration> SilenceOf(NodeId node) const;
  bool Passed(WallMs since, Duration seen, Duration delay) const;

  PlacementPort* port_;
  bool running_ = false;
  std::uint64_t generation_ = 0;
  std::map<NodeId, Heard> heard_;
  std::map<NodeId, Instant> seen_;          // when this leader first knew of the node
  std::map<NodeId, bool> proposing_state_;  // a decree about the node is on its way
  std::size_t proposing_moves_ = 0;
  Instant planned_at_;
  std::pair<std::uint64_t, std::size_t> planned_for_;  // map version and active moves, then
};

}  // namespace decree::node
