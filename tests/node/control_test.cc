#include "server/node/control.h"

#include <gmock/gmock.h>

#include "kv/store/kv_rows.h"
#include "node_world.h"

namespace decree::node {
namespace {

// Shard 0 and the placement group live on the first disk, shard 1 on the second, and so on.
constexpr ReplicaKey kFirst{ShardId{0}, ReplicaId{1}};

class ControlTest : public ::testing::Test {
 protected:
  WorldNode& Founder(std::size_t disks) {
    WorldNode& node = world_.Add("a:1", disks);
    node.Start();
    EXPECT_TRUE(world_.RunUntilReady());
    return node;
  }
  RpcResponse Create(WorldNode& node, ReplicaKey key, std::size_t disk) {
    const CreateReplica create{key, node.disk(disk).incarnation(), MoveId{7}};
    return world_.Ask(node, Method::kCreateReplica, key.shard, Encode(create));
  }
  RpcResponse Destroy(WorldNode& node, ReplicaKey key) {
    return world_.Ask(node, Method::kDestroyReplica, key.shard,
                      Encode(DestroyReplica{key, MoveId{7}}));
  }
  // What the disk knows of the replica; "" for nothing.
  static std::string ShellOf(WorldNode& node, std::size_t disk, ReplicaKey key) {
    const auto shell = Catalog(node.disk(disk)).LoadShell(key);
    return shell && *shell ? Encode(**shell) : "";
  }
  rebalance::ReplicaStatus StatusOf(WorldNode& node, ReplicaKey key) {
    const RpcResponse response =
        world_.Ask(node, Method::kReplicaStatus, key.shard, Encode(StatusRequest{key}));
    return *Decode<rebalance::ReplicaStatus>(response.body);
  }
  // Sixteen values over all shards.
  void PutSome(WorldNode& node) {
    for (int i = 0; i < 16; ++i) {
      const std::string n = std::to_string(i);
      ASSERT_EQ(world_.Put(node, "k" + n, "v" + n).code, Errc::kOk);
    }
  }
  void ExpectSome(WorldNode& node) {
    for (int i = 0; i < 16; ++i) {
      const OperationResult got = world_.Get(node, "k" + std::to_string(i));
      EXPECT_EQ(got.code, Errc::kOk) << got.detail;
      EXPECT_EQ(got.read.value, "v" + std::to_string(i));
    }
  }

  // Its next write fails, and with it the disk.
  void FailDisk(WorldNode& node, std::size_t disk) {
    node.disk(disk).FailSyncs();
    for (int i = 0; i < 16; ++i) {
      node.core().caller(0).Start(
          {.kind = OperationKind::kPut, .key = "f" + std::to_string(i), .timeout = 100ms},
          [](OperationResult) {});
    }
    ASSERT_TRUE(world_.clock().RunUntil([&] {
      return std::any_of(node.log.begin(), node.log.end(), [](const std::string& line) {
        return line.find("is taken out") != std::string::npos;
      });
    }));
    world_.clock().RunFor(1s);
  }
  void DamageRows(WorldNode& node, std::size_t disk, ReplicaKey key) {
    auto engine = node.disk(disk).OpenRows(key);
    ASSERT_TRUE(engine);
    ASSERT_TRUE((*engine)->Write({{std::string(store::kFactsKey), "garbage"}}));
    bool flushed = false;
    (*engine)->Flush([&](Status) { flushed = true; });
    ASSERT_TRUE(world_.clock().RunUntil([&] { return flushed; }));
  }
  void ExpectTheSourceOutlivesItsTarget(bool created) {
    WorldNode& node = Founder(2);
    const ReplicaKey target{ShardId{0}, ReplicaId{2}};
    PutSome(node);
    if (created) {
      ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
    }
    for (int repeat = 0; repeat < 2; ++repeat) EXPECT_EQ(Destroy(node, target).code, Errc::kOk);
    node.Restart();
    ASSERT_TRUE(world_.RunUntilReady());
    EXPECT_TRUE(StatusOf(node, kFirst).exists);
    EXPECT_FALSE(StatusOf(node, target).exists);
    EXPECT_EQ(StatusOf(node, target).tombstone, ReplicaId{2});
    ExpectSome(node);
  }

