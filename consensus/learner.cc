// The learner: what is chosen, how it is fetched (P5, P11), and what a chosen Seal does.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// P11. Served in any epoch and to anybody: a chosen value is a fact of a quorum's disks, so it
// needs no persistence here. A learner that is at the tip waits at the leader for the next slot.
void Replica::Core::OnLearn(const Member& from, const Learn& m) {
  const Slot first = std::max(m.from, Slot{1});
  if (first <= chosen_) {
    SendLearned(from, first);
    return;
  }
  Peer* peer = role_ == Role::kLeader ? FindPeer(from.id) : nullptr;
  if (peer != nullptr) peer->parked_learn = first;
}

void Replica::Core::SendLearned(const Member& to, Slot from) {
  Learned page{log_.trimmed(), chosen_, from, {}};
  std::size_t bytes = 0;
  for (Slot slot = from; from > log_.trimmed() && slot <= chosen_; slot = slot.Next()) {
    const Decree& decree = log_.Find(slot)->vote.decree;
    bytes += SizeOf(decree);
    if (!page.decrees.empty() && bytes > options_.max_page_bytes) break;
    page.decrees.push_back(decree);
  }
  Send(to, std::move(page));
}

void Replica::Core::OnLearned(const Member& from, const Learned& m) {
  const bool asked = learn_.asked && learn_.target.id == from.id;
  if (config_.epoch == Epoch{} || (!asked && config_.Find(from.id) == nullptr)) return;
  if (m.trimmed > chosen_ && m.decrees.empty()) {
    AskSnapshot(from, m.trimmed);
    return;
  }
  const Slot before = chosen_;
  Slot slot = m.first;
  for (const Decree& decree : m.decrees) {
    if (slot > chosen_.Next()) break;
    if (slot == chosen_.Next()) LearnChosen(slot, decree);
    slot = slot.Next();
  }
  AdvanceStoredChosen();
  if (chosen_ == before || config_.Find(self_) == nullptr) return;
  if (!SelfVotes()) {
    // The move gate watches a learner's durable watermark: report it as soon as it is durable.
    Reply(from, HeartbeatReply{learn_.ballot, {}, 0, {}, chosen_});
  } else if (promised_.replica == from.id && promised_.epoch == config_.epoch) {
    ReplyAccepted(from, promised_);  // votes above the gap count from here on
  }
  // The next page at once; a learner asks even at the tip, and waits there.
  if (m.chosen > chosen_ || !SelfVotes()) AskLearnNow(from);
}

// Step 8: hearing Sealed is not knowing; it only starts catching up.
void Replica::Core::OnSealed(const Member& from, const Sealed& m) {
  if (m.epoch < config_.epoch || config_.epoch == Epoch{}) return;
  SOMETIMES(consensus_heard_sealed);
  if (DECREE_BUG_SEALED_BELIEVED && m.epoch == config_.epoch) {
    BeginEpoch(Config{m.epoch.Next(), m.seal.Next(), m.next_voters, m.next_learners, {}, {}});
  }
  AskLearn(from);
}

void Replica::Core::SendSealed(const Member& to) {
  SOMETIMES(consensus_answered_sealed);
  Reply(to, Sealed{config_.epoch.Prev(), config_.start.Prev(), config_.voters, config_.learners});
}

// Said again at every occasion until InstalledSnapshot; the host fetches one at a time.
void Replica::Core::AskSnapshot(const Member& from, Slot at_least) {
  SOMETIMES(consensus_snapshot_needed);
  out_.snapshot = SnapshotNeed{from, at_least};
}

void Replica::Core::AskLearn(const Member& from) {
  if (learn_.asked && now_ - learn_.asked_at < options_.heartbeat && learn_.target.id == from.id) {
    return;
  }
  AskLearnNow(from);
}

void Replica::Core::AskLearnNow(const Member& from) {
  learn_.target = from;
  learn_.asked = true;
  learn_.asked_at = now_;
  Send(from, Learn{chosen_.Next()});
}

// P5: the watermark of ballot b chooses a slot here only if the vote here is in b; else the value
// is fetched. A voter fetches when its votes have not closed the gap for a heartbeat interval, or
// at once if `urgent`; a learner has no other way and keeps a request waiting at the leader.
void Replica::Core::NoteLeaderChosen(const Member& leader, const Ballot& ballot, Slot chosen,
                                     bool urgent) {
  learn_.ballot = ballot;
  while (chosen_ < chosen && config_.epoch == ballot.epoch &&
         (log_.VotedIn(ballot, chosen_.Next()) ||
          (DECREE_BUG_OLD_VOTE_CHOSEN && log_.Find(chosen_.Next())))) {
    MarkChosen(chosen_.Next());
  }
  AdvanceStoredChosen();
  const bool behind = chosen_ < chosen;
  if (behind && log_.Find(chosen_.Next())) SOMETIMES(consensus_vote_is_not_what_was_chosen);
  const bool stalled = now_ - learn_.progress_at >= options_.heartbeat;
  if (!SelfVotes() || (behind && (urgent || stalled))) AskLearn(leader);
}

