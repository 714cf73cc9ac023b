// Scenarios of elections (tests/README.md) with whole nodes.
#include <algorithm>
#include <map>
#include <set>

#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

class ElectionScenarioTest : public ScenarioTest {
 protected:
  void ExpectEveryShardTakesAWriteAt(MachineId at) {
    for (std::uint32_t shard = 0; shard < cluster_->options().shards; ++shard) {
      const auto put = cluster_->Put(at, cluster_->KeyOf(ShardId{shard}), "v", 5s);
      EXPECT_EQ(put.code, Errc::kOk) << "shard " << shard << ": " << put.detail;
    }
  }
};

// The partial partitions of the OmniPaxos paper.
TEST_F(ElectionScenarioTest, Scenario22_AChainOfThreeMakesProgress) {
  Form(3);
  cluster_->network().CutBothWays({1}, {3});
  world_.RunFor(3 * kSeconds);
  ExpectEveryShardTakesAWriteAt(2);
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// All hear machine 3 alone: the leaders lose their quorums, and only 3 can have one.
TEST_F(ElectionScenarioTest, Scenario22_WhereOnlyOneMachineHearsAQuorumItLeads) {
  ClusterOptions options;
  options.replicas = 5;
  options.shards = 2;
  Form(5, options);
  for (const MachineId a : {1, 2, 4, 5}) {
    for (const MachineId b : {1, 2, 4, 5}) {
      if (a < b) cluster_->network().CutBothWays({a}, {b});
    }
  }
  world_.RunFor(5 * kSeconds);
  ExpectEveryShardTakesAWriteAt(3);
  for (const auto& [shard, leader] : Leaders()) EXPECT_EQ(leader, 3u) << "shard " << shard;
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// It sends and hears nothing: what it led passes on, and nobody else's leadership is disturbed.
TEST_F(ElectionScenarioTest, Scenario23_ADeafMachineDeposesNoLeader) {
  Form(3);
  const auto before = Leaders();
  MachineId deaf = 3;
  const auto led_by = [&](MachineId id) {
    return std::count_if(before.begin(), before.end(),
                         [id](const auto& entry) { return entry.second == id; });
  };
  while (deaf > 1 && led_by(deaf) == static_cast<std::ptrdiff_t>(before.size())) --deaf;
  cluster_->network().Isolate(deaf, true, false, 3);
  world_.RunFor(5 * kSeconds);
  for (const auto& [shard, leader] : Leaders()) {
    if (before.at(shard) != deaf) {
      EXPECT_EQ(leader, before.at(shard)) << "shard " << shard;
    }
  }
  ExpectEveryShardTakesAWriteAt(OthersThan(deaf).front());
  cluster_->network().HealAll();
  ExpectAllIsWell();
}

// Back after a long time alone, it has no higher ballot to make others give way with.
TEST_F(ElectionScenarioTest, Scenario24_AMachineThatWasCutOffComesBackWithoutAnElection) {
  Form(3);
  Patch(R"({"rebalance":"off"})");  // no leader is handed over for balance
  const auto before = Leaders();
  const MachineId lone = 1 + before.at(0) % 3;  // not the leader of shard 0
  cluster_->network().CutBothWays({lone}, OthersThan(lone));
  world_.RunFor(20 * kSeconds);
  std::set<std::uint32_t> campaigned;
  cluster_->network().core_checker().on_step =
      [&](ReplicaKey key, const consensus::Replica& replica, const consensus::Output&) {
        if (replica.role() == consensus::Role::kCandidate) campaigned.insert(key.shard.value);
      };
  const auto others = Leaders();
  cluster_->network().HealAll();
  world_.RunFor(3 * kSeconds);
  EXPECT_TRUE(campaigned.empty()) << campaigned.size() << " shards held an election";
  EXPECT_EQ(Leaders(), others);
  ExpectEveryShardTakesAWriteAt(lone);
  ExpectAllIsWell();
}

// Two of seven machines lose power at once, and with them many leaders.
TEST_F(ElectionScenarioTest, Scenario49_ElectionsAfterManyDeathsAreStaggeredAndHeartbeatsHold) {
  ClusterOptions options;
  options.replicas = 5;
  options.shards = 32;
  Form(7, options);
  const auto before = Leaders();
  std::map<MachineId, std::size_t> led;
  for (const auto& [shard, leader] : before) ++led[leader];
  std::vector<std::pair<std::size_t, MachineId>> by_count;
  for (const auto& [machine, count] : led) by_count.emplace_back(count, machine);
  std::sort(by_count.rbegin(), by_count.rend());
  ASSERT_GE(by_count.size(), 2u);
  const std::set<MachineId> dead = {by_count[0].second, by_count[1].second};

  std::map<std::uint32_t, std::vector<Nanos>> campaigns;  // of each shard
  cluster_->network().core_checker().on_step =
      [&](ReplicaKey key, const consensus::Replica& replica, const consensus::Output& output) {
        const bool begins = replica.role() == consensus::Role::kCandidate && output.persist &&
                            output.persist->promised;
        if (begins) campaigns[key.shard.value].push_back(world_.now());
      };
  const Nanos death = world_.now();
  for (const MachineId id : dead) cluster_->node(id).Crash();
  world_.RunFor(3 * kSeconds);
  cluster_->network().core_checker().on_step = nullptr;

  std::set<Nanos> moments;
  std::size_t orphans = 0;
  std::size_t rounds = 0;
  for (const auto& [shard, leader] : before) {
    const auto& held = campaigns[shard];
    if (!dead.contains(leader)) {
      EXPECT_TRUE(held.empty()) << "the leader of shard " << shard << " lives, heartbeats hold";
      continue;
    }
    ++orphans;
    rounds += held.size();
    ASSERT_FALSE(held.empty()) << "shard " << shard;
    moments.insert(held.front());
    EXPECT_LT(held.back() - death, 2 * kSeconds) << "shard " << shard;
  }
  ASSERT_GE(orphans, 8u);
  EXPECT_LE(rounds, 2 * orphans) << "few duels";
  // Timeouts are drawn from [250 ms, 500 ms] for each replica: the storm has no front.
  EXPECT_GE(*moments.rbegin() - *moments.begin(), 50 * kMillis);
  std::vector<Nanos> in_order(moments.begin(), moments.end());
  const std::size_t most = std::max<std::size_t>(4, orphans / 2);
  for (std::size_t i = 0; i + most < in_order.size(); ++i) {
    EXPECT_GT(in_order[i + most] - in_order[i], 5 * kMillis) << "too many at one moment";
  }
  for (const auto& [shard, leader] : Leaders()) {
    EXPECT_FALSE(dead.contains(leader));
    if (!dead.contains(before.at(shard))) {
      EXPECT_EQ(leader, before.at(shard)) << "shard " << shard;
    }
  }
  for (const MachineId id : dead) cluster_->node(id).Boot();
  ExpectAllIsWell();
}

}  // namespace
}  // namespace decree::sim