  NodeWorld world_;
};

// Seal, step 13: the target of a move between disks is destroyed before or after its shell exists,
// and again when the answer was lost. None of it is about the replica that stays.
TEST_F(ControlTest, DestroyingATargetThatNeverCameLeavesTheLiveReplicaAlone) {
  ExpectTheSourceOutlivesItsTarget(false);
}

TEST_F(ControlTest, Scenario39_DestroyingATargetTwiceLeavesTheLiveReplicaAlone) {
  ExpectTheSourceOutlivesItsTarget(true);
}

// Opened after its burial, it would speak once more (seed 7660533190188, INV-14).
TEST_F(ControlTest, AReplicaThatIsBeingOpenedIsDestroyedAfterwards) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  const CreateReplica create{target, node.disk(1).incarnation(), MoveId{7}};
  std::optional<Errc> created;
  node.core().OnRequest(NodeId{99}, {Method::kCreateReplica, target.shard, 2000, Encode(create)},
                        [&](const RpcResponse& answer) { created = answer.code; });
  EXPECT_EQ(Destroy(node, target).code, Errc::kBusy);
  ASSERT_TRUE(world_.clock().RunUntil([&] { return created.has_value(); }));
  EXPECT_EQ(*created, Errc::kOk);
  EXPECT_EQ(StatusOf(node, target).tombstone, ReplicaId{});
  EXPECT_EQ(Destroy(node, target).code, Errc::kOk);
  EXPECT_FALSE(StatusOf(node, target).exists);
}

TEST_F(ControlTest, Scenario39_ARemovedReplicaIsNeverCreatedAgain) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  ASSERT_EQ(Destroy(node, target).code, Errc::kOk);
  EXPECT_EQ(Create(node, target, 1).code, Errc::kImpossible);
  node.Restart();
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_EQ(Create(node, target, 0).code, Errc::kImpossible);
  EXPECT_EQ(Create(node, {ShardId{0}, ReplicaId{3}}, 1).code, Errc::kOk);
}

// The answer was lost, or the order comes a second time from another leader of placement, under the
// number of another move.
TEST_F(ControlTest, Scenario39_CreatingALivingReplicaAgainChangesNothing) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  PutSome(node);
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  const std::string voter = ShellOf(node, 0, kFirst);
  const std::string learner = ShellOf(node, 1, target);
  for (const MoveId move : {MoveId{7}, MoveId{8}}) {
    for (const auto& [key, disk] : {std::pair{kFirst, 0u}, std::pair{target, 1u}}) {
      const CreateReplica again{key, node.disk(disk).incarnation(), move};
      EXPECT_EQ(world_.Ask(node, Method::kCreateReplica, key.shard, Encode(again)).code, Errc::kOk);
    }
    EXPECT_EQ(ShellOf(node, 0, kFirst), voter);
    EXPECT_EQ(ShellOf(node, 1, target), learner);
    EXPECT_TRUE(StatusOf(node, kFirst).leader) << "it was not opened a second time";
    EXPECT_TRUE(StatusOf(node, target).exists);
    ExpectSome(node);
  }
  node.Restart();
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_TRUE(StatusOf(node, target).exists);
  ExpectSome(node);
}

TEST_F(ControlTest, Scenario39_LateOrdersForOlderIdsLeaveANewerReplicaAlone) {
  WorldNode& node = Founder(2);
  PutSome(node);
  for (const std::uint64_t old : {2, 3}) {
    const ReplicaKey key{ShardId{0}, ReplicaId{old}};
    ASSERT_EQ(Create(node, key, 1).code, Errc::kOk);
    ASSERT_EQ(Destroy(node, key).code, Errc::kOk);
  }
  const ReplicaKey living{ShardId{0}, ReplicaId{4}};
  ASSERT_EQ(Create(node, living, 1).code, Errc::kOk);
  const std::string shell = ShellOf(node, 1, living);
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    if (restarted) node.Restart();
    ASSERT_TRUE(world_.RunUntilReady());
    for (const std::uint64_t old : {3, 2}) {  // the lower one last: the mark does not fall
      const ReplicaKey key{ShardId{0}, ReplicaId{old}};
      EXPECT_EQ(Destroy(node, key).code, Errc::kOk) << "it is gone, as was asked";
      for (const std::size_t disk : {0, 1}) {
        EXPECT_EQ(Create(node, key, disk).code, Errc::kImpossible);
        EXPECT_EQ(ShellOf(node, disk, key), "");
      }
      EXPECT_FALSE(StatusOf(node, key).exists);
      EXPECT_EQ(StatusOf(node, key).tombstone, ReplicaId{3});
    }
    EXPECT_TRUE(StatusOf(node, living).exists);
    EXPECT_EQ(ShellOf(node, 1, living), shell);
    EXPECT_THAT(*node.disk(1).ListRows(), ::testing::Contains(living));
    EXPECT_TRUE(StatusOf(node, kFirst).exists);
    ExpectSome(node);
  }
}

