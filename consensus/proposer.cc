// Phase 2 from the leader's side: proposals, pipelined Accepts, counting votes (P4).
#include <algorithm>
#include <functional>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {

ProposeResult Replica::Core::Propose(Instant now, Decree decree) {
  now_ = now;
  if (role_ != Role::kLeader) return {ProposeCode::kNotLeader, {}, ""};
  NoteActivity();
  if (decree.kind == DecreeKind::kEpochStart) {
    return {ProposeCode::kRefused, {}, "only a new epoch's leader proposes EpochStart"};
  }
  if (!Ready() || lead_.sealing || lead_.transfer) return {ProposeCode::kNotReady, {}, ""};
  if (lead_.holding && decree.kind == DecreeKind::kCommandBatch) {
    SOMETIMES(consensus_commands_held_for_a_seal);
    return {ProposeCode::kNotReady, {}, "a Seal is being prepared"};
  }
  if (const char* why = WhyUnfit(config_, decree)) return {ProposeCode::kRefused, {}, why};
  if (const char* why = WhyNotNow(decree)) return {ProposeCode::kNotNow, {}, why};
  if (inflight() >= options_.max_inflight) {
    SOMETIMES(consensus_pipeline_full);
    return {ProposeCode::kFull, {}, ""};
  }
  const bool is_seal = decree.kind == DecreeKind::kSeal;
  if (is_seal) {  // Seal step 7: in one step reads end and the Seal is proposed; nothing follows it
    PostponeReads();
    lead_.sealing = true;
  }
  const Slot slot = ProposeSlot(decree);
  if (DECREE_BUG_PROPOSAL_ABOVE_SEAL && is_seal) ProposeSlot(Decree{});
  const bool is_command =
      decree.kind == DecreeKind::kCommandBatch || decree.kind == DecreeKind::kNoOp;
  if (!is_command) lead_.membership = slot;
  return {ProposeCode::kProposed, slot, ""};
}

// One membership decree is in flight at a time. Seal: r = chosen + 1, everything below it chosen
// and applied, so that no rival RemoveLearner can be chosen below a Seal that revives (step 7).
const char* Replica::Core::WhyNotNow(const Decree& decree) const {
  if (decree.kind == DecreeKind::kCommandBatch || decree.kind == DecreeKind::kNoOp) return nullptr;
  if (lead_.membership > chosen_) return "a membership decree is in flight";
  if (decree.kind != DecreeKind::kSeal) return nullptr;
  const bool drained = inflight() == 0 && applied_ == chosen_;
  if (!drained && !DECREE_BUG_SEAL_ABOVE_OPEN_SLOTS) {
    SOMETIMES(consensus_seal_waits_for_the_pipeline);
    return "the pipeline is not drained";
  }
  for (const Member& voter : decree.next_voters) {
    if (!CaughtUp(voter)) return "a voter of the new set is not caught up";
  }
  return nullptr;
}

// The gate of step 5, as far as the leader's own knowledge goes. Who does not know that it is a
// member has no timer, and would wait for ever to hear that it has become a voter.
bool Replica::Core::CaughtUp(const Member& member) const {
  if (member.id == self_) return true;
  const Peer* peer = FindPeer(member.id);
  return peer != nullptr && peer->reported &&
         (peer->voter || peer->durable_chosen >= peer->added) &&
         peer->durable_chosen.value + kGateSlots >= chosen_.value;
}

void Replica::Core::HoldProposals() {
  if (role_ == Role::kLeader) lead_.holding = true;
}

void Replica::Core::ResumeProposals() { lead_.holding = false; }

// The leader's own vote; TakeOutput sends the Accepts in parallel with its write.
Slot Replica::Core::ProposeSlot(const Decree& decree) {
  const Slot slot = lead_.next;
  lead_.next = slot.Next();
  StoreVote(slot, decree);
  return slot;
}

void Replica::Core::OnAccepted(const Member& from, const Accepted& m) {
  if (role_ != Role::kLeader || m.ballot != lead_.ballot) return;
  Peer* peer = FindPeer(from.id);
  if (peer == nullptr || !peer->voter) return;
  if (m.promised > m.ballot) {  // a rival has its promise: this leadership is over
    SOMETIMES(consensus_leader_rejected);
    NoteRound(m.promised);
    BecomeFollower();
    return;
  }
  if (m.promised != m.ballot) return;
  NotePeer(*peer, m.voted, m.chosen);
  CountVotes();
}

// P4: chosen = votes of a majority of the voters in this ballot; its own only when durable.
void Replica::Core::CountVotes() {
  std::vector<Slot>& voted = count_scratch_;
  voted.clear();
  voted.push_back(durable_.promised == lead_.ballot ? DurableVoted() : Slot{});
  if (DECREE_BUG_OWN_VOTE_BEFORE_FSYNC) voted.back() = voted_to_;
  for (const Peer& peer : lead_.peers) {
    if (DECREE_BUG_LEARNERS_COUNTED && !peer.voter) voted.push_back(lead_.next.Prev());
    if (peer.voter) voted.push_back(peer.voted);
  }
  const std::size_t quorum = config_.QuorumSize();
  std::nth_element(voted.begin(), voted.begin() + static_cast<std::ptrdiff_t>(quorum) - 1,
                   voted.end(), std::greater<>());
  const Slot upto = std::min(voted[quorum - 1], lead_.next.Prev());
  while (role_ == Role::kLeader && chosen_ < upto) MarkChosen(chosen_.Next());
}

// To each voter what it was not sent yet, within a window above what it acknowledged: a peer that
// lags far behind is not flooded; its acknowledgements, or its Learns, move the window.
void Replica::Core::FlushAccepts() {
  const std::uint64_t window = std::max<std::uint64_t>(64, 4 * options_.max_inflight);
  for (Peer& peer : lead_.peers) {
    if (!peer.voter) continue;
    const Slot acknowledged = std::max(peer.voted, lead_.base);
    peer.next = std::max({peer.next, acknowledged.Next(), log_.trimmed().Next()});
    const Slot limit{acknowledged.value + window};
    const Slot last = std::min(lead_.next.Prev(), limit);
    if (peer.next > last) continue;
    if (peer.next == acknowledged.Next()) peer.progress_at = now_;
    SendAccepts(peer, last);
  }
}

void Replica::Core::SendAccepts(Peer& peer, Slot last) {
  while (peer.next <= last) {
    Accept page{lead_.ballot, lead_.base, peer.next, {}, chosen_};
    std::size_t bytes = 0;
    for (; peer.next <= last; peer.next = peer.next.Next()) {
      const Decree& decree = log_.Find(peer.next)->vote.decree;
      bytes += SizeOf(decree);
      if (!page.decrees.empty() && bytes > options_.max_page_bytes) {
        SOMETIMES(consensus_accepts_in_pages);
        break;
      }
      page.decrees.push_back(decree);
    }
    Send(peer.member, std::move(page));
  }
  lead_.announced = chosen_;
}

}  // namespace decree::consensus
