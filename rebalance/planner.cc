#include "rebalance/planner.h"

#include <algorithm>

#include "rebalance/planner_passes.h"

namespace decree::rebalance {

Plan MakePlan(const ClusterView& view, std::size_t limit) {
  Plan plan;
  if (!view.state || !view.state->bootstrapped()) return plan;
  Layout layout(view, plan);
  plan.spread_before = layout.Spread();
  PlanRepairs(layout, plan, limit);
  PlanDrains(layout, plan, limit);
  PlanZones(layout, plan, limit);
  PlanBalance(layout, plan, limit);
  layout.DropIdleMoves();
  PlanDepartures(layout, plan, limit);
  if (plan.moves.empty() && !view.state->Moving()) PlanTransfers(layout, plan, limit);
  plan.spread_after = layout.Spread();
  return plan;
}

double Spread(const ClusterView& view) {
  Plan unused;
  return view.state && view.state->bootstrapped() ? Layout(view, unused).Spread() : 0;
}

}  // namespace decree::rebalance