// Only a create makes a replica: what consensus still has to say to one that is gone reaches
// nobody.
TEST_F(ControlTest, Scenario38_AnOldPrepareDoesNotBringADestroyedShellBack) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  EXPECT_TRUE(StatusOf(node, target).exists);
  ASSERT_EQ(Destroy(node, target).code, Errc::kOk) << "nobody ever told it anything";
  consensus::Envelope old;
  old.shard = target.shard;
  old.from = {ReplicaId{1}, NodeId{2}};
  old.to = {target.replica, NodeId{1}};
  const consensus::Ballot ballot{Epoch{1}, 9, ReplicaId{1}};
  for (const bool restarted : {false, true}) {
    if (restarted) {
      node.Restart();
      ASSERT_TRUE(world_.RunUntilReady());
    }
    world_.clock().RunFor(1s);
    const std::uint64_t sent = node.transport().used;
    const std::vector<consensus::Message> messages = {
        consensus::Prepare{ballot, Slot{1}}, consensus::Heartbeat{ballot, Slot{1}, 1},
        consensus::Accept{ballot, Slot{0}, Slot{1}, {consensus::Decree{}}, Slot{0}}};
    for (const consensus::Message& message : messages) {
      old.message = message;
      node.core().OnEnvelopes({old});
    }
    world_.clock().RunFor(100ms);
    EXPECT_EQ(node.transport().used, sent) << "it does not answer";
    EXPECT_FALSE(StatusOf(node, target).exists);
    EXPECT_EQ(StatusOf(node, target).tombstone, ReplicaId{2});
    EXPECT_THAT(*node.disk(1).ListRows(), ::testing::Not(::testing::Contains(target)));
  }
  EXPECT_EQ(Create(node, {ShardId{0}, ReplicaId{3}}, 1).code, Errc::kOk) << "a later one may come";
}

// The mark is durable before anything is deleted: a crash in between is finished at the next start.
TEST_F(ControlTest, ARemovalCutOffByACrashIsFinishedAtTheNextStart) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  node.core().OnRequest(NodeId{99},
                        RpcRequest{Method::kDestroyReplica, target.shard, 2000,
                                   Encode(DestroyReplica{target, MoveId{7}})},
                        [](RpcResponse) { FAIL() << "the power went before"; });
  for (int turn = 0; turn < 2; ++turn) ASSERT_TRUE(world_.clock().RunOne());
  ASSERT_THAT(*node.disk(1).ListRows(), ::testing::Contains(target)) << "the test is too late";
  node.Restart();
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_FALSE(StatusOf(node, target).exists);
  EXPECT_THAT(*node.disk(1).ListRows(), ::testing::Not(::testing::Contains(target)));
  EXPECT_EQ(Create(node, target, 1).code, Errc::kImpossible);
}

// Somebody reads the rows of a replica that is buried. Nobody asks for its destruction again: the
// node itself has to.
TEST_F(ControlTest, RowsThatAreReadWhileTheyAreRemovedGoLater) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  std::optional<Errc> destroyed;
  node.core().OnRequest(
      NodeId{99},
      {Method::kDestroyReplica, target.shard, 2000, Encode(DestroyReplica{target, MoveId{7}})},
      [&](const RpcResponse& answer) { destroyed = answer.code; });
  auto reader = node.disk(1).OpenRows(target);
  for (; !reader; reader = node.disk(1).OpenRows(target)) ASSERT_TRUE(world_.clock().RunOne());
  ASSERT_FALSE(destroyed) << "the test is too late";
  world_.clock().RunFor(30s);
  EXPECT_EQ(destroyed, Errc::kConflict);
  EXPECT_EQ(StatusOf(node, target).tombstone, ReplicaId{2}) << "it is buried all the same";
  EXPECT_THAT(*node.disk(1).ListRows(), ::testing::Contains(target));
  reader->reset();
  EXPECT_TRUE(world_.clock().RunUntil([&] {
    const auto rows = *node.disk(1).ListRows();
    return std::find(rows.begin(), rows.end(), target) == rows.end();
  }));
}

