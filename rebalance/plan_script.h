// What decree-plan-sim is told: a cluster and what happens to it, described in JSON.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "rebalance/plan_sim.h"

namespace decree::rebalance {

struct PlanEvent {
  std::string name;                        // "add_node", "drain"...
  std::function<Status(PlanSim&)> happen;  // refused: an event that cannot be
};

struct PlanScript {
  std::uint32_t replicas = 3;
  std::vector<NodeShape> nodes;    // at least one
  std::vector<ShardShape> shards;  // at least one
  std::vector<PlanEvent> events;
};

inline constexpr std::size_t kMostShapes = 100'000;  // nodes or shards of a script

// The shape of the text is in the program's --help. kInvalidArgument says what makes no sense.
Result<PlanScript> ReadPlanScript(std::string_view text);

// The cluster before the first event, not yet settled.
Result<PlanSim> Begin(const PlanScript& script);

}  // namespace decree::rebalance
