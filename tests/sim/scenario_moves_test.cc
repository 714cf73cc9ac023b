// Scenario 34: the leader dies at each of the thirteen steps of a move (design: "Changing members:
// Seal"), and the move resumes. The leader is that of the shard, or that of the placement group,
// whose driver carries the move out.
#include <algorithm>
#include <map>
#include <set>

#include "kv/store/state_machine.h"
#include "tests/sim/scenario_fixture.h"

namespace decree::sim {
namespace {

using consensus::DecreeKind;

constexpr ShardId kShard{0};

enum Step {
  kIntent = 1,
  kShell,
  kAddLearner,
  kSnapshot,
  kGate,
  kTransfer,
  kSealProposed,
  kSealChosen,
  kPromise,
  kEpochStart,
  kLease,
  kSourceDestroyed,
  kRollback
};

bool Chose(const consensus::Output& output, DecreeKind kind) {
  for (const consensus::ChosenDecree& c : output.chosen) {
    if (c.decree.kind == kind) return true;
  }
  return false;
}

bool ChoseAMark(const consensus::Output& output) {
  for (const consensus::ChosenDecree& c : output.chosen) {
    if (store::HoldsMark(c.decree)) return true;
  }
  return false;
}

bool VotesForASeal(const consensus::Output& output) {
  if (!output.persist) return false;
  for (const consensus::Vote& vote : output.persist->votes) {
    if (vote.decree.kind == DecreeKind::kSeal) return true;
  }
  return false;
}

bool TellsToTakeOver(const consensus::Output& output) {
  for (const consensus::Outgoing& out : output.send) {
    if (std::holds_alternative<consensus::TransferNow>(out.message)) return true;
  }
  return false;
}

class MoveStepTest : public ScenarioTest,
                     public testing::WithParamInterface<std::tuple<int, bool>> {
 protected:
  Step step() const { return static_cast<Step>(std::get<0>(GetParam())); }
  bool kills_placement() const { return std::get<1>(GetParam()); }

  void FormAndWatch() {
    ClusterOptions options;
    options.shards = 1;
    Form(4, options);
    Patch(R"({"rebalance":"off"})");
    const MachineId leader = AwaitLeader(kShard.value);
    target_ = MachineWithout(kShard.value);
    for (const consensus::Member& voter : VotersOf(kShard.value)) {
      old_.insert(voter.id);
      if ((voter.node.value == leader) == (step() == kTransfer)) source_ = voter.node.value;
    }
    source_id_ = ReplicaOn(source_, kShard.value);
    epoch_ = cluster_->Status(leader, kShard)->config.epoch;
    leaders_[kShard] = leader;
    leaders_[kPlacementShard] = AwaitLeader(kPlacementShard.value);
    cluster_->network().core_checker().on_step =
        [this](ReplicaKey key, const consensus::Replica& replica, const consensus::Output& output) {
          if (replica.ReadyLeader()) {
            leaders_[key.shard] = replica.config().Find(key.replica)->node.value;
          }
          if (key.shard != kShard) return;
          learner_added_ |= Chose(output, DecreeKind::kAddLearner);
          reached_ |= Reaches(key.replica, replica, output);
        };
  }

  bool Reaches(ReplicaId id, const consensus::Replica& replica, const consensus::Output& output) {
    const bool is_target = !old_.contains(id);
    const bool leads = replica.role() == consensus::Role::kLeader;
    switch (step()) {
      case kShell:
        return is_target;
      case kAddLearner:
        return leads && Chose(output, DecreeKind::kAddLearner);
      case kSnapshot:
        return is_target && output.snapshot.has_value();
      case kGate:
        return leads && ChoseAMark(output);
      case kTransfer:
        return TellsToTakeOver(output);
      case kSealProposed:
        return leads && VotesForASeal(output);
      case kSealChosen:
        return Chose(output, DecreeKind::kSeal);
      case kPromise:
        return is_target && output.persist && output.persist->promised &&
               output.persist->promised->epoch > epoch_;
      case kEpochStart:
        return Chose(output, DecreeKind::kEpochStart);
      case kLease:
        return replica.config().epoch > epoch_ && replica.LeaseUntil();
      case kRollback:
        return leads && Chose(output, DecreeKind::kRemoveLearner);
      default:
        return false;
    }
  }

  // Runs until the step was just reached.
  void AwaitStep(const std::string& move) {
    if (step() == kIntent) return;
    if (step() == kRollback) {
      ASSERT_TRUE(world_.RunUntil([this] { return learner_added_; }, 10 * kSeconds));
      cluster_->StartAdmin(leaders_[kPlacementShard], {"DELETE", move, ""},
                           [](const AdminResponse&) {});
    }
    ASSERT_TRUE(world_.RunUntil(
        [this] {
          if (step() != kSourceDestroyed) return reached_;
          const auto rows = *cluster_->node(source_).open_disk(0).ListRows();
          return std::find(rows.begin(), rows.end(), ReplicaKey{kShard, source_id_}) == rows.end();
        },
        30 * kSeconds))
        << "the step is never reached";
  }

  void ExpectTheEnd(const std::string& move) {
    const bool back = step() == kRollback;
    ASSERT_TRUE(WaitUntil(
        [&] {
          const std::string stage = StageOf(move);
          return stage == "done" || stage == "rolled_back";
        },
        60 * kSeconds))
        << StageOf(move);
    EXPECT_EQ(StageOf(move), back ? "rolled_back" : "done");
    std::set<MachineId> holders;
    for (const consensus::Member& voter : VotersOf(kShard.value)) holders.insert(voter.node.value);
    EXPECT_EQ(holders.size(), 3u);
    EXPECT_EQ(holders.contains(target_), !back);
    EXPECT_EQ(holders.contains(source_), back);
    EXPECT_TRUE(cluster_->Status(AwaitLeader(kShard.value), kShard)->config.learners.empty());
  }

  MachineId source_ = 0;
  MachineId target_ = 0;
  ReplicaId source_id_;
  std::set<ReplicaId> old_;
  Epoch epoch_;
  std::map<ShardId, MachineId> leaders_;  // the last that was seen ready
  bool learner_added_ = false;
  bool reached_ = false;
};

TEST_P(MoveStepTest, Scenario34_TheLeaderCrashesAtThisStepAndTheMoveResumes) {
  FormAndWatch();
  StartLoad({.value_bytes = 200});
  world_.RunFor(1 * kSeconds);
  const std::string move = StartMove(kShard.value, source_, target_);
  AwaitStep(move);
  const MachineId victim = leaders_[kills_placement() ? kPlacementShard : kShard];
  cluster_->node(victim).Crash();
  world_.RunFor(2 * kSeconds);
  cluster_->node(victim).Boot();
  ExpectTheEnd(move);
  StopLoad();
  ExpectAllIsWell();
}

const char* const kNames[] = {"",           "Intent",   "Shell",        "AddLearner",   "Snapshot",
                              "Gate",       "Transfer", "SealProposed", "SealChosen",   "Promise",
                              "EpochStart", "Lease",    "Destroyed",    "RemoveLearner"};

INSTANTIATE_TEST_SUITE_P(EveryStep, MoveStepTest,
                         testing::Combine(testing::Range(1, 14), testing::Bool()),
                         [](const auto& info) {
                           return std::string(kNames[std::get<0>(info.param)]) +
                                  (std::get<1>(info.param) ? "_PlacementLeader" : "_ShardLeader");
                         });

}  // namespace
}  // namespace decree::sim
