#include "server/node/admin_service.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "placement_world.h"
#include "server/node/move_driver.h"
#include "server/node/placement_leader.h"

namespace decree::node {
namespace {

namespace json = boost::json;

class AdminServiceTest : public ::testing::Test {
 protected:
  AdminServiceTest() {
    leader_.Start();
    Report();
  }
  void Report() {
    for (const auto& [id, node] : world_.state()->nodes()) leader_.OnReport(world_.Report(id));
  }
  AdminResponse Ask(const std::string& method, const std::string& target,
                    const std::string& body = "") {
    std::optional<AdminResponse> answer;
    service_.Handle({method, "/v1/admin/" + target, body},
                    [&](AdminResponse response) { answer = std::move(response); });
    EXPECT_TRUE(world_.clock().RunUntil([&] { return answer.has_value(); }));
    return answer.value_or(AdminResponse{});
  }
  json::value Get(const std::string& target) {
    const AdminResponse response = Ask("GET", target);
    EXPECT_EQ(response.status, 200u) << response.body;
    return json::parse(response.body);
  }
  void ExpectProblem(const AdminResponse& response, std::uint32_t status, const char* code) {
    EXPECT_EQ(response.status, status) << response.body;
    const json::value body = json::parse(response.body);
    EXPECT_EQ(body.at("code").as_string(), code);
    EXPECT_EQ(body.at("status").to_number<int>(), static_cast<int>(status));
    EXPECT_TRUE(body.at("retryable").is_bool());
    EXPECT_EQ(body.at("outcome").as_string(), "not_applied");
    EXPECT_FALSE(body.at("detail").as_string().empty());
  }
  // Shard 0 has voters on nodes 1 to 3; a move of the one on node 2 to node 4 waits for its Seal.
  MoveId MoveOfAThirdVoterAtSeal() {
    mover_.Start();
    for (const std::uint32_t node : {2, 3, 4}) world_.Join(node);
    const auto run = [&](MoveId id, rebalance::Stage stage) {
      EXPECT_TRUE(world_.clock().RunUntil([&] { return world_.Move(id).stage == stage; }));
      return id;
    };
    for (const std::uint32_t node : {2, 3}) {
      run(world_.Start(ShardId{0}, ReplicaId{}, NodeId{node}), rebalance::Stage::kDone);
    }
    world_.refused.insert(ChangeKind::kSeal);
    const MoveId id =
        run(world_.Start(ShardId{0}, ReplicaId{2}, NodeId{4}), rebalance::Stage::kSeal);
    mover_.Stop();
    world_.clock().RunFor(5s);
    world_.refused.clear();
    return id;
  }
  static std::vector<std::string> Keys(const json::value& value) {
    std::vector<std::string> keys;
    for (const auto& item : value.as_object()) keys.emplace_back(item.key());
    return keys;
  }

