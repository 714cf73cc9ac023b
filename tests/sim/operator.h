// The operator of a cluster: asks for moves, drains, transfers and other settings at some node's
// door, looks at what the cluster says before it asks, and knows what it has to put right in the
// end.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace decree::sim {

// A shard move that is possible as far as the shard list of a node tells.
struct PossibleMove {
  std::uint64_t shard = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t from_disk = 0;
  std::uint64_t to_disk = 0;
};
// From what GET /v1/admin/nodes and /v1/admin/shards answered; disk to disk: within one node.
std::vector<PossibleMove> PossibleMoves(const boost::json::value& nodes,
                                        const boost::json::value& shards, bool disk_to_disk);

class Operator {
 public:
  using Counts = std::map<std::string, std::uint64_t>;

  Operator(Cluster& cluster, Counts& counts);

  // Each asks at the door of that node, if it is up, and waits for nothing.
  void Move(MachineId door, Random random, bool disk_to_disk);
  void Transfer(MachineId door, Random random);
  // Takes back some move that is under way.
  void Cancel(MachineId door, Random random);
  // Pauses some move that is under way, and resumes it later.
  void Rest(MachineId door, Random random, Nanos patience);
  void ChangeSettings(MachineId door, Random random);
  // Drains the node of `machine`; later undrains it or, once it is drained, removes it for good. Or
  // puts it under maintenance for some seconds.
  void Drain(MachineId door, MachineId machine, Random random, Nanos patience);
  // A node that will never come back: is drained, and removed when it is drained.
  void Bury(NodeId node);

  // Nothing is on hold any more: default settings, no drains, no move at rest; the machines of
  // removed nodes are off. Runs the world until all of it is acknowledged.
  void SettleDown(Nanos at_most);

 private:
  using OnJson = std::function<void(const boost::json::value&)>;

  void Get(MachineId door, const std::string& target, OnJson done);
  void Ask(MachineId door, const std::string& name, AdminRequest request,
           std::function<void(const AdminResponse&)> done = nullptr);
  // Asks for a plan, and lets it run a while after it was shown.
  void RunPlan(MachineId door, Random random);
  void WithSomeMove(MachineId door, Random random, std::function<void(const std::string&)> then);
  void Resume(const std::string& move);
  void AskNode(MachineId door, std::uint64_t node, const std::string& action);
  void RemoveWhenDrained(std::uint64_t node, Nanos deadline);
  void BuryStep(NodeId node, const boost::json::value& nodes);
  void OnNodes(const boost::json::value& nodes);  // retires the machines of removed nodes
  // Asks one node after another until one gives a final answer.
  std::optional<boost::json::value> Insist(const std::string& method, const std::string& target,
                                           const std::string& body, Nanos deadline);

  Cluster& cluster_;
  World& world_;
  Counts& counts_;
  std::set<NodeId> to_bury_;
  std::set<std::string> resting_;  // moves
};

}  // namespace decree::sim
