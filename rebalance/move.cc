#include "rebalance/move.h"

#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
#include "rebalance/move_members.h"

namespace decree::rebalance {
namespace {

// Digests kept by a replica for the last few marks.
const std::string* DigestAt(const std::optional<ReplicaStatus>& status, Slot mark) {
  if (!status) return nullptr;
  for (const ReplicaDigest& entry : status->digests) {
    if (entry.slot == mark) return &entry.digest;
  }
  return nullptr;
}

// One question to NextAction. What is chosen stays chosen: the configuration of whoever knows most
// slots is the truth about what the shard's log has decided so far.
class Situation {
 public:
  Situation(const MoveRecord& move, const MoveView& view) : move_(move), view_(view) {
    Consider(view.leader);
    Consider(view.source);
    Consider(view.target);
    for (const auto& [id, status] : view.others) Consider(status);
  }

  Action Next() const;

 private:
  void Consider(const std::optional<ReplicaStatus>& status) {
    if (!status || !status->exists || !status->config.epoch) return;
    const auto rank = [](const ReplicaStatus& s) { return std::pair(s.config.epoch, s.chosen); };
    if (!newest_ || rank(*newest_) < rank(*status)) newest_ = *status;
  }

  consensus::Member Target() const { return {move_.target.replica, move_.target.node}; }
  bool TargetIsMember() const { return newest_ && newest_->config.Find(move_.target.replica); }
  // Step 8: the Seal is chosen; from here there is only forward.
  bool Sealed() const {
    if (!newest_ || newest_->config.epoch <= move_.epoch) return false;
    return move_.sheds() ? !newest_->config.Find(move_.source.replica) : TargetIsMember();
  }
  // Step 13: RemoveLearner is chosen; from here there is only back.
  bool Removed() const {
    return newest_ && newest_->config.ended_move >= move_.id && !TargetIsMember();
  }
  bool CaughtUp(const ReplicaStatus& status) const { return IsCaughtUp(status, view_); }
  std::set<ReplicaId> CaughtUpLearners() const;
  NextMembers MembersAfterSeal() const;
  bool SealCompletes(const NextMembers& next) const {
    return next.voters != view_.leader->config.voters;
  }

  static Action Wait(std::string why);
  Action Do(ActionKind kind, std::string why) const;
  Action Advance(Stage stage, std::string why) const;
  Action Cancel(std::string why) const { return Do(ActionKind::kCancel, std::move(why)); }

  std::string Problem() const;
  Action BeforeSwitch() const;
  Action Rest() const;
  Action RollBack() const;
  Action CreateTarget() const;
  Action AddLearner() const;
  Action AwaitSnapshot() const;
  Action AwaitCatchUp() const;
  Action Verify() const;
  Action AfterDigests(const std::string& digest) const;
  Action Seal() const;
  std::optional<Action> NotArrived() const;
  std::optional<Action> TooFewVotes(const NextMembers& next) const;
  std::optional<Action> NotWhole(const NextMembers& next) const;
  std::optional<Action> MoveLeaderAway() const;
  Action Activate() const;
  Action CleanUp() const;