  PlacementWorld world_;
  PlacementLeader leader_{world_};
  MoveDriver mover_{world_};
  AdminService service_{world_, leader_, mover_};
};

using ::testing::IsSupersetOf;

TEST_F(AdminServiceTest, ClusterHasTheFieldsOfTheContract) {
  const json::value cluster = Get("cluster");
  EXPECT_THAT(Keys(cluster),
              IsSupersetOf({"cluster_id", "leader", "nodes_up", "nodes_total", "shards", "replicas",
                            "shards_healthy", "shards_under_replicated", "shards_leaderless",
                            "moves_active", "rebalance", "spread"}));
  EXPECT_EQ(cluster.at("nodes_up").to_number<int>(), 1);
  EXPECT_EQ(cluster.at("shards").to_number<int>(), 2);
  EXPECT_EQ(cluster.at("shards_healthy").to_number<int>(), 2);
  EXPECT_EQ(cluster.at("shards_leaderless").to_number<int>(), 0);
  EXPECT_EQ(cluster.at("rebalance").as_string(), "on");
}

TEST_F(AdminServiceTest, UnderReplicatedCountsAgainstNodesNotRemoved) {
  world_.Join(2);
  Report();
  EXPECT_EQ(Get("cluster").at("shards_under_replicated").to_number<int>(), 0);
  world_.Join(3);
  Report();
  EXPECT_EQ(Get("cluster").at("shards_under_replicated").to_number<int>(), 2);
  EXPECT_EQ(Get("cluster").at("shards_healthy").to_number<int>(), 0);
}

TEST_F(AdminServiceTest, NodesAndShardsHaveTheFieldsOfTheContract) {
  const json::value node = Get("nodes").at("nodes").at(0);
  EXPECT_THAT(Keys(node), IsSupersetOf({"id", "name", "rpc", "http", "zone", "state", "disks",
                                        "replicas", "leaders", "bytes", "ops_per_s"}));
  EXPECT_EQ(node.at("state").as_string(), "up");
  EXPECT_EQ(node.at("replicas").to_number<int>(), 2) << "the placement group is no shard";
  EXPECT_EQ(node.at("leaders").to_number<int>(), 2);
  EXPECT_THAT(Keys(node.at("disks").at(0)),
              IsSupersetOf({"id", "path", "capacity_bytes", "used_bytes", "state"}));
  const json::value shards = Get("shards");
  EXPECT_EQ(shards.at("shards").as_array().size(), 2u);
  const json::value shard = Get("shards/1");
  EXPECT_THAT(Keys(shard), IsSupersetOf({"id", "hash_start", "hash_end", "epoch", "leader",
                                         "replicas", "keys", "bytes", "ops_per_s"}));
  EXPECT_EQ(shard.at("hash_start").as_string(), "8000000000000000");
  EXPECT_EQ(shard.at("hash_end").as_string(), "ffffffffffffffff");
  EXPECT_EQ(shard.at("leader").to_number<int>(), 1);
  EXPECT_EQ(shard.at("keys").to_number<int>(), 7);
  EXPECT_THAT(Keys(shard.at("replicas").at(0)),
              IsSupersetOf({"replica", "node", "disk", "role", "applied"}));
}

TEST_F(AdminServiceTest, AMoveIsAcceptedShownAndCancelled) {
  world_.Join(2);
  const AdminResponse started = Ask("POST", "moves", R"({"shard":1,"from":1,"to":2,"to_disk":0})");
  ASSERT_EQ(started.status, 202u) << started.body;
  EXPECT_EQ(started.location, "/v1/admin/moves/1");
  EXPECT_EQ(json::parse(started.body).at("id").to_number<int>(), 1);
  const json::value move = Get("moves/1");
  EXPECT_THAT(Keys(move),
              IsSupersetOf({"id", "shard", "from", "to", "from_disk", "to_disk", "stage", "reason",
                            "bytes_total", "bytes_done", "bytes_per_s", "eta_s", "lag",
                            "switch_pause_ms", "digest", "error", "created", "finished"}));
  EXPECT_EQ(move.at("stage").as_string(), "intent");
  EXPECT_EQ(Get("moves").at("moves").as_array().size(), 1u);
  ExpectProblem(Ask("POST", "moves", R"({"shard":1,"from":1,"to":2})"), 409, "conflict");
  EXPECT_EQ(Ask("DELETE", "moves/1").status, 200u);
  EXPECT_TRUE(world_.Move(MoveId{1}).cancelled);
}

TEST_F(AdminServiceTest, AMoveIsPausedAndResumed) {
  world_.Join(2);
  const MoveId id = world_.Start(ShardId{0}, ReplicaId{1}, NodeId{2});
  const AdminResponse paused = Ask("POST", "moves/1:pause");
  EXPECT_EQ(paused.status, 200u) << paused.body;
  EXPECT_EQ(json::parse(paused.body).at("error").as_string(), "paused by an operator");
  mover_.Start();
  for (int second = 0; second < 200; ++second) {
    Report();
    world_.clock().RunFor(1s);
  }
  EXPECT_EQ(world_.Move(id).stage, rebalance::Stage::kIntent) << "a pause is no stall";
  EXPECT_EQ(Ask("POST", "moves/1:resume").status, 200u);
  ASSERT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }));
  EXPECT_EQ(world_.Move(id).stage, rebalance::Stage::kDone);
  ExpectProblem(Ask("POST", "moves/1:pause"), 409, "conflict");
  ExpectProblem(Ask("POST", "moves/9:pause"), 404, "not_found");
}

