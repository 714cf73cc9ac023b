// A small world around NextAction: a shard whose log decides, replicas that come and go, answers
// that are missing or late, requests that run much later or whose answer is lost, leaders that
// change, and a placement leader that starts afresh at any moment. Whatever happens: a chosen Seal
// is never rolled back, no source is destroyed before the new epoch has started, no target before
// RemoveLearner is chosen; and once the trouble ends, every move ends.
#include <gtest/gtest.h>

#include <algorithm>

#include "consensus/decree.h"
#include "kv/base/random.h"
#include "placement_fixture.h"
#include "rebalance/move.h"
#include "tests/base/scale.h"

namespace decree::rebalance {
namespace {

using consensus::Config;
using consensus::DecreeKind;
using consensus::Member;

constexpr ShardId kShard{0};

class World {
 public:
  World(std::uint64_t seed, std::size_t voters, bool fill)
      : random_(seed), cluster_(1, fill ? 3 : 1) {
    for (std::uint64_t node = 2; node <= 5; ++node) cluster_.Join(node);
    config_.epoch = Epoch{1};
    for (std::uint64_t i = 1; i <= voters; ++i) {
      const ReplicaId id{i == 1 ? 1 : 100 + i};  // far from the ids that moves give out
      config_.voters.push_back({id, NodeId{static_cast<std::uint32_t>(i)}});
      alive_.insert(id);
    }
    started_ = Epoch{1};
    leader_ = config_.voters[0].id;
    StartMove start;
    start.shard = kShard;
    start.epoch = Epoch{1};
    start.source = fill ? ReplicaId{} : ReplicaId{1};
    start.to = NodeId{5};
    move_ = MoveId{cluster_.Do(start).version};
  }

  const MoveRecord& move() const { return *cluster_.state.Move(move_); }
  bool ended() const { return IsFinal(move().stage); }

  // One turn of the placement leader, with whatever answers get through.
  void Turn(bool trouble) {
    if (trouble) Disturb();
    if (!trouble) target_dead_ = source_dead_ = false;
    ElectOrStart();
    if (!late_.empty() && random_.Chance(trouble ? 0.1 : 0.5)) RunALateRequest();
    const Action action = NextAction(stale_ && trouble ? *stale_ : move(), View(trouble));
    if (trouble && random_.Chance(0.2)) stale_ = move();  // an old leader acts on an old record
    Carry(action, trouble);
  }

  void CheckEnd() {
    if (move().stage == Stage::kDone) {
      EXPECT_TRUE(config_.Find(move().target.replica));
      EXPECT_FALSE(config_.Find(move().source.replica));
      EXPECT_EQ(cluster_.state.Shard(kShard)->entry.epoch, config_.epoch);
    } else {
      EXPECT_FALSE(config_.Find(move().target.replica));
      EXPECT_EQ(config_.epoch, Epoch{1});
    }
    EXPECT_FALSE(cluster_.state.Shard(kShard)->active_move);
  }

 private:
  void Disturb() {
    if (random_.Chance(0.15)) leader_ = {};
    if (random_.Chance(0.005)) cluster_.Do(CancelMove{move_, "operator"});
    if (random_.Chance(target_dead_ ? 0.2 : 0.01)) target_dead_ = !target_dead_;
    if (random_.Chance(0.05)) source_dead_ = !source_dead_;
    if (random_.Chance(0.1)) mark_ = {};  // a fresh placement leader does not know the mark
    if (random_.Chance(0.003)) different_ = true;
  }
  void ElectOrStart() {
    if (leader_ && !config_.IsVoter(leader_)) leader_ = {};
    if (!leader_) leader_ = config_.voters[random_.Below(config_.voters.size())].id;
    if (started_ < config_.epoch && random_.Chance(0.5)) started_ = config_.epoch;
  }

  ReplicaStatus Status(ReplicaId id) {
    ReplicaStatus status;
    status.exists = alive_.contains(id);
    status.tombstone = tombstones_.contains(id) ? id : ReplicaId{};
    if (!status.exists) return status;
    // A shell that is no member yet knows nothing; the leader knows all; others may lag behind.
    const bool member = config_.Find(id) != nullptr;
    const bool knows = id == leader_ || random_.Chance(0.7);
    status.config = knows ? config_ : old_config_;
    if (!member && id == move().target.replica) status.config = {};
    status.leader = id == leader_;
    status.chosen = status.durable_chosen = status.applied = slot_;
    status.has_snapshot = member;
    status.epoch_started = started_ >= status.config.epoch;
    if (mark_) status.digests = {{mark_, Digest(id)}};
    return status;
  }
  std::string Digest(ReplicaId id) const {
    return different_ && id == move().target.replica ? "bad" : "good";
  }

  MoveView View(bool trouble) {
    const auto ask = [&](ReplicaId id, bool dead) -> std::optional<ReplicaStatus> {
      if (!id || dead || (trouble && random_.Chance(0.3))) return std::nullopt;
      return Status(id);
    };
    MoveView view;
    view.source = ask(move().source.replica, source_dead_);
    view.target = ask(move().target.replica, target_dead_);
    if (source_dead_) view.source_gone = "dead";
    if (target_dead_) view.target_gone = "dead";
    view.mark = mark_;
    for (const Member& voter : config_.voters) {
      const auto status = ask(voter.id, false);
      if (!status) continue;
      if (voter.id == leader_) {
        view.leader = status;
        view.leader_member = voter;
      }
      if (voter.id != move().source.replica && voter.id != move().target.replica) {
        view.others[voter.id] = *status;
      }
    }
    return view;
  }