  const MoveRecord& move_;
  const MoveView& view_;
  std::optional<ReplicaStatus> newest_;
};

Action Situation::Wait(std::string why) {
  Action action;
  action.why = std::move(why);
  return action;
}

Action Situation::Do(ActionKind kind, std::string why) const {
  Action action;
  action.kind = kind;
  action.to = Target();
  action.why = std::move(why);
  return action;
}

Action Situation::Advance(Stage stage, std::string why) const {
  Action action;
  action.kind = ActionKind::kAdvance;
  action.advance.move = move_.id;
  action.advance.stage = stage;
  action.why = std::move(why);
  return action;
}

// The thirteen steps of design.md section 4, one stage after the other.
Action Situation::Next() const {
  switch (move_.stage) {
    case Stage::kActivate:
      return Activate();
    case Stage::kPublish:
      return move_.fills() ? Advance(Stage::kDone, "published")
                           : Advance(Stage::kCleanUp, "published");
    case Stage::kCleanUp:
      return CleanUp();
    case Stage::kDone:
    case Stage::kRolledBack:
      return Wait("the move has ended");
    default:
      return BeforeSwitch();
  }
}

Action Situation::BeforeSwitch() const {
  if (Sealed() && move_.cancelled) SOMETIMES(move_sealed_though_cancelled);
  if (Sealed()) {  // whatever was asked for: the shard's log has decided
    const auto next = static_cast<Stage>(static_cast<int>(move_.stage) + 1);
    return Advance(next, "the Seal is chosen");
  }
  if (move_.cancelled) return RollBack();
  if (const std::string problem = Problem(); !problem.empty()) return Cancel(problem);
  if (move_.paused) return Rest();
  switch (move_.stage) {
    case Stage::kIntent:
      return move_.sheds() ? Advance(Stage::kSeal, "nothing is to be brought") : CreateTarget();
    case Stage::kAddLearner:
      return AddLearner();
    case Stage::kSnapshot:
      return AwaitSnapshot();
    case Stage::kCatchUp:
      return AwaitCatchUp();
    case Stage::kVerify:
      return Verify();
    default:
      return Seal();
  }
}

// A shard has one move at a time: one that rests must not keep it from its repair.
Action Situation::Rest() const {
  SOMETIMES(move_rests);
  if (!newest_) return Wait("paused");
  for (const consensus::Member& voter : newest_->config.voters) {
    const auto gone = view_.others_gone.find(voter.id);
    if (gone == view_.others_gone.end()) continue;
    if (voter.id == move_.source.replica && move_.cause == MoveCause::kRepair) continue;
    SOMETIMES(move_at_rest_makes_way);
    return Cancel("replica " + ToString(voter.id) + " on node " + ToString(voter.node) +
                  " must be replaced first: " + gone->second);
  }
  return Wait("paused");
}

// Why the move cannot succeed any more, as long as no Seal is chosen.
std::string Situation::Problem() const {
  if (!view_.target_gone.empty()) {
    SOMETIMES(move_lost_its_target);
    return view_.target_gone;
  }
  if (Removed()) return "the shard's log has ended this move";
  if (newest_ && newest_->config.epoch > move_.epoch)
    return "the shard's members changed meanwhile";
  if (view_.target && !view_.target->exists) {
    const bool destroyed = view_.target->tombstone >= move_.target.replica;
    if (destroyed || move_.stage > Stage::kIntent)
      return "the new replica is gone from node " + ToString(move_.target.node);
  }
  return view_.stalled;
}

// Step 13: back is only through the shard's log; the target is destroyed after RemoveLearner is
// chosen. One that cannot be reached is not waited for: the map does not know it, so it goes when
// its node reports it.
Action Situation::RollBack() const {
  if (!Removed() && !DECREE_BUG_ROLLBACK_DESTROYS_FIRST) {
    if (!view_.leader) return Wait("no leader to take the learner away");
    // Before the stage add_learner nobody proposed one, so there is nothing to take away, unless
    // the target was a learner before this move.
    const bool untouched = move_.stage == Stage::kIntent && !TargetIsMember();
    if (untouched) SOMETIMES(move_rolled_back_untouched);
    if (!untouched) {
      SOMETIMES(move_takes_its_learner_away);
      return Do(ActionKind::kRemoveLearner, "rolling back");
    }
  }
  if (view_.target_gone.empty() && view_.stalled.empty() && !move_.sheds()) {
    if (!view_.target) return Wait("the target's node does not answer");
    const bool destroyed = !view_.target->exists && view_.target->tombstone >= move_.target.replica;
    if (!destroyed) {
      SOMETIMES(move_destroys_its_target);
      return Do(ActionKind::kDestroyTarget, "the learner is removed");
    }
  }
  if (!view_.target_gone.empty()) SOMETIMES(move_rolled_back_without_its_target);
  Action action = Advance(Stage::kRolledBack, "rolled back");
  action.advance.note = move_.error;
  if (Removed()) action.advance.members = newest_->config;
  return action;
}

// Step 2: a learner shell, durable before the shard hears of it.
Action Situation::CreateTarget() const {
  if (!view_.target) return Wait("the target's node does not answer");
  if (view_.target->exists) return Advance(Stage::kAddLearner, "the shell exists");
  return Do(ActionKind::kCreateTarget, "the shell is missing");
}

// Step 3: quorums do not change.
Action Situation::AddLearner() const {
  if (TargetIsMember()) return Advance(Stage::kSnapshot, "the learner is a member");
  if (!view_.leader) return Wait("no leader");
  return Do(ActionKind::kAddLearner, "the learner is no member yet");
}

// Step 4: consensus itself asks for the snapshot; here it is only watched.
Action Situation::AwaitSnapshot() const {
  if (!view_.target || !view_.target->has_snapshot) return Wait("the snapshot is on its way");
  Action action = Advance(Stage::kCatchUp, "the target holds rows");
  action.advance.bytes_total =
      std::max(view_.target->snapshot_bytes_total, view_.target->data_bytes);
  return action;
}

// Step 5, first half: what is durable at the target is close to what is chosen.
Action Situation::AwaitCatchUp() const {
  if (!view_.leader || !view_.target) return Wait("leader or target does not answer");
  if (!CaughtUp(*view_.target)) return Wait("the target lags");
  return Advance(Stage::kVerify, "caught up");
}

// Step 5, second half: never skipped. Every replica that knows its digest at the mark must agree.
Action Situation::Verify() const {
  if (!view_.leader || !view_.target) return Wait("leader or target does not answer");
  if (DECREE_BUG_DIGESTS_NOT_COMPARED) return AfterDigests({});
  if (!view_.mark) return Do(ActionKind::kMark, "no common slot yet");
  const std::string* ours = DigestAt(view_.target, view_.mark);
  if (!ours) return Wait("no digest of the target yet");
  const std::string* source = DigestAt(view_.source, view_.mark);
  const std::string* leader = DigestAt(view_.leader, view_.mark);
  if (!source && !leader) return Wait("no digest to compare with yet");
  for (const std::string* theirs : {source, leader}) {
    if (!theirs || *theirs == *ours) continue;
    return Cancel("the digests differ at slot " + ToString(view_.mark) + ": " + *ours +
                  " at the target, " + *theirs +
                  (theirs == source ? " at the source" : " at the leader"));
  }
  return AfterDigests(*ours);
}

Action Situation::AfterDigests(const std::string& digest) const {
  Action seal = Advance(Stage::kSeal, "the digests are equal");
  seal.advance.note = digest;
  if (!move_.fills()) return seal;
  const consensus::Config& config = view_.leader->config;
  std::set<ReplicaId> caught_up = CaughtUpLearners();
  const auto after = [&] {
    return MembersAfter(move_, config, {caught_up, {}, {}, view_.replicas_wanted});
  };
  if (SealCompletes(after())) return seal;
  for (const auto& [id, status] : view_.others) {
    if (status.exists && config.IsLearner(id)) caught_up.insert(id);
  }
  if (SealCompletes(after())) {
    SOMETIMES(move_waits_for_another_learner);
    return Wait("another learner must catch up for an odd number of voters");
  }
  SOMETIMES(move_stays_a_learner);
  Action publish = Advance(Stage::kPublish, "stays a learner until the set is complete");
  publish.advance.note = digest;
  publish.advance.members = config;
  return publish;
}

std::set<ReplicaId> Situation::CaughtUpLearners() const {
  std::set<ReplicaId> ids;
  if (view_.target && CaughtUp(*view_.target)) ids.insert(move_.target.replica);
  for (const auto& [id, status] : view_.others) {
    if (CaughtUp(status)) ids.insert(id);
  }
  return ids;
}

// A repair (its source is gone) of a shard with further dead voters seals with the living majority:
// the dead stay as learners until each is repaired in its turn. Else two dead of five voters could
// never be repaired, since each Seal would name the other one. No fewer than a quorum of the
// present voters may be left, so three voters never become one.
NextMembers Situation::MembersAfterSeal() const {
  const consensus::Config& config = view_.leader->config;
  const ReplicaId leader = view_.leader_member ? view_.leader_member->id : ReplicaId{};
  const auto after = [&](const std::set<ReplicaId>& dead) {
    return MembersAfter(move_, config, {CaughtUpLearners(), dead, leader, view_.replicas_wanted});
  };
  std::set<ReplicaId> dead;
  for (const auto& [id, why] : view_.others_gone) dead.insert(id);
  NextMembers living = after(dead);
  const bool repair = !view_.source_gone.empty();
  if (repair) SOMETIMES(move_seals_a_repair);
  return repair && living.voters.size() >= config.QuorumSize() ? living : after({});
}

// Steps 6 and 7. The leader itself drains its pipeline before it proposes the Seal.
Action Situation::Seal() const {
  if (!view_.leader) return Wait("no leader");
  if (std::optional<Action> hindrance = NotArrived()) return *hindrance;
  if (std::optional<Action> transfer = MoveLeaderAway()) return *transfer;
  NextMembers next = MembersAfterSeal();
  if (std::optional<Action> hindrance = TooFewVotes(next)) return *hindrance;
  if (std::optional<Action> hindrance = NotWhole(next)) return *hindrance;
  Action action = Do(ActionKind::kSeal, "everything is ready");
  action.next_voters = std::move(next.voters);
  action.next_learners = std::move(next.learners);
  return action;
}

std::optional<Action> Situation::NotArrived() const {
  if (move_.sheds()) return std::nullopt;
  if (!view_.target) return Wait("the target does not answer");
  if (!CaughtUp(*view_.target)) return Wait("the target lags");
  if (!TargetIsMember()) return Wait("the leader does not know the learner");
  return std::nullopt;
}

// A copy that goes must not take more votes with it than were asked for: a learner that is to get
// its vote is waited for, or the move gives way if it will not answer.
std::optional<Action> Situation::TooFewVotes(const NextMembers& next) const {
  if (!move_.sheds()) return std::nullopt;
  const std::size_t left = next.voters.size() + next.learners.size();
  if (left == 0) return Wait("no other replica could vote");
  const std::size_t votes = VotesOf(std::min<std::size_t>(view_.replicas_wanted, left));
  if (next.voters.size() >= votes) return std::nullopt;
  for (const consensus::Member& learner : next.learners) {
    const auto gone = view_.others_gone.find(learner.id);
    if (gone == view_.others_gone.end()) continue;
    return Cancel("replica " + ToString(learner.id) + " on node " + ToString(learner.node) +
                  " cannot take the vote: " + gone->second);
  }
  SOMETIMES(move_sheds_only_when_a_learner_can_vote);
  return Wait("a learner must catch up for the vote that goes");
}

// A Seal names caught-up voters only, and the leader refuses any other. A voter on a dead node will
// not catch up: then this move must make way, or it would block the repair of its own shard.
std::optional<Action> Situation::NotWhole(const NextMembers& next) const {
  for (const consensus::Member& voter : next.voters) {
    const bool checked = voter.id == move_.target.replica ||
                         (view_.leader_member && voter.id == view_.leader_member->id);
    if (checked) continue;
    const std::string name = "replica " + ToString(voter.id) + " on node " + ToString(voter.node);
    if (const auto gone = view_.others_gone.find(voter.id); gone != view_.others_gone.end())
      return Cancel(name + " must be replaced first: " + gone->second);
    const auto status = view_.others.find(voter.id);
    const bool destroyed = status != view_.others.end() && !status->second.exists &&
                           status->second.tombstone >= voter.id;
    if (destroyed) return Cancel(name + " must be replaced first: it was destroyed");
    const bool close =
        status != view_.others.end() && status->second.exists &&
        status->second.durable_chosen.value + view_.catch_up_gap >= view_.leader->chosen.value;
    if (!close) return Wait(name + " is not caught up");
  }
  return std::nullopt;
}

// Step 6: a leader that leaves hands over first; the only voter of a shard has nobody to hand over
// to and seals itself out.
std::optional<Action> Situation::MoveLeaderAway() const {
  const bool source_leads =
      !move_.fills() && view_.leader_member && view_.leader_member->id == move_.source.replica;
  const consensus::Config& config = view_.leader->config;
  if (source_leads && config.voters.size() == 1) SOMETIMES(move_of_a_sole_voter);
  if (!source_leads || config.voters.size() == 1) return std::nullopt;
  SOMETIMES(move_hands_leadership_over);
  Action action = Wait("the source leads and no other voter answers");
  Slot best;
  for (const consensus::Member& voter : config.voters) {
    const auto status = view_.others.find(voter.id);
    if (voter.id == move_.source.replica || status == view_.others.end()) continue;
    if (!status->second.exists || status->second.durable_chosen <= best) continue;
    best = status->second.durable_chosen;
    action = Do(ActionKind::kTransfer, "the source leads");
    action.to = voter;
  }
  return action;
}

// Step 10: only when EpochStart is chosen is the source dispensable.
Action Situation::Activate() const {
  if (DECREE_BUG_SOURCE_DESTROYED_EARLY && newest_) {
    Action early = Advance(Stage::kPublish, "the Seal is chosen");
    early.advance.members = newest_->config;
    return early;
  }
  if (!view_.leader || view_.leader->config.epoch <= move_.epoch)
    return Wait("no leader of the new epoch");
  if (!view_.leader->epoch_started) return Wait("the new epoch has not started");
  Action action = Advance(Stage::kPublish, "the new epoch has started");
  action.advance.members = view_.leader->config;
  // Unknown if another replica held the writes: an older switch says nothing of this one.
  if (view_.leader->switch_epoch == view_.leader->config.epoch) {
    action.advance.switch_pause_ms = view_.leader->switch_pause_ms;
  }
  return action;
}

// Step 12. A source that cannot be reached holds up nobody: it is sealed out, and its tombstone is
// written when it is reported again.
Action Situation::CleanUp() const {
  const std::string& why = view_.source_gone.empty() ? view_.stalled : view_.source_gone;
  if (!why.empty()) {
    SOMETIMES(move_leaves_its_source_behind);
    Action action = Advance(Stage::kDone, why);
    action.advance.note = why + "; the old replica goes when its node reports it";
    return action;
  }
  if (!view_.source) return Wait("the source's node does not answer");
  const bool destroyed = !view_.source->exists && view_.source->tombstone >= move_.source.replica;
  if (destroyed) return Advance(Stage::kDone, "the source is destroyed");
  return Do(ActionKind::kDestroySource, "the source is dispensable");
}

}  // namespace

Action NextAction(const MoveRecord& move, const MoveView& view) {
  return Situation(move, view).Next();
}

}  // namespace decree::rebalance
