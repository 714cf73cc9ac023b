// The stage on which scenarios are told: a cluster, its clients, and the words of both.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/final_checks.h"
#include "tests/sim/load.h"

namespace decree::sim {

class ScenarioTest : public testing::Test {
 protected:
  void Form(MachineId machines, ClusterOptions options = {}) {
    cluster_ = std::make_unique<Cluster>(world_, options);
    history_ = std::make_unique<History>(world_);
    for (MachineId i = 0; i < machines; ++i) {
      cluster_->Add();
      ASSERT_TRUE(cluster_->WaitReady(10 * kSeconds)) << "machine " << i + 1;
    }
    std::string problem;
    ASSERT_TRUE(cluster_->WaitSettled(60 * kSeconds, &problem)) << problem;
  }

  void StartLoad(LoadOptions options = {}) {
    load_ = std::make_unique<Load>(*cluster_, *history_, options);
    load_->Start();
  }

  void StopLoad() {
    load_->Stop();
    ASSERT_TRUE(world_.RunUntil([this] { return load_->Idle(); }, 30 * kSeconds));
  }

  void ExpectAllIsWell() {
    CheckAtRest(*cluster_, *history_, load_ ? load_->Keys() : std::vector<std::string>{});
    for (const std::string& failure : world_.failures()) ADD_FAILURE() << failure;
  }

  // ---- who and where ----

  std::vector<MachineId> OthersThan(MachineId one) {
    std::vector<MachineId> others;
    for (MachineId id = 1; id <= cluster_->size(); ++id) {
      if (id != one) others.push_back(id);
    }
    return others;
  }

  MachineId AwaitLeader(std::uint32_t shard) {
    std::optional<MachineId> leader;
    EXPECT_TRUE(WaitUntil(
        [&] {
          leader = cluster_->LeaderOf(ShardId{shard});
          return leader.has_value();
        },
        10 * kSeconds))
        << "shard " << shard << " has no leader";
    return leader.value_or(1);
  }

  std::map<std::uint32_t, MachineId> Leaders() {
    std::map<std::uint32_t, MachineId> leaders;
    for (std::uint32_t shard = 0; shard < cluster_->options().shards; ++shard) {
      leaders[shard] = AwaitLeader(shard);
    }
    return leaders;
  }

  std::vector<consensus::Member> VotersOf(std::uint32_t shard) {
    const auto status = cluster_->Status(AwaitLeader(shard), ShardId{shard});
    return status ? status->config.voters : std::vector<consensus::Member>();
  }

  // The replica of the shard on a machine.
  ReplicaId ReplicaOn(MachineId at, std::uint32_t shard) {
    for (const consensus::Member& voter : VotersOf(shard)) {
      if (voter.node.value == at) return voter.id;
    }
    return {};
  }

  // Some machine that holds no replica of the shard.
  MachineId MachineWithout(std::uint32_t shard) {
    for (MachineId id = 1; id <= cluster_->size(); ++id) {
      if (ReplicaOn(id, shard) == ReplicaId{}) return id;
    }
    ADD_FAILURE() << "every machine holds shard " << shard;
    return 1;
  }

  // ---- moves ----

  std::string StartMove(std::uint32_t shard, MachineId from, MachineId to) {
    const auto answer = cluster_->Admin(AwaitLeader(shard), "POST", "/v1/admin/moves",
                                        "{\"shard\":" + std::to_string(shard) +
                                            ",\"from\":" + std::to_string(from) +
                                            ",\"to\":" + std::to_string(to) + "}");
    EXPECT_TRUE(answer && answer->status == 202) << (answer ? answer->body : "no answer");
    return answer ? answer->location : "";
  }

  // `move` is the location that StartMove gave.
  std::string StageOf(const std::string& move) {
    const std::optional<MachineId> at = cluster_->AnyUp();
    const auto answer = at ? cluster_->Admin(*at, "GET", move) : std::nullopt;
    if (!answer || answer->status != 200) return "unknown";
    return boost::json::parse(answer->body).at("stage").as_string().c_str();
  }

  // ---- settings, nodes, time ----

  void Patch(const std::string& settings) {
    const auto answer = cluster_->Admin(1, "PATCH", "/v1/admin/settings", settings);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200u) << answer->body;
  }

  std::string StateOf(MachineId id) {
    const auto answer = cluster_->Admin(1, "GET", "/v1/admin/nodes");
    if (!answer || answer->status != 200) return "unknown";
    const boost::json::value nodes = boost::json::parse(answer->body);
    return nodes.at("nodes").at(id - 1).at("state").as_string().c_str();
  }

  // Asks every half second.
  bool WaitUntil(const std::function<bool()>& condition, Nanos at_most) {
    for (const Nanos end = world_.now() + at_most; world_.now() < end;) {
      if (condition()) return true;
      world_.RunFor(500 * kMillis);
    }
    return false;
  }

  World world_{42};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<History> history_;
  std::unique_ptr<Load> load_;
};

}  // namespace decree::sim