  void Choose(DecreeKind kind, const Action& action) {
    consensus::Decree decree;
    decree.kind = kind;
    decree.move = move_;
    decree.member = action.to;
    decree.next_voters = action.next_voters;
    decree.next_learners = action.next_learners;
    slot_ = slot_.Next();
    const Config next = consensus::Advance(config_, slot_, decree);
    if (next == config_) return;
    old_config_ = config_;
    config_ = next;
    if (kind == DecreeKind::kSeal) sealed_ = true;
    if (kind == DecreeKind::kRemoveLearner) removed_ = true;
  }

  void Carry(const Action& action, bool trouble) {
    if (trouble && random_.Chance(0.2)) return;  // the call is lost
    if (trouble && random_.Chance(0.1)) return late_.push_back(action);
    const bool answered = !trouble || random_.Chance(0.8);
    Run(action, answered);
  }
  // Asked for long ago, by whoever led then: the shard's leader and the nodes judge it by what is
  // true now.
  void RunALateRequest() {
    const std::size_t which = random_.Below(late_.size());
    const Action action = late_[which];
    late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(which));
    const bool refused = action.kind == ActionKind::kTransfer && !config_.IsVoter(action.to.id);
    if (!refused) Run(action, false);
  }
  void Run(const Action& action, bool answered) {
    switch (action.kind) {
      case ActionKind::kWait:
        break;
      case ActionKind::kCreateTarget:
        if (!tombstones_.contains(action.to.id)) alive_.insert(action.to.id);
        break;
      case ActionKind::kAddLearner:
        Choose(DecreeKind::kAddLearner, action);
        break;
      case ActionKind::kRemoveLearner:
        if (config_.epoch == Epoch{1}) Choose(DecreeKind::kRemoveLearner, action);
        break;
      case ActionKind::kSeal:
        // The leader refuses a change made for another epoch.
        if (config_.epoch == Epoch{1}) Choose(DecreeKind::kSeal, action);
        break;
      case ActionKind::kMark:
        slot_ = slot_.Next();
        if (answered) mark_ = slot_;
        break;
      case ActionKind::kTransfer:
        EXPECT_TRUE(config_.IsVoter(action.to.id));
        EXPECT_NE(action.to.id, move().source.replica);
        leader_ = action.to.id;
        break;
      case ActionKind::kDestroyTarget:
        EXPECT_FALSE(sealed_) << "from a Seal there is no way back";
        EXPECT_TRUE(removed_ || move().stage == Stage::kIntent);
        EXPECT_FALSE(config_.Find(move().target.replica));
        Destroy(move().target.replica);
        break;
      case ActionKind::kDestroySource:
        EXPECT_TRUE(sealed_);
        EXPECT_GE(started_, Epoch{2}) << "the source is dispensable only after EpochStart";
        Destroy(move().source.replica);
        break;
      case ActionKind::kAdvance:
        EXPECT_FALSE(sealed_ && action.advance.stage == Stage::kRolledBack);
        EXPECT_FALSE(removed_ && action.advance.stage == Stage::kActivate);
        cluster_.Do(action.advance);
        break;
      case ActionKind::kCancel:
        cluster_.Do(CancelMove{move_, action.why});
        break;
    }
  }
  void Destroy(ReplicaId id) {
    alive_.erase(id);
    tombstones_.insert(id);
  }

  Random random_;
  TestCluster cluster_;
  MoveId move_;
  Config config_, old_config_;
  Epoch started_;
  ReplicaId leader_;
  Slot slot_{1};
  Slot mark_;
  std::set<ReplicaId> alive_, tombstones_;
  std::optional<MoveRecord> stale_;
  std::vector<Action> late_;
  bool target_dead_ = false, source_dead_ = false, different_ = false;
  bool sealed_ = false, removed_ = false;
};

void RunWorlds(std::size_t voters, bool fill) {
  std::uint64_t done = 0;
  std::uint64_t back = 0;
  const std::uint64_t seeds = test::Scaled(1000);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, voters, fill);
    for (int i = 0; i < 60 && !world.ended(); ++i) world.Turn(true);
    for (int i = 0; i < 80 && !world.ended(); ++i) world.Turn(false);
    ASSERT_TRUE(world.ended()) << StageName(world.move().stage);
    world.CheckEnd();
    (world.move().stage == Stage::kDone ? done : back)++;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(done, seeds / 20);
  EXPECT_GT(back, seeds / 20);
}

TEST(MovePropertyTest, ReplacingOneOfThreeVotersIsSafeAndEnds) { RunWorlds(3, false); }
TEST(MovePropertyTest, ReplacingTheOnlyVoterIsSafeAndEnds) { RunWorlds(1, false); }
TEST(MovePropertyTest, FillingUpIsSafeAndEnds) { RunWorlds(1, true); }

}  // namespace
}  // namespace decree::rebalance