// Chosen by others: stored as chosen, whatever was voted here (P6 protects it from then on).
void Replica::Core::LearnChosen(Slot slot, const Decree& decree) {
  DECREE_CHECK(slot == chosen_.Next());
  if (role_ == Role::kLeader) {
    const SlotLog::Entry* own = log_.Find(slot);
    const bool same = slot < lead_.next && own != nullptr && own->vote.decree == decree;
    if (!same) {  // another ballot decided: this one is over
      SOMETIMES(consensus_leader_learned_of_another_ballot);
      BecomeFollower();
    }
  }
  log_.PutChosen(slot, decree);
  if (!DECREE_BUG_LEARNED_NOT_STORED) pending_.chosen.push_back(ChosenDecree{slot, decree});
  MarkChosen(slot);
}

// Slots stored as chosen above a gap that has just closed.
void Replica::Core::AdvanceStoredChosen() {
  while (log_.IsChosen(chosen_.Next())) MarkChosen(chosen_.Next());
}

void Replica::Core::MarkChosen(Slot slot) {
  DECREE_CHECK(slot == chosen_.Next());
  log_.MarkChosen(slot);
  chosen_ = slot;
  learn_.progress_at = now_;
  ExtendVoted();
  const Decree& decree = log_.Find(slot)->vote.decree;
  if (role_ == Role::kLeader && slot == lead_.barrier) {
    out_.leadership_changed = true;
    StartReadRound();
  }
  if (decree.kind != DecreeKind::kNoOp && decree.kind != DecreeKind::kCommandBatch) {
    ApplyToConfig(slot, decree);
  }
}

void Replica::Core::ApplyToConfig(Slot slot, const Decree& decree) {
  Config next = Advance(config_, slot, decree);
  if (next.epoch != config_.epoch) {
    BeginEpoch(std::move(next));
    return;
  }
  config_ = std::move(next);
  if (role_ == Role::kLeader) RefreshPeers();
}

// Steps 8 and 9: whoever knows the Seal stops leading; a voter of the new set may campaign from
// here on. The leader that got the Seal chosen says so in its last heartbeat, so that its
// followers, who voted for it, know too, and campaigns at once if it stays.
void Replica::Core::BeginEpoch(Config next) {
  const bool led = role_ == Role::kLeader;
  const ReplicaId old_leader = led ? self_ : leader_ ? leader_->id : ReplicaId{};
  if (led) {
    SendToMembers(Heartbeat{lead_.ballot, chosen_, 0});
    ServeParkedLearns();
  }
  config_ = std::move(next);
  grant_ = LeaseGrant{};  // a known Seal voids the grants of its epoch
  seen_round_ = 0;
  const bool goes_on = led && SelfVotes();
  if (led && !goes_on) SOMETIMES(consensus_leader_sealed_itself_out);
  if (goes_on) SOMETIMES(consensus_leader_takes_its_epoch_over);
  PostponeReads();
  std::vector<ReadId> pending = goes_on ? std::exchange(reads_.waiting, {}) : std::vector<ReadId>{};
  BecomeFollower();
  leader_.reset();
  out_.leadership_changed = true;
  if (goes_on) {
    Campaign();
    campaign_.takes_over = true;
    reads_.waiting = std::move(pending);  // they run again in e+1 (step 7)
  } else {
    ScheduleEpochCampaign(config_.IsVoter(old_leader));
  }
}

void Replica::Core::EmitChosen() {
  for (; emitted_ < chosen_; emitted_ = emitted_.Next()) {
    const Slot slot = emitted_.Next();
    out_.chosen.push_back(ChosenDecree{slot, log_.Find(slot)->vote.decree});
  }
}

void Replica::Core::Applied(Instant now, Slot slot) {
  now_ = now;
  applied_ = std::max(applied_, std::min(slot, chosen_));
  ReleaseReads();
  Settle();
}

// P10. What is not applied is not durable in the rows, whatever the host says.
void Replica::Core::Trim(Slot slot) { log_.Trim(std::min(slot, applied_)); }

void Replica::Core::InstalledSnapshot(Instant now, Slot applied, Config config) {
  now_ = now;
  if (applied > applied_ && applied <= chosen_) {  // the rows jumped within what is known here
    applied_ = applied;
    emitted_ = std::max(emitted_, applied);
    ReleaseReads();
  }
  if (applied <= chosen_) return;
  SOMETIMES(consensus_snapshot_installed);
  if (role_ == Role::kLeader) BecomeFollower();
  log_.Trim(applied);
  chosen_ = applied_ = emitted_ = applied;
  durable_.chosen = std::max(durable_.chosen, applied);
  learn_.progress_at = now;
  ExtendVoted();
  if (config.epoch != config_.epoch) {
    BeginEpoch(std::move(config));
  } else {
    config_ = std::move(config);
  }
  AdvanceStoredChosen();
  if (learn_.asked) AskLearnNow(learn_.target);
  Settle();
}

}  // namespace decree::consensus
