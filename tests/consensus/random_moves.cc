// The mover of a random cluster: replaces, adds and removes members by the steps of a move, asking
// whatever leader there is, again and again.
#include <algorithm>

#include "tests/consensus/random_cluster.h"

namespace decree::consensus::testing {

void RandomCluster::Mover() {
  Schedule(milliseconds(random_.Between(5, 30)), Event{.kind = Kind::kMover});
  BareHost* leader = Leader();
  if (leader == nullptr) return;
  if (!plan_) {
    if (!healed_ && random_.Chance(0.3)) StartPlan(*leader);
  } else if (leader->replica().config().epoch > plan_->epoch) {
    FinishPlan(*leader);
  } else if (leader->replica().config().epoch == plan_->epoch) {
    ContinuePlan(*leader);
  }
  Drain(leader->self().id);
}

// Replace one voter, or go from n to n + 2 or n - 2 voters.
void RandomCluster::StartPlan(BareHost& leader) {
  const Config& config = leader.replica().config();
  std::vector<std::uint64_t> voters;
  for (const Member& voter : config.voters) voters.push_back(voter.id.value);
  Plan plan;
  plan.epoch = config.epoch;
  const std::uint64_t kind = random_.Below(4);
  const std::size_t fresh = kind == 0 && voters.size() < 5 ? 2 : kind == 1 ? 0 : 1;
  if (fresh == 0 && voters.size() == 1) return;
  const std::size_t gone = fresh == 2 ? 0 : fresh == 1 ? 1 : 2;
  for (std::size_t i = 0; i < gone; ++i) {
    voters.erase(voters.begin() + static_cast<std::ptrdiff_t>(random_.Below(voters.size())));
  }
  plan.move = MoveId{++last_move_};
  for (std::size_t i = 0; i < fresh; ++i) {
    if (i > 0) plan.move = MoveId{++last_move_};
    plan.fresh.push_back(++next_id_);
    voters.push_back(next_id_);
    AddNode(next_id_, Config{});
  }
  plan.next_voters = voters;
  plan_ = plan;
}

void RandomCluster::ContinuePlan(BareHost& leader) {
  const Config config = leader.replica().config();
  if (plan_->abort || (!plan_->fresh.empty() && random_.Chance(0.01))) {
    plan_->abort = true;
    RollBack(leader);
    return;
  }
  std::uint64_t move = plan_->move.value - (plan_->fresh.empty() ? 0 : plan_->fresh.size() - 1);
  for (const std::uint64_t id : plan_->fresh) {
    if (!config.IsLearner(ReplicaId{id})) {
      leader.Propose(Local(leader.self().id), AddLearnerOf(MoveId{move}, id));
      return;
    }
    ++move;
  }
  SealPlan(leader);
}

void RandomCluster::SealPlan(BareHost& leader) {
  const auto& next = plan_->next_voters;
  const ReplicaId self = leader.self().id;
  if (std::find(next.begin(), next.end(), self.value) == next.end() && random_.Chance(0.9)) {
    for (const std::uint64_t id : next) {
      if (leader.replica().config().IsVoter(ReplicaId{id}))
        leader.Transfer(Local(leader.self().id), ReplicaId{id});
    }
    return;  // mostly; a leader that goes with its own Seal must be survived too
  }
  leader.replica().HoldProposals();
  const ProposeResult result = leader.Propose(Local(leader.self().id), SealOf(plan_->move, next));
  if (result.code != ProposeCode::kProposed && ++plan_->held % 8 == 0) {
    leader.replica().ResumeProposals();
  }
}

// Rolled back when RemoveLearner is chosen: only then is the new replica destroyed (step 13).
void RandomCluster::RollBack(BareHost& leader) {
  const Config& config = leader.replica().config();
  leader.replica().ResumeProposals();
  if (config.ended_move >= plan_->move) {
    for (const std::uint64_t id : plan_->fresh) {
      if (config.Find(ReplicaId{id}) != nullptr) continue;
      nodes_[ReplicaId{id}].destroyed = true;
    }
    plan_.reset();
    return;
  }
  for (const std::uint64_t id : plan_->fresh) {
    const MoveId move{plan_->move.value - (id == plan_->fresh.back() ? 0 : 1)};
    if (move <= config.ended_move) continue;
    leader.Propose(Local(leader.self().id), RemoveLearnerOf(move, id));
    return;
  }
}

// The leader is ready in e+1, so EpochStart is chosen: whoever left may go (step 12). A stale
// leader of an even later epoch is fine too.
void RandomCluster::FinishPlan(BareHost& leader) {
  const Config& config = leader.replica().config();
  for (auto& [id, node] : nodes_) {
    if (config.Find(id) == nullptr && random_.Chance(0.8)) node.destroyed = true;
  }
  ++moves_done_;
  plan_.reset();
}

}  // namespace decree::consensus::testing