// A shell whose host is not open (its rows did not open at first) is no reason to say "done".
TEST_F(ControlTest, ACreateAnsweredWithOkMeansThatTheReplicaIsOpen) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_TRUE(Catalog(node.disk(1)).SaveShell({target, {}, MoveId{7}}));
  ASSERT_FALSE(StatusOf(node, target).exists);
  EXPECT_EQ(Create(node, target, 1).code, Errc::kOk);
  EXPECT_TRUE(StatusOf(node, target).exists);
}

TEST_F(ControlTest, ACreateOnAFailedDiskSaysWhy) {
  WorldNode& node = Founder(2);
  const ReplicaKey target{ShardId{0}, ReplicaId{2}};
  ASSERT_EQ(Create(node, target, 1).code, Errc::kOk);
  FailDisk(node, 1);
  const RpcResponse again = Create(node, target, 1);
  EXPECT_EQ(again.code, Errc::kImpossible);
  EXPECT_FALSE(again.detail.empty());
}

TEST_F(ControlTest, ACreateForWhichThereIsNoRoomIsRefused) {
  WorldNode& node = Founder(2);
  const store::DiskSpace space = node.disk(1).space();
  const std::uint64_t free = space.capacity_bytes - space.used_bytes;
  const auto create = [&](ReplicaKey key, std::uint64_t bytes) {
    const CreateReplica order{key, node.disk(1).incarnation(), MoveId{7}, bytes};
    return world_.Ask(node, Method::kCreateReplica, key.shard, Encode(order));
  };
  const ReplicaKey first{ShardId{0}, ReplicaId{1001}};
  const ReplicaKey second{ShardId{0}, ReplicaId{1002}};
  const RpcResponse refused = create(first, free + 1);
  EXPECT_EQ(refused.code, Errc::kImpossible);
  EXPECT_NE(refused.detail.find("do not fit on"), std::string::npos) << refused.detail;
  EXPECT_EQ(ShellOf(node, 1, first), "");
  EXPECT_EQ(create(first, free - 10'000).code, Errc::kOk);
  EXPECT_EQ(create(first, free + 1).code, Errc::kOk) << "it is here already";
  EXPECT_EQ(create(second, 10'001).code, Errc::kImpossible) << "promised to the first";
  EXPECT_EQ(Destroy(node, first).code, Errc::kOk);
  EXPECT_EQ(create(second, 10'001).code, Errc::kOk);
}

// What a failed disk held speaks no more: its removal is a tombstone on a disk that works.
TEST_F(ControlTest, AReplicaOnAFailedDiskCanBeDestroyed) {
  WorldNode& node = Founder(2);
  FailDisk(node, 0);
  EXPECT_EQ(Destroy(node, kFirst).code, Errc::kOk);
  EXPECT_FALSE(StatusOf(node, kFirst).exists);
  EXPECT_EQ(StatusOf(node, kFirst).tombstone, kFirst.replica);
}

// ---- disks that do not open ----

TEST_F(ControlTest, AReplicaThatDoesNotOpenTakesItsDiskOutAndTheNodeServesOn) {
  WorldNode& node = Founder(2);
  PutSome(node);
  node.Kill();
  DamageRows(node, 1, {ShardId{1}, ReplicaId{1}});
  node.Start();
  ASSERT_TRUE(world_.RunUntilReady());
  EXPECT_TRUE(*node.started);
  EXPECT_TRUE(StatusOf(node, kFirst).exists);
  EXPECT_FALSE(StatusOf(node, {ShardId{1}, ReplicaId{1}}).exists);
  EXPECT_FALSE(StatusOf(node, {ShardId{3}, ReplicaId{1}}).exists) << "it was on that disk too";
  EXPECT_THAT(node.log, ::testing::Contains(::testing::HasSubstr(node.disk(1).path())));
  ASSERT_TRUE(world_.clock().RunUntil(
      [&] { return world_.Admin(node, "GET", "nodes").body.find("failed") != std::string::npos; }));
}

TEST_F(ControlTest, AReplicaThatDoesNotOpenOnTheOnlyDiskIsTheErrorOfTheStart) {
  WorldNode& node = Founder(1);
  node.Kill();
  DamageRows(node, 0, {ShardId{1}, ReplicaId{1}});
  node.Start();
  ASSERT_TRUE(world_.clock().RunUntil([&] { return node.started.has_value(); }));
  ASSERT_FALSE(*node.started);
  EXPECT_EQ(node.started->error(), Errc::kCorruption);
  EXPECT_FALSE(node.core().ready());
}

TEST_F(ControlTest, ADamagedFactTakesItsDiskOut) {
  WorldNode& node = Founder(2);
  for (const char* fact : {"identity", "map", "replica/1/1"}) {
    SCOPED_TRACE(fact);
    node.Kill();
    const std::string good = **node.disk(1).GetMeta(fact);
    ASSERT_TRUE(node.disk(1).PutMeta(fact, "\xff\xff garbage"));
    node.Start();
    ASSERT_TRUE(world_.RunUntilReady());
    EXPECT_TRUE(StatusOf(node, kFirst).exists);
    EXPECT_FALSE(StatusOf(node, {ShardId{1}, ReplicaId{1}}).exists);
    ASSERT_TRUE(node.disk(1).PutMeta(fact, good));
  }
}

// ---- the placement leader ----

// A move of the placement group between the disks of its leader's node: for a while two replicas
// of it live there, and what the learner says is no loss of leadership.
TEST_F(ControlTest, ThePlacementGroupMovesBetweenTheDisksOfItsLeader) {
  WorldNode& node = Founder(2);
  ASSERT_TRUE(world_.clock().RunUntil([&] {
    return world_
               .Admin(node, "POST", "moves",
                      R"({"shard":"placement","from":1,"from_disk":0,"to":1,"to_disk":1})")
               .status == 202;
  }));
  EXPECT_TRUE(world_.clock().RunUntil([&] {
    return world_.Admin(node, "GET", "moves").body.find(R"("stage":"done")") != std::string::npos;
  })) << world_.Admin(node, "GET", "moves").body;
  EXPECT_TRUE(StatusOf(node, {kPlacementShard, ReplicaId{2}}).leader);
}

// ---- the end ----

// By one that found nobody (cluster_search.h); no stranger may.
TEST_F(ControlTest, APeerTellsWhoElseThereIs) {
  WorldNode& node = Founder(1);
  const auto ask = [&](std::string body, NodeId from) {
    return world_.Ask(node, Method::kGetMap, kPlacementShard, std::move(body), from);
  };
  ShardMap map = *Decode<ShardMap>(ask("", NodeId{}).body);
  const std::uint64_t before = map.version;
  map.version += 1000;
  map.nodes.push_back({NodeId{7}, "b:1", ""});
  EXPECT_EQ(ask(Encode(map), NodeId{}).map_version, before);
  EXPECT_EQ(ask("?", NodeId{7}).code, Errc::kInvalidArgument);
  const auto answer = Decode<ShardMap>(ask(Encode(map), NodeId{7}).body);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->Address(NodeId{7}), nullptr);
  map.version = before;
  EXPECT_EQ(ask(Encode(map), NodeId{7}).map_version, before + 1000) << "an older one";
}

TEST_F(ControlTest, ANodeThatStoppedDoesNothingAnyMore) {
  WorldNode& node = Founder(1);
  WorldNode& other = world_.Add("b:1");
  other.config.join = {"a:1"};
  other.Start();
  ASSERT_TRUE(world_.RunUntilReady());
  // A decree that is applied after the placement leader's work has ended.
  node.core().Admin({"PATCH", "/v1/admin/settings", R"({"rebalance":"off"})"}, 5s,
                    [](AdminResponse) {});
  node.Stop();
  const std::uint64_t used = node.transport().used;
  const std::size_t lines = node.log.size();
  node.core().OnRequest(
      NodeId{99},
      RpcRequest{Method::kCreateReplica, ShardId{0}, 2000,
                 Encode(CreateReplica{
                     {ShardId{0}, ReplicaId{50}}, node.disk(0).incarnation(), MoveId{7}})},
      [](RpcResponse response) { EXPECT_NE(response.code, Errc::kOk); });
  world_.clock().RunFor(30s);
  EXPECT_EQ(node.transport().used, used);
  EXPECT_EQ(node.log.size(), lines);
  EXPECT_FALSE(Catalog(node.disk(0)).LoadShell({ShardId{0}, ReplicaId{50}})->has_value());
}

}  // namespace
}  // namespace decree::node
