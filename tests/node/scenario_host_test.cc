// Scenarios (tests/README.md) that need the host around a replica: rows, snapshots, sessions.
#include <gtest/gtest.h>

#include "kv/store/row_digest.h"
#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

// A state machine that is watched, and may be made to compute something else than the others.
class WatchedMachine : public store::StateMachine {
 public:
  using Change = std::function<void(CommandBatch&)>;
  WatchedMachine(std::unique_ptr<store::KvMachine> inner, std::vector<Slot>& applied, Change change)
      : inner_(std::move(inner)), applied_(&applied), change_(std::move(change)) {}

  Result<std::vector<store::AppliedSlot>> Apply(
      const std::vector<consensus::ChosenDecree>& decrees) override {
    std::vector<consensus::ChosenDecree> own = decrees;
    for (consensus::ChosenDecree& each : own) {
      applied_->push_back(each.slot);
      if (!change_ || each.decree.kind != consensus::DecreeKind::kCommandBatch) continue;
      CommandBatch batch = *Decode<CommandBatch>(*each.decree.payload);
      change_(batch);
      each.decree.payload = std::make_shared<const std::string>(Encode(batch));
    }
    return inner_->Apply(own);
  }
  const store::MachineFacts& facts() const override { return inner_->facts(); }

 private:
  std::unique_ptr<store::KvMachine> inner_;
  std::vector<Slot>* applied_;
  Change change_;
};

MachineFactory Watched(std::vector<Slot>& applied, WatchedMachine::Change change = nullptr) {
  return [&applied, change](
             store::Engine& engine,
             const consensus::Config& genesis) -> Result<std::unique_ptr<store::StateMachine>> {
    auto inner = store::KvMachine::Open(engine, genesis);
    if (!inner) return inner.error();
    return std::unique_ptr<store::StateMachine>(
        std::make_unique<WatchedMachine>(std::move(*inner), applied, change));
  };
}

std::string LastDigest(HostNode& node) {
  const auto status = node.host->Describe();
  return status.digests.empty()
             ? ""
             : ToString(status.digests.back().slot) + " " + status.digests.back().digest;
}

Command Mark() {
  Command mark;
  mark.kind = CommandKind::kMark;
  return mark;
}

Command Open(std::uint64_t client) {
  Command open;
  open.kind = CommandKind::kOpenSession;
  open.session.client = client;
  return open;
}

// The rows may be durable up to a slot of which the log does not know yet that it is chosen, and
// the other way round. Either way each slot is applied to the rows once.
TEST(ScenarioHostTest, Scenario16_ACrashBetweenApplyAndWatermarkAppliesNothingTwice) {
  for (const bool rows_are_ahead : {true, false}) {
    std::vector<Slot> applied;
    HostCluster cluster(1);
    HostNode& node = cluster.node(1);
    node.factory = Watched(applied);
    cluster.OpenVoters(1);
    Verdict(cluster.Write(Open(7)));
    const CommandResult first = Verdict(cluster.Put("k", "1", {7, 1, 1}));
    if (rows_are_ahead) {
      node.host->Flush();
      cluster.executor().RunFor(100ms);
    }
    const store::MachineFacts before = node.host->facts();
    node.Crash();
    const Slot known = node.disk->log().Recover({HostCluster::kShard, ReplicaId{1}})->watermark;
    ASSERT_LT(known, before.applied) << "the watermark came with no write after it";
    applied.clear();
    cluster.OpenVoters(1);
    cluster.AwaitLeader();
    EXPECT_GT(node.host->facts().applied, before.applied) << "its new barrier";
    Slot expected = rows_are_ahead ? before.applied.Next() : Slot{1};
    for (const Slot slot : applied) {
      EXPECT_EQ(slot, expected);
      expected = slot.Next();
    }
    EXPECT_EQ(node.host->facts().last_version, before.last_version);
    EXPECT_EQ(node.host->facts().keys, 1u);
    EXPECT_EQ(Verdict(cluster.Put("k", "1", {7, 1, 1})).version, first.version) << "deduplicated";
  }
}

TEST(ScenarioHostTest, Scenario21_AnApplyThatIsNotDeterministicIsFoundByDigest) {
  std::vector<Slot> ignored;
  HostCluster cluster(3);
  cluster.node(3).factory = Watched(ignored, [](CommandBatch& batch) {
    for (Command& command : batch.commands) {
      if (command.key == "clock") command.value += " by the local clock";
    }
  });
  cluster.OpenVoters(3);
  const auto mark_everywhere = [&] {
    const std::string slot = ToString(Slot{Verdict(cluster.Write(Mark())).version});
    ASSERT_TRUE(cluster.executor().RunUntil([&] {
      return std::all_of(cluster.nodes().begin(), cluster.nodes().end(), [&](const auto& node) {
        return LastDigest(*node.second).starts_with(slot + " ");
      });
    })) << "a digest of slot "
        << slot;
  };
  Verdict(cluster.Put("k", "the same everywhere"));
  mark_everywhere();
  EXPECT_EQ(LastDigest(cluster.node(1)), LastDigest(cluster.node(2)));
  EXPECT_EQ(LastDigest(cluster.node(1)), LastDigest(cluster.node(3)));
  Verdict(cluster.Put("clock", "12:00"));
  mark_everywhere();
  EXPECT_EQ(LastDigest(cluster.node(1)), LastDigest(cluster.node(2)));
  EXPECT_NE(LastDigest(cluster.node(1)), LastDigest(cluster.node(3)));
}