TEST_F(AdminServiceTest, CancelIsAConflictOnceTheSwitchIsDecided) {
  world_.Join(2);
  const MoveId id = world_.Start(ShardId{0}, ReplicaId{1}, NodeId{2});
  for (int stage = 1; stage <= static_cast<int>(rebalance::Stage::kActivate); ++stage) {
    rebalance::AdvanceMove advance;
    advance.move = id;
    advance.stage = static_cast<rebalance::Stage>(stage);
    world_.Apply(advance);
  }
  ExpectProblem(Ask("DELETE", "moves/1"), 409, "conflict");
}

// The shard's log may have chosen the Seal before the placement group knows: the answer to a cancel
// waits for the log's word.
TEST_F(AdminServiceTest, CancelIsAConflictWhenTheSealIsChosenAndNobodyKnowsYet) {
  const MoveId id = MoveOfAThirdVoterAtSeal();
  consensus::Config& config = world_.shard(ShardId{0}).config;
  config.epoch = config.epoch.Next();
  config.voters = {{ReplicaId{1}, NodeId{1}},
                   {ReplicaId{3}, NodeId{3}},
                   {world_.Move(id).target.replica, NodeId{4}}};
  config.learners.clear();
  config.ended_move = id;
  world_.shard(ShardId{0}).started = config.epoch;
  mover_.Start();
  ExpectProblem(Ask("DELETE", "moves/" + ToString(id)), 409, "conflict");
  ASSERT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }));
  EXPECT_EQ(world_.Move(id).stage, rebalance::Stage::kDone);
}

TEST_F(AdminServiceTest, ACancelAtStageSealSucceedsWhenTheLogSaysSo) {
  const MoveId id = MoveOfAThirdVoterAtSeal();
  // The Seal is always a moment too late, as if the leader's pipeline did not drain.
  world_.refused.insert(ChangeKind::kSeal);
  mover_.Start();
  const AdminResponse answer = Ask("DELETE", "moves/" + ToString(id));
  EXPECT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(world_.Move(id).stage, rebalance::Stage::kRolledBack);
  EXPECT_EQ(Ask("DELETE", "moves/" + ToString(id)).status, 200u) << "again: the same answer";
}

TEST_F(AdminServiceTest, ACancelThatTheLogDoesNotAnswerHasAnUnknownOutcome) {
  const MoveId id = MoveOfAThirdVoterAtSeal();
  const AdminResponse answer = Ask("DELETE", "moves/" + ToString(id));  // nobody drives the move
  EXPECT_EQ(answer.status, 504u);
  EXPECT_EQ(json::parse(answer.body).at("outcome").as_string(), "unknown");
}

