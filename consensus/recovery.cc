// Phase 1 from the candidate's side: P2.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::consensus {

namespace {

// No honest promise has so many pages.
constexpr std::uint32_t kMaxPages = kMaxGap * 2;

PromiseSet& SetOf(std::vector<PromiseSet>& promises, const Member& from) {
  for (PromiseSet& set : promises) {
    if (set.from.id == from.id) return set;
  }
  promises.emplace_back().from = from;
  return promises.back();
}

// Pages cut at another chosen or trimmed are of another rendering: they do not mix.
void AddPage(PromiseSet& set, const Promise& m) {
  if (set.pages != 0 && set.chosen != m.chosen) SOMETIMES(consensus_promise_rendered_anew);
  if (set.pages != m.pages || set.chosen != m.chosen || set.trimmed != m.trimmed) {
    set.got.clear();
    set.pages = m.pages;
    set.chosen = m.chosen;
    set.trimmed = m.trimmed;
  }
  set.got[m.page] = m.slots;
}

}  // namespace

// Prepares follow the ballot's own record; what is sent again goes to those whose promise is
// missing.
void Replica::Core::SendPrepares() {
  for (const Member& voter : config_.voters) {
    if (voter.id == self_) continue;
    const auto complete = [&](const PromiseSet& s) {
      return s.from.id == voter.id && s.Complete();
    };
    const auto& sets = campaign_.promises;
    if (std::any_of(sets.begin(), sets.end(), complete)) continue;
    const Prepare prepare{campaign_.ballot, campaign_.from, campaign_.released};
    if (DECREE_BUG_BALLOT_REUSED) Send(voter, prepare);
    Reply(voter, prepare);
  }
}

void Replica::Core::OnPromise(const Member& from, const Promise& m) {
  if (role_ != Role::kCandidate || !FromVoter(from)) return;
  if (m.ballot != campaign_.ballot && !DECREE_BUG_PROMISES_MIXED) return;
  if (m.promised > m.ballot) {
    SOMETIMES(consensus_campaign_rejected);
    NoteRound(m.promised);
    BecomeFollower();
    return;
  }
  if (m.promised != m.ballot) return;  // it lacks the Seal; it is learning, Prepare comes again
  if (campaign_.fixed || m.page >= m.pages || m.pages > kMaxPages) return;
  AddPage(SetOf(campaign_.promises, from), m);
  CheckPromiseQuorum();
}

// Fixes the promise quorum as soon as one is complete, this replica's own durable promise included.
void Replica::Core::CheckPromiseQuorum() {
  if (!campaign_.self_promised || campaign_.fixed) return;
  auto& sets = campaign_.promises;
  std::erase_if(sets, [this](const PromiseSet& s) { return !config_.IsVoter(s.from.id); });
  const auto complete = [](const PromiseSet& s) { return s.Complete(); };
  const auto promised = static_cast<std::size_t>(std::count_if(sets.begin(), sets.end(), complete));
  const bool believed = DECREE_BUG_OLD_MAJORITY_STARTS_EPOCH && campaign_.takes_over;
  if (promised + 1 < config_.QuorumSize() && !believed) return;
  campaign_.fixed = true;
  campaign_.base = chosen_;
  for (const PromiseSet& set : sets) {
    if (!set.Complete() || set.chosen <= campaign_.base) continue;
    if (DECREE_BUG_NOOP_OVER_TRIMMED) continue;
    campaign_.base = set.chosen;
    campaign_.base_source = set.from;
  }
  CollectOwnVotes();
  for (const PromiseSet& set : sets) {
    if (!set.Complete()) continue;
    for (const auto& [page, slots] : set.got) {
      for (const PromisedSlot& slot : slots) CollectPromised(slot);
    }
  }
  sets.clear();
  campaign_.deadline = now_ + options_.election_max;  // to fetch what is missing up to base
  ContinueRecovery();
}

// A chosen value beats votes, the highest ballot beats lower ones. Votes of earlier epochs above
// the Seal are void: base is at least the Seal's slot, so the epoch alone tells.
void Replica::Core::CollectPromised(const PromisedSlot& slot) {
  if (slot.slot <= chosen_ || slot.slot.value > campaign_.base.value + kMaxGap) return;
  // Nobody sends such a vote (acceptor.cc); one that does is not believed.
  if (!slot.chosen && slot.ballot.epoch != config_.epoch && !DECREE_BUG_VOID_VOTES_BELIEVED) return;
  auto [known, fresh] = campaign_.best.try_emplace(slot.slot, slot);
  if (fresh || known->second.chosen) return;
  if (slot.chosen || slot.ballot > known->second.ballot || DECREE_BUG_ANY_VOTE)
    known->second = slot;
}