// What is frozen is one moment: members, sessions and data as of one slot, whatever follows while
// the files are on their way.
TEST(ScenarioHostTest, Scenario44_ASnapshotCarriesMembersAndSessionsExactlyAtItsSlot) {
  HostCluster cluster(4);
  cluster.OpenVoters(3);
  Verdict(cluster.Write(Open(7)));
  const CommandResult first = Verdict(cluster.Put("k", "at the slot", {7, 1, 1}));
  cluster.AddLearner(4);
  const Slot marked{Verdict(cluster.Write(Mark())).version};
  ShardHost& leader = *cluster.AwaitLeader();
  ASSERT_EQ(leader.facts().applied, marked);
  ShardHost::SnapshotFiles files;
  leader.OpenSnapshot(ReplicaId{4}, [&](Result<ShardHost::SnapshotFiles> opened) {
    ASSERT_TRUE(opened);
    files = *opened;
  });
  // Sessions, members and data go on before anybody reads the files.
  Verdict(cluster.Write(Open(8)));
  Verdict(cluster.Put("k", "later", {7, 2, 1}));
  ChangeMembers remove;
  remove.kind = ChangeKind::kRemoveLearner;
  remove.move = MoveId{1};
  remove.epoch = Epoch{1};
  remove.member = {ReplicaId{4}, NodeId{4}};
  ASSERT_EQ(cluster.Change(remove).code, Errc::kOk);
  ASSERT_TRUE(cluster.executor().RunUntil(
      [&] { return files && !cluster.NodeOf(leader).host->Describe().digests.empty(); }));
  store::MemDisk elsewhere({});
  auto staging = *elsewhere.Stage({HostCluster::kShard, ReplicaId{9}});
  for (const store::SnapshotFile& file : files->files()) {
    ASSERT_TRUE(staging->Append(file.name, 0, *files->Read(file.name, 0, file.bytes)));
  }
  auto engine = *staging->Commit();
  const store::MachineFacts facts = **store::ReadFacts(*engine);
  EXPECT_EQ(facts.applied, marked);
  EXPECT_TRUE(facts.config.IsLearner(ReplicaId{4}));
  EXPECT_EQ(facts.sessions, 1u);
  EXPECT_EQ(*store::DigestRows(*engine->View()), leader.Describe().digests.back().digest);
  // The session is whole: a retry of what it did is answered from it, at the next slot.
  auto machine = *store::KvMachine::Open(*engine, {});
  Command again{CommandKind::kPut, {7, 1, 1, 0}, "k", "at the slot", {}, 0};
  consensus::ChosenDecree next{marked.Next(), {}};
  next.decree.kind = consensus::DecreeKind::kCommandBatch;
  next.decree.payload =
      std::make_shared<const std::string>(Encode(CommandBatch{facts.time_ms, {again}}));
  EXPECT_EQ((*machine->Apply({next}))[0].results[0].version, first.version);
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() { cluster_.OpenVoters(3); }
  // One write of a session whose answer never reaches the client, and another client's write after
  // it, which a second execution would undo.
  CommandResult WriteWithoutAnAnswer() {
    Verdict(cluster_.Write(Open(7)));
    const CommandResult unheard = Verdict(cluster_.Put("k", "first", {7, 1, 1}));
    Verdict(cluster_.Put("k", "another's"));
    return unheard;
  }
  void ExpectTheRetryIsAnsweredAndNotExecuted(const CommandResult& unheard) {
    const CommandResult again = Verdict(cluster_.Put("k", "first", {7, 1, 1}));
    EXPECT_EQ(again.version, unheard.version);
    EXPECT_TRUE(again.created);
    EXPECT_EQ(ValueOf(cluster_.Get("k")), "another's");
    Verdict(cluster_.Put("k", "second", {7, 2, 2}));
    EXPECT_EQ(ValueOf(cluster_.Get("k")), "second");
  }
  HostCluster cluster_{4};
};

TEST_F(SessionTest, Scenario45_ARetryAtANewLeaderGetsTheSameResultAndIsNotExecuted) {
  const CommandResult unheard = WriteWithoutAnAnswer();
  ShardHost* old = cluster_.AwaitLeader();
  cluster_.NodeOf(*old).cut_off = true;
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.Leader() != nullptr; }));
  ASSERT_NE(cluster_.Leader(), old);
  ExpectTheRetryIsAnsweredAndNotExecuted(unheard);
}

// The session came to it in a snapshot; it leads with the old voters gone but one.
TEST_F(SessionTest, Scenario46_ARetryAtTheReplicaThatCameByAMoveIsDeduplicated) {
  const CommandResult unheard = WriteWithoutAnAnswer();
  cluster_.AddLearner(4);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] { return cluster_.CaughtUp(4); }));
  NodeId removed;
  ASSERT_EQ(cluster_.Change(cluster_.SealFor(4, &removed)).code, Errc::kOk);
  ASSERT_TRUE(cluster_.executor().RunUntil([&] {
    return cluster_.Leader() && cluster_.Leader()->Describe().config.epoch == Epoch{2} &&
           cluster_.Leader()->Describe().epoch_started;
  }));
  cluster_.node(removed.value).cut_off = true;
  for (int tries = 0; cluster_.AwaitLeader()->key().replica != ReplicaId{4} && tries < 20;
       ++tries) {
    cluster_.AwaitLeader()->GiveUpLeadership();
    cluster_.executor().RunFor(600ms);
  }
  ASSERT_EQ(cluster_.AwaitLeader()->key().replica, ReplicaId{4});
  ExpectTheRetryIsAnsweredAndNotExecuted(unheard);
}

}  // namespace
}  // namespace decree::node
