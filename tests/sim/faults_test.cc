// Every kind of fault does something, and a cluster of four gets over it.
#include "tests/sim/faults.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/base/scale.h"
#include "tests/sim/final_checks.h"
#include "tests/sim/load.h"

namespace decree::sim {
namespace {

class FaultsTest : public testing::TestWithParam<std::tuple<Fault, Storage>> {
 protected:
  static ClusterOptions Options() {
    ClusterOptions options;
    options.storage = std::get<Storage>(GetParam());
    options.disks = 2;
    options.shards = 2;
    options.max_drift_ppm = 4'000;
    options.consensus.leases = false;  // some clocks do what leases do not allow
    return options;
  }

  void Form() {
    for (int i = 0; i < 4; ++i) {
      cluster_.Add();
      ASSERT_TRUE(cluster_.WaitReady(10 * kSeconds));
    }
    std::string problem;
    ASSERT_TRUE(cluster_.WaitSettled(60 * kSeconds, &problem)) << problem;
    cluster_.Admin(1, "PATCH", "/v1/admin/settings", R"({"dead_node_delay_s":3})");
  }

  // With moves in between: a map that is put back is old only if another has come.
  static FaultPlan ThreeOf(Fault kind) {
    FaultPlan plan;
    for (std::uint32_t i = 1; i <= 3; ++i) {
      plan.push_back({i, 4 * i * kSeconds, kind, 1 + i, 2 * kSeconds, 1'000 * i});
      if (kind != Fault::kOldMap) continue;
      plan.push_back({3 + i, (4 * i + 1) * kSeconds, Fault::kMove, 1 + i, kSeconds, 1'000 * i});
    }
    return plan;
  }

  World world_{17};
  Cluster cluster_{world_, Options()};
  History history_{world_};
  Load load_{cluster_, history_, {}};
  Faults faults_{cluster_};
};

TEST_P(FaultsTest, HappensAndIsGotOver) {
  Form();
  load_.Start();
  const Fault kind = std::get<Fault>(GetParam());
  faults_.Start(ThreeOf(kind));
  world_.RunFor(16 * kSeconds);
  faults_.Stop();
  faults_.HealAll();
  load_.Stop();
  ASSERT_TRUE(world_.RunUntil([this] { return load_.Idle(); }, 30 * kSeconds));
  EXPECT_GT(faults_.counts().count(FaultName(kind)), 0u);
  CheckAtRest(cluster_, history_, load_.Keys());
  for (const std::string& failure : world_.failures()) ADD_FAILURE() << failure;
}

std::vector<Fault> AllKinds() {
  std::vector<Fault> kinds;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) kinds.push_back(static_cast<Fault>(kind));
  return kinds;
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Fault, Storage>>& test) {
  const bool files = std::get<Storage>(test.param) == Storage::kFiles;
  return FaultName(std::get<Fault>(test.param)) + (files ? "_on_files" : "_in_memory");
}

// The real log and RocksDB alone where all is slower.
std::vector<Storage> Tiers() {
  if (test::Scaled(2) < 2) return {Storage::kFiles};
  return {Storage::kMemory, Storage::kFiles};
}

INSTANTIATE_TEST_SUITE_P(Every, FaultsTest,
                         testing::Combine(testing::ValuesIn(AllKinds()),
                                          testing::ValuesIn(Tiers())),
                         NameOf);

}  // namespace
}  // namespace decree::sim
