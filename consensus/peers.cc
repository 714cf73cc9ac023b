// What a leader knows of the other members; heartbeats, check-quorum, resending.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {

Peer* Replica::Core::FindPeer(ReplicaId id) {
  for (Peer& peer : lead_.peers) {
    if (peer.member.id == id) return &peer;
  }
  return nullptr;
}

const Peer* Replica::Core::FindPeer(ReplicaId id) const {
  return const_cast<Core*>(this)->FindPeer(id);
}

// After an election and after each change of learners; what is known of a member stays.
void Replica::Core::RefreshPeers() {
  std::vector<Peer> peers;
  const auto add = [&](const Member& member, bool voter) {
    if (member.id == self_) return;
    if (const Peer* known = FindPeer(member.id)) {
      peers.push_back(*known);
      return;
    }
    Peer& peer = peers.emplace_back();
    peer.member = member;
    peer.voter = voter;
    peer.added = chosen_;
    peer.next = lead_.next;
    peer.heard_at = peer.progress_at = now_;
  };
  for (const Member& voter : config_.voters) add(voter, true);
  for (const Member& learner : config_.learners) add(learner, false);
  const bool was_alone = lead_.peers.empty();
  lead_.peers = std::move(peers);
  // Without others there is nobody to beat a heart for: a lone replica sleeps.
  if (lead_.peers.empty()) {
    lead_.next_heartbeat = kNever;
  } else if (was_alone) {
    lead_.next_heartbeat = now_;
  }
}

void Replica::Core::LeaderTick() {
  TransferTick();
  if (now_ < lead_.next_heartbeat) return;
  // Check-quorum; and a leader that cannot sync is as useless as one that nobody hears.
  if (!Alone() && (!HearsQuorum() || DiskStuck(options_.election_max))) {
    SOMETIMES(consensus_leader_lost_quorum);
    if (DiskStuck(options_.election_max)) SOMETIMES(consensus_leader_with_a_stuck_disk);
    BecomeFollower();
    return;
  }
  BeatHeart();
}

void Replica::Core::BeatHeart() {
  lead_.next_heartbeat = now_ + options_.heartbeat;
  const bool sleep = Quiet();
  ++heartbeat_round_;
  if (!sleep) lead_.sleep_round = 0;
  if (sleep && lead_.sleep_round == 0) lead_.sleep_round = heartbeat_round_;
  SendToMembers(Heartbeat{lead_.ballot, chosen_, heartbeat_round_, 0, LeaseToAskFor(), sleep});
  StampLeaseRound();
  lead_.announced = chosen_;
}

// While it slept it could hear nobody: they get the usual time from then on.
bool Replica::Core::HearsQuorum() const {
  const auto heard = std::count_if(lead_.peers.begin(), lead_.peers.end(), [this](const Peer& p) {
    return p.voter && now_ - std::max(p.heard_at, lead_.woken_at) < options_.election_max;
  });
  return static_cast<std::size_t>(heard) + 1 >= config_.QuorumSize();
}

// Voters hear a watermark with the next Accept. When none is about to come, one small heartbeat
// that asks for no answer tells them, so that they apply at once; learners wait with a parked
// Learn.
void Replica::Core::AnnounceChosen() {
  if (chosen_ <= lead_.announced || inflight() != 0) return;
  lead_.announced = chosen_;
  SendToVoters(Heartbeat{lead_.ballot, chosen_, 0});
}

void Replica::Core::ServeParkedLearns() {
  for (Peer& peer : lead_.peers) {
    if (peer.parked_learn == Slot{} || peer.parked_learn > chosen_) continue;
    SendLearned(peer.member, std::exchange(peer.parked_learn, Slot{}));
  }
}

// From the leader to every member. A voter's answer in this ballot counts for check-quorum and for
// read rounds; round 0 wants no answer.
void Replica::Core::OnHeartbeat(const Member& from, const Heartbeat& m) {
  if (!GateEpoch(from, m.ballot) || !FromLeaderOf(m.ballot, from)) return;
  if (SelfVotes()) {
    if (m.ballot < promised_) {
      SOMETIMES(consensus_heartbeat_rejected);
      Reply(from, HeartbeatReply{m.ballot, promised_, m.round, chosen_, durable_.chosen});
      return;
    }
    HeardLeader(from);
    if (m.ballot > promised_) RaisePromise(m.ballot);
  } else {
    HeardLeader(from);
  }
  NoteLeaderChosen(from, m.ballot, m.chosen, false);
  if (config_.epoch != m.ballot.epoch || m.round == 0) return;
  HeartbeatReply reply{m.ballot,       promised_,       m.round,
                       DurableVoted(), durable_.chosen, SelfVotes() && GrantLease(m)};
  FollowIntoSleep(m, reply);
  // What it says is durable already: it need not wait for the votes that are under way.
  if (durable_.promised == promised_ || DECREE_BUG_HEARTBEAT_ANSWERED_EARLY) {
    Send(from, reply);
  } else {
    Reply(from, reply);
  }
}

void Replica::Core::OnHeartbeatReply(const Member& from, const HeartbeatReply& m) {
  if (role_ != Role::kLeader || m.ballot != lead_.ballot) return;
  Peer* peer = FindPeer(from.id);
  if (peer == nullptr) return;
  if (!peer->voter) {
    NotePeer(*peer, Slot{}, m.chosen);
    return;
  }
  if (m.promised > m.ballot) {
    SOMETIMES(consensus_leader_deposed_by_a_heartbeat);
    NoteRound(m.promised);
    BecomeFollower();
    return;
  }
  if (m.promised != m.ballot) return;
  NotePeer(*peer, m.voted, m.chosen);
  const std::uint64_t round = std::min(m.round, heartbeat_round_);
  peer->acked_round = std::max(peer->acked_round, round);
  if (m.granted) {
    peer->granted_round = std::max(peer->granted_round, round);
    RenewLease();
  }
  if (m.asleep) peer->slept_round = std::max(peer->slept_round, round);
  ResendIfStalled(*peer);
  CountVotes();
  CheckReadRound();
  SleepIfAllDo();
}

void Replica::Core::NotePeer(Peer& peer, Slot voted, Slot durable_chosen) {
  peer.heard_at = now_;
  peer.reported = true;
  peer.durable_chosen = std::max(peer.durable_chosen, durable_chosen);
  if (voted > peer.voted) {
    peer.voted = voted;
    peer.progress_at = now_;
  }
}

// The peer answers but its acknowledgements stand still: what it was sent is lost.
void Replica::Core::ResendIfStalled(Peer& peer) {
  const Slot acknowledged = std::max(peer.voted, lead_.base);
  const bool open = acknowledged.Next() < peer.next;
  if (!open || now_ - peer.progress_at < options_.heartbeat) return;
  SOMETIMES(consensus_accepts_resent);
  peer.next = acknowledged.Next();
  peer.progress_at = now_;
}

}  // namespace decree::consensus