TEST_F(AdminServiceTest, MovesThatMakeNoSenseSayWhy) {
  world_.Join(2);
  ExpectProblem(Ask("POST", "moves", R"({"shard":9,"from":1,"to":2})"), 422, "impossible");
  ExpectProblem(Ask("POST", "moves", R"({"shard":1,"from":2,"to":1})"), 422, "impossible");
  ExpectProblem(Ask("POST", "moves", R"({"shard":1,"from":1,"to":9})"), 422, "impossible");
  ExpectProblem(Ask("POST", "moves", R"({"shard":1,"from":1,"to":1})"), 422, "impossible");
  ExpectProblem(Ask("POST", "moves", R"({"shard":1,"from":1,"to":2,"to_disk":7})"), 422,
                "impossible");
  ExpectProblem(Ask("POST", "moves", R"({"shard":1})"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "moves", R"({"shard":-1,"to":2})"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "moves", R"({"shard":"x","to":2})"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "moves", "not json"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "moves", "[1]"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, UnknownThingsAreNotFound) {
  for (const char* target : {"shards/99", "moves/5", "nonsense", "plan/1", "cluster/1"}) {
    ExpectProblem(Ask("GET", target), 404, "not_found");
  }
  ExpectProblem(Ask("POST", "nodes/9:drain"), 404, "not_found");
  ExpectProblem(Ask("POST", "nodes/1:dance"), 404, "not_found");
  ExpectProblem(Ask("GET", "shards/99999999999999999999"), 400, "invalid_argument");
  ExpectProblem(Ask("GET", "shards/-1"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, AWrongMethodNamesTheRightOnes) {
  const AdminResponse response = Ask("DELETE", "moves");
  ExpectProblem(response, 405, "invalid_argument");
  EXPECT_EQ(response.allow, "GET, POST");
  EXPECT_EQ(Ask("GET", "nodes/1:drain").allow, "POST");
}

TEST_F(AdminServiceTest, ANodeIsMaintainedForAWhile) {
  world_.Join(2);
  Report();
  EXPECT_EQ(Ask("POST", "nodes/2:drain", R"({"for_s":600})").status, 202u);
  const auto state = [&] { return Get("nodes").at("nodes").at(1).at("state").as_string(); };
  EXPECT_EQ(state(), "drained") << "it leads nothing";
  EXPECT_EQ(world_.state()->Node(NodeId{2})->state, rebalance::NodeState::kUp);
  EXPECT_EQ(Ask("POST", "nodes/2:undrain").status, 202u);
  EXPECT_EQ(state(), "up");
  ExpectProblem(Ask("POST", "nodes/2:undrain"), 409, "conflict");
  ExpectProblem(Ask("POST", "nodes/2:drain", R"({"for_s":0})"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "nodes/2:drain", R"({"for_s":100000})"), 400, "invalid_argument");
  ExpectProblem(Ask("POST", "nodes/2:drain", "{}"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, NodesAreDrainedUndrainedAndRemoved) {
  ExpectProblem(Ask("POST", "nodes/1:drain"), 422, "impossible");
  world_.Join(2);
  EXPECT_EQ(Ask("POST", "nodes/1:drain").status, 202u);
  Report();
  EXPECT_EQ(Get("nodes").at("nodes").at(0).at("state").as_string(), "draining");
  EXPECT_EQ(Ask("POST", "nodes/1:undrain").status, 202u);
  ExpectProblem(Ask("POST", "nodes/1:undrain"), 409, "conflict");
  ExpectProblem(Ask("POST", "nodes/1:remove"), 422, "impossible");
  EXPECT_EQ(Ask("POST", "nodes/2:remove").status, 202u);
  EXPECT_EQ(Get("nodes").at("nodes").at(1).at("state").as_string(), "removed");
}

TEST_F(AdminServiceTest, ADrainWithoutRoomElsewhereIsRefusedWithTheReason) {
  world_.Join(2);
  Report();
  NodeReport full = world_.Report(NodeId{2});
  full.disks.front().used_bytes = full.disks.front().capacity_bytes;
  leader_.OnReport(full);
  const AdminResponse refused = Ask("POST", "nodes/1:drain");
  ExpectProblem(refused, 422, "impossible");
  EXPECT_THAT(refused.body, ::testing::HasSubstr("too full"));
}

TEST_F(AdminServiceTest, ASilentNodeIsSuspect) {
  world_.Join(2);
  Report();
  world_.clock().RunFor(2s);
  leader_.OnReport(world_.Report(NodeId{1}));
  world_.clock().RunFor(2s);
  leader_.OnReport(world_.Report(NodeId{1}));
  EXPECT_EQ(Get("nodes").at("nodes").at(1).at("state").as_string(), "suspect");
  EXPECT_EQ(Get("cluster").at("nodes_up").to_number<int>(), 1);
}

TEST_F(AdminServiceTest, SettingsArePatchedFieldByField) {
  const AdminResponse patched =
      Ask("PATCH", "settings", R"({"rebalance":"off","dead_node_delay_s":3})");
  ASSERT_EQ(patched.status, 200u) << patched.body;
  const json::value settings = Get("settings");
  EXPECT_THAT(Keys(settings),
              IsSupersetOf({"rebalance", "repair", "drain", "replicas", "threshold_percent",
                            "move_rate_bytes_per_s", "moves_per_disk", "dead_node_delay_s",
                            "switch_wait_ms"}));
  EXPECT_EQ(settings.at("rebalance").as_string(), "off");
  EXPECT_EQ(settings.at("dead_node_delay_s").to_number<int>(), 3);
  EXPECT_EQ(settings.at("repair").as_string(), "on");
  ExpectProblem(Ask("PATCH", "settings", R"({"volume":11})"), 400, "invalid_argument");
  ExpectProblem(Ask("PATCH", "settings", R"({"replicas":"many"})"), 400, "invalid_argument");
  ExpectProblem(Ask("PATCH", "settings", R"({"replicas":99})"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, TwoPatchesAtOnceBothHold) {
  std::vector<std::uint32_t> answers;
  for (const char* body : {R"({"rebalance":"off"})", R"({"dead_node_delay_s":3})"}) {
    service_.Handle({"PATCH", "/v1/admin/settings", body},
                    [&](const AdminResponse& answer) { answers.push_back(answer.status); });
  }
  ASSERT_TRUE(world_.clock().RunUntil([&] { return answers.size() == 2; }));
  EXPECT_EQ(answers, (std::vector<std::uint32_t>{200, 200}));
  EXPECT_FALSE(world_.state()->settings().rebalance);
  EXPECT_EQ(world_.state()->settings().dead_node_delay_s, 3u);
}

TEST_F(AdminServiceTest, DecreesComeInOrderByPages) {
  world_.Join(2);
  const json::value all = Get("decrees");
  ASSERT_EQ(all.at("decrees").as_array().size(), 2u);
  EXPECT_THAT(Keys(all.at("decrees").at(0)), IsSupersetOf({"slot", "time", "kind", "shard", "move",
                                                           "proposer", "reason", "outcome"}));
  EXPECT_EQ(all.at("decrees").at(0).at("kind").as_string(), "bootstrap");
  EXPECT_EQ(Get("decrees?limit=1").at("decrees").as_array().size(), 1u);
  const json::value second = Get("decrees?from=2&limit=10");
  EXPECT_EQ(second.at("decrees").at(0).at("kind").as_string(), "node_join");
  ExpectProblem(Ask("GET", "decrees?from=x"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, APageOfDecreesNeverEndsInsideASlot) {
  for (int i = 0; i < 3; ++i) {
    const_cast<rebalance::PlacementState*>(world_.state())
        ->Apply(Slot{50}, 1, {NodeId{1}, rebalance::CancelMove{MoveId{9}, ""}});
  }
  EXPECT_EQ(Get("decrees?from=50&limit=1").at("decrees").as_array().size(), 3u);
}

TEST_F(AdminServiceTest, ThePlanIsShownAndNotRun) {
  world_.Join(2);
  ExpectProblem(Ask("POST", "plan"), 503, "unavailable");
  Report();
  const AdminResponse response = Ask("POST", "plan");
  ASSERT_EQ(response.status, 200u);
  const json::value plan = json::parse(response.body);
  EXPECT_EQ(plan.at("moves").as_array().size(), 3u);
  EXPECT_THAT(
      Keys(plan.at("moves").at(0)),
      IsSupersetOf({"shard", "from", "to", "from_disk", "to_disk", "reason", "bytes", "seconds"}));
  EXPECT_THAT(Keys(plan), IsSupersetOf({"id", "moves", "rejected", "bytes", "seconds",
                                        "spread_before", "spread_after"}));
  EXPECT_TRUE(world_.state()->moves().empty());
}

TEST_F(AdminServiceTest, AShownPlanIsExecutedAsSuch) {
  world_.Join(2);
  Report();
  const json::value first = json::parse(Ask("POST", "plan").body);
  const json::value second = json::parse(Ask("POST", "plan").body);
  EXPECT_NE(first.at("id"), second.at("id"));
  const std::string id = std::to_string(first.at("id").to_number<std::uint64_t>());
  const AdminResponse response = Ask("POST", "plan/" + id + ":execute");
  ASSERT_EQ(response.status, 202u) << response.body;
  EXPECT_EQ(json::parse(response.body).at("moves"), 3);
  ASSERT_EQ(world_.state()->approved().size(), 3u);
  const rebalance::StartMove& move = world_.state()->approved().begin()->second;
  EXPECT_EQ(move.reason, std::string(first.at("moves").at(0).at("reason").as_string()));
  EXPECT_EQ(Ask("DELETE", "plan").status, 200u);
  EXPECT_TRUE(world_.state()->approved().empty()) << "nothing more of it starts";
  ExpectProblem(Ask("POST", "plan/7:execute"), 404, "not_found");
  ExpectProblem(Ask("POST", "plan/x:execute"), 404, "not_found");
}

TEST_F(AdminServiceTest, LeadershipGoesToAVoterOnly) {
  world_.Join(2);
  ExpectProblem(Ask("POST", "shards/0:transfer-leader", R"({"to":2})"), 422, "impossible");
  EXPECT_EQ(Ask("POST", "shards/0:transfer-leader", R"({"to":1})").status, 202u);
  ExpectProblem(Ask("POST", "shards/0:transfer-leader"), 400, "invalid_argument");
}

TEST_F(AdminServiceTest, CheckComparesTheDigestsAtOneSlot) {
  AdminResponse response = Ask("POST", "shards/0:check");
  ASSERT_EQ(response.status, 200u) << response.body;
  json::value check = json::parse(response.body);
  EXPECT_TRUE(check.at("equal").as_bool());
  EXPECT_EQ(check.at("slot").to_number<int>(), 11);
  EXPECT_EQ(check.at("replicas").at(0).at("digest").as_string(), "good");
  EXPECT_EQ(Ask("POST", "shards/placement:check").status, 200u);
}

TEST_F(AdminServiceTest, Scenario21_CheckTellsADifferenceAndASilentReplica) {
  mover_.Start();
  for (const std::uint32_t node : {2, 3}) {
    world_.Join(node);
    const MoveId id = world_.Start(ShardId{0}, ReplicaId{}, NodeId{node});
    ASSERT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }));
  }
  EXPECT_TRUE(json::parse(Ask("POST", "shards/0:check").body).at("equal").as_bool());
  world_.corrupted.insert(ReplicaId{2});
  EXPECT_FALSE(json::parse(Ask("POST", "shards/0:check").body).at("equal").as_bool());
  world_.corrupted.clear();
  world_.down.insert(NodeId{3});
  const json::value check = json::parse(Ask("POST", "shards/0:check").body);
  EXPECT_FALSE(check.at("equal").as_bool());
  EXPECT_TRUE(check.at("replicas").at(2).at("digest").is_null());
}

TEST_F(AdminServiceTest, ChecksAtOnceShareOneMark) {
  std::vector<std::string> answers;
  for (int i = 0; i < 3; ++i) {
    service_.Handle({"POST", "/v1/admin/shards/0:check", ""},
                    [&](const AdminResponse& answer) { answers.push_back(answer.body); });
  }
  ASSERT_TRUE(world_.clock().RunUntil([&] { return answers.size() == 3; }));
  EXPECT_EQ(std::count(world_.calls.begin(), world_.calls.end(), Method::kWrite), 1);
  EXPECT_EQ(answers[0], answers[2]);
  EXPECT_NE(Ask("POST", "shards/0:check").body, answers[0]) << "the next one marks anew";
}

TEST_F(AdminServiceTest, ACheckTakesTheTimeThatItsCallerHas) {
  mover_.Start();
  for (const std::uint32_t node : {2, 3}) {
    world_.Join(node);
    const MoveId id = world_.Start(ShardId{0}, ReplicaId{}, NodeId{node});
    ASSERT_TRUE(world_.clock().RunUntil([&] { return world_.Ended(id); }));
  }
  world_.down.insert(NodeId{3});
  std::optional<bool> hasty, patient;
  const auto check = [&](std::uint64_t timeout_ms, std::optional<bool>& equal) {
    service_.Handle({"POST", "/v1/admin/shards/0:check", "", timeout_ms},
                    [&equal](const AdminResponse& answer) {
                      equal = json::parse(answer.body).at("equal").as_bool();
                    });
  };
  check(1000, hasty);
  check(60'000, patient);
  world_.clock().RunFor(1s);
  EXPECT_EQ(hasty, false);
  world_.clock().RunFor(10s);
  EXPECT_FALSE(patient.has_value());
  world_.down.clear();
  ASSERT_TRUE(world_.clock().RunUntil([&] { return patient.has_value(); }));
  EXPECT_EQ(patient, true);
}

TEST_F(AdminServiceTest, WithoutLeadershipNothingIsAnswered) {
  leader_.Stop();
  ExpectProblem(Ask("GET", "cluster"), 503, "unavailable");
}

}  // namespace
}  // namespace decree::node
