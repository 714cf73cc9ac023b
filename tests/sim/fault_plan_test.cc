#include "tests/sim/fault_plan.h"

#include <gtest/gtest.h>

#include "tests/sim/seed_run.h"

namespace decree::sim {
namespace {

FaultPlan PlanOf(std::uint64_t seed) {
  PlanOptions options;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    options.kinds.push_back(static_cast<Fault>(kind));
  }
  options.length = 60 * kSeconds;
  options.machines = 3;
  Random random(seed);
  return DrawPlan(random, options);
}

TEST(FaultPlanTest, IsInOrderOfTimeAndEachFaultHasANumberAndDiceOfItsOwn) {
  const FaultPlan plan = PlanOf(7);
  ASSERT_GT(plan.size(), 20u);
  std::set<std::uint32_t> numbers;
  std::set<std::uint64_t> dice;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_GT(plan[i].at, i > 0 ? plan[i - 1].at : 0);
    EXPECT_LT(plan[i].at, 60 * kSeconds);
    numbers.insert(plan[i].number);
    dice.insert(plan[i].dice);
  }
  EXPECT_EQ(numbers.size(), plan.size());
  EXPECT_EQ(dice.size(), plan.size());
}

TEST(FaultPlanTest, HitsOnlyMachinesThatThePlanItselfHasBroughtIn) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    MachineId machines = 3;
    for (const PlannedFault& fault : PlanOf(seed)) {
      if (fault.kind == Fault::kJoin) ++machines;
      EXPECT_LE(fault.machine, machines) << Describe(fault);
    }
    EXPECT_LE(machines, PlanOptions{}.max_machines);
  }
}

TEST(FaultPlanTest, SaysWhatWhenAndToWhom) {
  const PlannedFault fault{7, 12'345 * kMillis, Fault::kCrash, 2, 500 * kMillis, 0xabc};
  EXPECT_EQ(Describe(fault), "7 at 12.345 s: crash of node 2 for 0.500 s, dice 0000000000000abc");
}

TEST(FaultPlanTest, ASubsetOfASeedsPlanHoldsThoseFaultsUnchangedAndOnlyThoseHappen) {
  const SeedReport all = RunSeed({.seed = 3, .small = true});
  ASSERT_GE(all.plan.size(), 3u);
  const std::uint32_t one = all.plan[1].number;
  const std::uint32_t other = all.plan[2].number;
  const SeedReport some = RunSeed({.seed = 3, .small = true, .faults = {{one, other}}});
  ASSERT_EQ(some.plan.size(), 2u);
  EXPECT_EQ(Describe(some.plan[0]), Describe(all.plan[1]));
  EXPECT_EQ(Describe(some.plan[1]), Describe(all.plan[2]));
  EXPECT_LE(some.faults.size(), 4u);
  EXPECT_TRUE(RunSeed({.seed = 3, .small = true, .faults = {{}}}).faults.empty());
}

}  // namespace
}  // namespace decree::sim
