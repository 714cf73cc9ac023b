// Leader transfer: stop proposals, bring the target to the tip, give up the lease, then tell it to
// campaign.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {

void Replica::Core::TransferLeadership(Instant now, ReplicaId target) {
  now_ = now;
  if (role_ != Role::kLeader || lead_.sealing || target == self_) return;
  // Asked again it is the same transfer: its end does not move away.
  if (lead_.transfer && lead_.transfer->target.id == target) return;
  const Peer* peer = FindPeer(target);
  if (peer == nullptr || !peer->voter) return;
  NoteActivity();
  lead_.transfer = Transfer{peer->member, now + options_.election_max, false};
  ContinueTransfer();
}

// The pipeline drains because Propose refuses; the target is at the tip when it has voted for it
// all.
void Replica::Core::ContinueTransfer() {
  Transfer& transfer = *lead_.transfer;
  const Peer* peer = FindPeer(transfer.target.id);
  if (transfer.told || !Ready() || inflight() != 0) return;
  if (peer == nullptr || peer->voted < chosen_) return;
  transfer.told = true;
  lead_.lease_over = !DECREE_BUG_LEASE_KEPT_AT_TRANSFER;  // for good, and before the target hears
                                                          // of it: no read is served on it
  Send(transfer.target, TransferNow{lead_.ballot});
}

// A target that does not take over in an election timeout is given up: this leader goes on.
void Replica::Core::TransferTick() {
  if (!lead_.transfer) return;
  if (now_ >= lead_.transfer->deadline) {
    SOMETIMES(consensus_transfer_given_up);
    lead_.transfer.reset();
    out_.leadership_changed = true;  // proposals are taken again
    return;
  }
  if (now_ >= lead_.next_heartbeat) lead_.transfer->told = false;  // lost messages are said again
}

// The order counts only in the ballot this replica follows: a late copy of it does nothing.
void Replica::Core::OnTransferNow(const Member& from, const TransferNow& m) {
  if (!GateEpoch(from, m.ballot) || !FromLeaderOf(m.ballot, from) || !SelfVotes()) return;
  if (m.ballot != promised_ || role_ == Role::kCandidate) return;
  SOMETIMES(consensus_transfer_taken);
  BecomeFollower();
  ReleaseGrant(m.ballot);
  Campaign(m.ballot);
}

}  // namespace decree::consensus
