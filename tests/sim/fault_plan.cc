#include "tests/sim/fault_plan.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace decree::sim {

std::string FaultName(Fault fault) {
  static constexpr const char* kNames[] = {
      "crash",     "crash_all",    "stop",         "pause",        "split",
      "isolate",   "cut_link",     "quorum_loss",  "constrained",  "chain",
      "clog",      "slow_network", "replay",       "late_answers", "grantor_restarts",
      "late_calls", "slow_disk", "no_space",     "busy_files",   "stalled",      "fsync_fails",
      "rot_log",   "rot_rows",     "rot_snapshot", "wipe",         "old_rows",
      "old_map",   "wall_jump",    "suspend",      "drift",        "move",
      "disk_move", "transfer",     "cancel",       "rest",         "settings",
      "drain",     "join",         "trap"};
  static_assert(std::size(kNames) == kFaultKinds);
  return kNames[static_cast<std::size_t>(fault)];
}

namespace {

Nanos DrawBetween(Random& random, Nanos low, Nanos high) {
  return static_cast<Nanos>(random.Between(static_cast<std::uint64_t>(low),
                                           static_cast<std::uint64_t>(std::max(low, high))));
}

}  // namespace

FaultPlan DrawPlan(Random& random, const PlanOptions& options) {
  FaultPlan plan;
  if (options.kinds.empty()) return plan;
  MachineId machines = options.machines;
  Nanos at = 0;
  while ((at += DrawBetween(random, options.min_gap, options.max_gap)) < options.length) {
    PlannedFault fault;
    fault.number = static_cast<std::uint32_t>(plan.size() + 1);
    fault.at = at;
    fault.kind = options.kinds[random.Below(options.kinds.size())];
    fault.machine = 1 + static_cast<MachineId>(random.Below(machines));
    fault.outage = DrawBetween(random, 20 * kMillis, options.max_outage);
    fault.dice = random.Next();
    if (fault.kind == Fault::kJoin) {
      if (machines >= options.max_machines) continue;
      fault.machine = ++machines;
    }
    plan.push_back(fault);
  }
  return plan;
}

std::string Describe(const PlannedFault& fault) {
  char text[128];
  std::snprintf(
      text, sizeof text, "%u at %.3f s: %s of node %u for %.3f s, dice %016llx", fault.number,
      static_cast<double>(fault.at) / kSeconds, FaultName(fault.kind).c_str(), fault.machine,
      static_cast<double>(fault.outage) / kSeconds, static_cast<unsigned long long>(fault.dice));
  return text;
}

FaultPlan Subset(const FaultPlan& plan, const std::optional<std::set<std::uint32_t>>& numbers) {
  if (!numbers) return plan;
  FaultPlan kept;
  for (const PlannedFault& fault : plan) {
    if (numbers->contains(fault.number)) kept.push_back(fault);
  }
  return kept;
}

}  // namespace decree::sim
