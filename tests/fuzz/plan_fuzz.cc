// Descriptions of clusters for decree-plan-sim: taken or refused with words, and what is taken
// comes to rest without a plan that the placement state refuses.
#include "rebalance/plan_script.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

using namespace rebalance;

// Many shards make an input slow, and nothing that a few do not show.
bool TooLarge(const PlanScript& script) {
  return script.nodes.size() > 8 || script.shards.size() > 16 || script.events.size() > 6;
}

// Each copy stands on a disk that the state knows, and no shard has two on one node.
void CheckPlaces(const PlanSim& sim) {
  for (const ShardRecord& shard : sim.state().shards()) {
    std::set<NodeId> homes;
    for (const ReplicaPlace& place : shard.entry.replicas) {
      DECREE_CHECK(sim.state().Node(place.node) != nullptr);
      DECREE_CHECK(homes.insert(place.node).second);
    }
  }
}

void Run(std::string_view input) {
  const Result<PlanScript> script = ReadPlanScript(input);
  if (!script) {
    DECREE_CHECK(script.error() == Errc::kInvalidArgument && !script.error().detail().empty());
    return;
  }
  DECREE_CHECK(!script->nodes.empty() && !script->shards.empty());
  DECREE_CHECK(script->nodes.size() <= kMostShapes && script->shards.size() <= kMostShapes);
  if (TooLarge(*script)) return;
  Result<PlanSim> sim = Begin(*script);
  if (!sim) return;
  sim->Settle();
  for (const PlanEvent& event : script->events) {
    if (event.happen(*sim)) sim->Settle();
    CheckPlaces(*sim);
  }
}

std::vector<std::string> Seeds() {
  return {R"({"nodes":[{"zone":"a","disks":[100000],"count":3}],"shards":[{"bytes":9,"count":4}]})",
          R"({"replicas":1,"nodes":[{"disks":[9999,1]}],"shards":[{"ops_per_s":0.5},{"bytes":50}],)"
          R"("events":[{"add_node":{"zone":"b","disks":[10000]}},{"drain":1},{"undrain":1}]})",
          R"({"nodes":[{"disks":[5000]},{"disks":[7000]},{"disks":[600]},{"disks":[900,900]}],)"
          R"("shards":[{"bytes":100,"count":8}],)"
          R"("events":[{"kill":2},{"resize":{"shard":0,"bytes":500}},{"drain":4}]})"};
}

const Registration kPlan{{"plan", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz
