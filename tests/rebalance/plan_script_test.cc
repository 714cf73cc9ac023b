#include "rebalance/plan_script.h"

#include <gtest/gtest.h>

namespace decree::rebalance {
namespace {

constexpr char kShards[] = R"("shards": [{"bytes": 1000, "count": 3}, {"ops_per_s": 2.5}])";
constexpr char kNodes[] = R"("nodes": [{"zone": "a", "disks": [100000, 200000], "count": 2}])";

Result<PlanScript> Read(const std::string& fields) { return ReadPlanScript("{" + fields + "}"); }
std::string Both() { return std::string(kNodes) + "," + kShards; }

TEST(PlanScriptTest, CountsRepeatAnEntry) {
  const auto script = Read(Both());
  ASSERT_TRUE(script) << script.error().ToString();
  EXPECT_EQ(script->replicas, 3u);
  ASSERT_EQ(script->nodes.size(), 2u);
  EXPECT_EQ(script->nodes[1].zone, "a");
  EXPECT_EQ(script->nodes[1].disk_bytes.size(), 2u);
  ASSERT_EQ(script->shards.size(), 4u);
  EXPECT_EQ(script->shards[2].bytes, 1000u);
  EXPECT_EQ(script->shards[3].ops_per_s, 2.5);
}

TEST(PlanScriptTest, ACountIsCheckedBeforeItIsMade) {
  EXPECT_FALSE(Read(std::string(kNodes) + R"(,"shards": [{"bytes": 1, "count": 4294967295}])"));
  EXPECT_FALSE(Read(std::string(kNodes) + R"(,"shards": [{"bytes": 1, "count": 0}])"));
}

TEST(PlanScriptTest, EventsHappenInTheirOrder) {
  const auto script = Read(Both() + R"(,"replicas": 1,
      "events": [{"add_node": {"disks": [100000]}}, {"drain": 3}, {"undrain": 3}, {"kill": 9},
                 {"resize": {"shard": 1, "bytes": 7}}])");
  ASSERT_TRUE(script) << script.error().ToString();
  ASSERT_EQ(script->events.size(), 5u);
  Result<PlanSim> sim = Begin(*script);
  ASSERT_TRUE(sim) << sim.error().ToString();
  for (const PlanEvent& event : script->events) {
    EXPECT_EQ(event.happen(*sim).has_value(), event.name != "kill") << event.name;
  }
  EXPECT_EQ(sim->state().nodes().size(), 3u);
}

TEST(PlanScriptTest, WhatMakesNoSenseIsNamed) {
  for (const auto& [fields, word] :
       std::map<std::string, std::string>{{kNodes, "shards"},
                                          {kShards, "nodes"},
                                          {Both() + R"(,"replicas": -1)", "replicas"},
                                          {Both() + R"(,"events": {})", "events"},
                                          {Both() + R"(,"events": [{"explode": 1}])", "explode"},
                                          {Both() + R"(,"events": [{"drain": "x"}])", "node"},
                                          {R"("nodes": [{"disks": ["x"]}])", "disk"}}) {
    const auto script = Read(fields);
    ASSERT_FALSE(script) << fields;
    EXPECT_EQ(script.error().code(), Errc::kInvalidArgument);
    EXPECT_NE(script.error().detail().find(word), std::string::npos) << script.error().ToString();
  }
  EXPECT_FALSE(ReadPlanScript("{"));
}

}  // namespace
}  // namespace decree::rebalance
