// The acceptor: P1, P3 and P6.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// P1. A member of C_{b.epoch} promises; one that lacks the Seal of the epoch before refuses, names
// its chosen and catches up (step 9); a repeated Prepare gets the promise again.
void Replica::Core::OnPrepare(const Member& from, const Prepare& m) {
  if (!GateEpoch(from, m.ballot)) {
    Defer(from, m.ballot, m);
    if (config_.epoch != Epoch{} && m.ballot.epoch > config_.epoch) {
      SOMETIMES(consensus_promise_refused_without_seal);
      Reply(from, Promise{m.ballot, promised_, chosen_, log_.trimmed(), 0, 1, {}});
    }
    return;
  }
  if (!SelfVotes() || !FromLeaderOf(m.ballot, from)) return;
  if (m.ballot < promised_) {
    SOMETIMES(consensus_prepare_rejected);
    Reply(from, Promise{m.ballot, promised_, chosen_, log_.trimmed(), 0, 1, {}});
    return;
  }
  if (m.ballot > promised_) {
    ReleaseGrant(m.released);
    if (BoundByGrant()) {
      SOMETIMES(consensus_prepare_refused_for_a_lease);
      return;  // the candidate asks again
    }
    BecomeFollower();
    RaisePromise(m.ballot);
    leader_.reset();  // the old one is deposed, the new one not yet elected
    ResetElectionTimer();
  }
  ReplyPromise(from, m.from);
}

void Replica::Core::RaisePromise(const Ballot& ballot) {
  DECREE_CHECK(ballot > promised_);
  DECREE_CHECK(ballot.epoch == config_.epoch);  // step 9: contiguous chosen covers the Seal before
  promised_ = ballot;
  pending_.promised = ballot;
  voted_to_ = chosen_;
  leader_round_ = 0;
}

// "For each slot >= from the chosen value if known, else the vote." Votes of earlier epochs at or
// above this epoch's start are void.
std::vector<PromisedSlot> Replica::Core::PromisedFrom(Slot from) const {
  std::vector<PromisedSlot> slots;
  Slot slot = std::max(from, log_.trimmed().Next());
  for (; slot <= log_.last(); slot = slot.Next()) {
    const SlotLog::Entry* entry = log_.Find(slot);
    if (entry == nullptr) continue;
    const bool is_void =
        !entry->chosen && slot >= config_.start && entry->vote.ballot.epoch < config_.epoch;
    if (is_void && !DECREE_BUG_VOID_VOTES_BELIEVED) continue;
    slots.push_back(PromisedSlot{slot, entry->chosen, entry->vote.ballot, entry->vote.decree});
  }
  return slots;
}

// Pages are stable: while the promise stands nothing below its ballot is accepted, so that sending
// them again at the same chosen and trimmed cuts them alike.
void Replica::Core::ReplyPromise(const Member& to, Slot from) {
  std::vector<Promise> pages(1);
  std::size_t bytes = 0;
  for (PromisedSlot& slot : PromisedFrom(from)) {
    const std::size_t size = SizeOf(slot.decree);
    if (!pages.back().slots.empty() && bytes + size > options_.max_page_bytes) {
      SOMETIMES(consensus_promise_in_pages);
      pages.emplace_back();
      bytes = 0;
    }
    bytes += size;
    pages.back().slots.push_back(std::move(slot));
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    pages[i].ballot = pages[i].promised = promised_;
    pages[i].chosen = chosen_;
    pages[i].trimmed = log_.trimmed();
    pages[i].page = static_cast<std::uint32_t>(i);
    pages[i].pages = static_cast<std::uint32_t>(pages.size());
    Reply(to, std::move(pages[i]));
  }
}

// P3. Whoever sends Accepts of a ballot leads it: this replica follows.
void Replica::Core::OnAccept(const Member& from, const Accept& m) {
  if (!GateEpoch(from, m.ballot) || !FromLeaderOf(m.ballot, from)) return;
  if (!SelfVotes()) {
    HeardLeader(from);
    NoteLeaderChosen(from, m.ballot, m.chosen, false);
    return;
  }
  if (m.ballot < promised_ && !DECREE_BUG_ACCEPT_BELOW_PROMISE) {
    SOMETIMES(consensus_accept_rejected);
    ReplyAccepted(from, m.ballot);
    return;
  }
  HeardLeader(from);
  if (m.ballot > promised_) {
    SOMETIMES(consensus_accept_of_a_ballot_not_promised);
    RaisePromise(m.ballot);
  }
  AcceptSlots(m);
  NoteLeaderChosen(from, m.ballot, m.chosen, m.base > chosen_);
  if (config_.epoch != m.ballot.epoch) return;  // the watermark covered a Seal: nothing to say in e
  ReplyAccepted(from, m.ballot);
}

// In slot order, up to the first that may not be taken.
void Replica::Core::AcceptSlots(const Accept& m) {
  Slot slot = m.first;
  for (const Decree& decree : m.decrees) {
    if (slot.value >= chosen_.value + kMaxGap) return;
    const bool closed = slot <= chosen_ || log_.IsChosen(slot);  // P6: never overwritten
    if ((!closed || DECREE_BUG_ACCEPT_OVERWRITES_CHOSEN) && !log_.VotedIn(m.ballot, slot)) {
      if (!MayVote(m, slot)) {
        SOMETIMES(consensus_accept_above_a_hole);
        return;
      }
      StoreVote(slot, decree);
    }
    if (closed) SOMETIMES(consensus_accept_of_a_chosen_slot);
    slot = slot.Next();
  }
}

// P3: every slot below a vote is chosen or voted in that ballot.
bool Replica::Core::MayVote(const Accept& m, Slot slot) const {
  if (DECREE_BUG_NONCONTIGUOUS_ACCEPT) return slot > m.base;
  return slot > m.base &&
         (slot == m.base.Next() || slot.Prev() <= chosen_ || log_.VotedIn(m.ballot, slot.Prev()));
}

// Promise and vote persist in one write: both are in `pending_` until TakeOutput.
void Replica::Core::StoreVote(Slot slot, const Decree& decree) {
  log_.PutVote(promised_, slot, decree);
  pending_.votes.push_back(Vote{slot, promised_, decree});
  ExtendVoted();
}

void Replica::Core::ExtendVoted() {
  voted_to_ = std::max(voted_to_, chosen_);
  while (log_.VotedIn(promised_, voted_to_.Next())) voted_to_ = voted_to_.Next();
}

// A rejection names the higher promise; it says nothing about votes in the ballot it refuses.
void Replica::Core::ReplyAccepted(const Member& to, const Ballot& ballot) {
  if (ballot == promised_) RecordWhatCovers();
  Reply(to,
        Accepted{ballot, promised_, ballot == promised_ ? voted_to_ : chosen_, durable_.chosen});
}

}  // namespace decree::consensus