void Replica::Core::CollectOwnVotes() {
  for (PromisedSlot& slot : PromisedFrom(chosen_.Next())) CollectPromised(slot);
}

// Slots <= base are learned, never proposed; whoever cannot fetch them in time tries a higher
// ballot.
void Replica::Core::ContinueRecovery() {
  auto& best = campaign_.best;
  while (role_ == Role::kCandidate) {
    const auto next = best.find(chosen_.Next());
    if (next == best.end() || !next->second.chosen) break;
    SOMETIMES(consensus_chosen_value_in_promise);
    const Decree decree = next->second.decree;
    LearnChosen(chosen_.Next(), decree);
  }
  if (role_ != Role::kCandidate || !campaign_.fixed) return;  // a Seal was learned: epoch over
  if (chosen_ < campaign_.base) {
    SOMETIMES(consensus_base_fetched);
    AskLearn(campaign_.base_source);
    return;
  }
  BecomeLeader();
}

void Replica::Core::CandidateTick() {
  if (now_ >= campaign_.deadline) {
    if (campaign_.fixed && !DiskStuck(options_.election_min)) {
      SOMETIMES(consensus_base_not_fetched_in_time);
      const bool takes_over = campaign_.takes_over;
      Campaign(Ballot{campaign_.released});
      campaign_.takes_over = takes_over;
    } else {
      ElectionTimedOut();
    }
    return;
  }
  if (now_ < campaign_.resend_at) return;
  campaign_.resend_at = now_ + options_.heartbeat;
  if (campaign_.fixed) {
    AskLearn(campaign_.base_source);
  } else if (campaign_.self_promised) {
    SendPrepares();
  }
}

// The candidate's quorum did not come: ask again politely, with a pre-vote.
void Replica::Core::ElectionTimedOut() {
  SOMETIMES(consensus_campaign_timed_out);
  BecomeFollower();
  if (!SelfVotes() || DiskStuck(options_.election_min)) return;
  StartPreVote();
}

void Replica::Core::BecomeLeader() {
  role_ = Role::kLeader;
  lead_ = Leading{};
  lead_.ballot = campaign_.ballot;
  lead_.active_at = now_;
  lead_.base = chosen_;
  lead_.next = chosen_.Next();
  leader_ = *config_.Find(self_);
  leader_heard_ = now_;
  election_deadline_ = kNever;
  out_.leadership_changed = true;
  RefreshPeers();
  ReproposeVotes();
  campaign_ = Campaigning{};
  LeaderTick();  // the first heartbeat tells everybody
}

// Above base: the vote of the highest ballot, else NoOp, up to the last voted slot; then a barrier
// of this ballot. A recovered Seal ends recovery: nothing above it, no barrier, no reads. The first
// fresh value of a later epoch is EpochStart, which is its own barrier (Seal step 10).
void Replica::Core::ReproposeVotes() {
  auto& best = campaign_.best;
  best.erase(best.begin(), best.upper_bound(chosen_));
  const Slot last = best.empty() ? chosen_ : best.rbegin()->first;
  while (lead_.next <= last && !lead_.sealing) {
    const auto voted = best.find(lead_.next);
    if (voted != best.end()) {
      SOMETIMES(consensus_vote_proposed_again);
      lead_.sealing = voted->second.decree.kind == DecreeKind::kSeal;
      ProposeSlot(voted->second.decree);
    } else {
      ProposeSlot(FreshBarrier());
    }
  }
  if (lead_.sealing && !DECREE_BUG_BARRIER_ABOVE_SEAL) {
    SOMETIMES(consensus_seal_recovered);
    return;
  }
  lead_.barrier = ProposeSlot(FreshBarrier());
}

Decree Replica::Core::FreshBarrier() const {
  Decree decree;
  const bool begins_epoch = config_.epoch > Epoch{1} && lead_.next == config_.start;
  decree.kind = begins_epoch ? DecreeKind::kEpochStart : DecreeKind::kNoOp;
  return decree;
}

}  // namespace decree::consensus
