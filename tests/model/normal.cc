#include "tests/model/normal.h"

#include <algorithm>
#include <string>
#include <utility>

#include "consensus/core.h"

namespace decree::consensus {
namespace {

constexpr Instant kLongAgo{};

Instant Due(Instant when) { return when == kNever ? kNever : kLongAgo; }

// Learn and the bookkeeping of who was asked when: the model hands every chosen value to everybody
// (local.h), asked for or not.
void NormaliseLearning(LearnState& learn, bool votes) {
  learn.target = Member{};
  learn.asked = false;
  learn.asked_at = learn.progress_at = kLongAgo;
  if (votes) learn.ballot = Ballot{};  // only a learner's report names it
}

// A peer's watermark only says whether it is within kGateSlots, which it always is here.
void NormaliseLeading(Leading& lead) {
  lead.next_heartbeat = Due(lead.next_heartbeat);
  lead.active_at = kLongAgo;  // nobody sleeps here (local.cc)
  if (lead.transfer) lead.transfer->deadline = kLongAgo;
  for (Peer& peer : lead.peers) {
    peer.durable_chosen = peer.added = Slot{};
    peer.parked_learn = Slot{};
    peer.heard_at = kLongAgo;                // a tick finds that no quorum was heard
    peer.progress_at = ModelAccess::kBegin;  // nothing is sent again: no message is ever gone
  }
}

// What is over is as good as never had. Whether a lease is, the replica has to see by itself: it
// keeps the moment until it next looked at its clock.
void NormaliseLease(Leading& lead, Instant now, Instant looked, Duration lease) {
  if (lead.lease_until <= looked) lead.lease_until = kLongAgo;
  std::erase_if(lead.lease_rounds,
                [&](const LeaseRound& round) { return round.sent_at + lease <= now; });
}

std::string Written(const HeldMessage& held) {
  return Encode(held.out.to) + Encode(held.out.message);
}

// To say a thing twice after the same record is to say it once.
void NormaliseHeld(std::deque<HeldMessage>& held) {
  const auto key = [](const HeldMessage& m) { return std::pair(m.after, Written(m)); };
  std::sort(held.begin(), held.end(),
            [&](const HeldMessage& a, const HeldMessage& b) { return key(a) < key(b); });
  const auto same = [&](const HeldMessage& a, const HeldMessage& b) { return key(a) == key(b); };
  held.erase(std::unique(held.begin(), held.end(), same), held.end());
}

}  // namespace

void ModelAccess::Normalise(Replica& replica, Instant now) {
  Replica::Core& core = *replica.core_;
  core.random_ = Random(0);
  NormaliseLearning(core.learn_, core.SelfVotes());
  core.leader_.reset();  // names whom to ask and whether to wait, both left to chance here
  core.leader_heard_ = kLongAgo;
  if (core.grant_.until <= now) core.grant_ = LeaseGrant{};
  core.election_deadline_ = Due(core.election_deadline_);
  core.leader_round_ = 0;
  core.seen_round_ = 0;  // a campaign takes any free round above the promise
  core.campaign_.deadline = core.campaign_.resend_at = kLongAgo;
  core.campaign_.base_source = Member{};
  if (core.role_ == Role::kLeader) {
    NormaliseLeading(core.lead_);
    NormaliseLease(core.lead_, now, core.now_, core.options_.lease);
  } else {
    core.heartbeat_round_ = 0;  // an answer counts only in its own ballot
  }
  // Records under way are numbered from one.
  const PersistId first = core.last_persist_ - core.in_flight_.size();
  for (InFlight& record : core.in_flight_) {
    record.id -= first;
    record.issued_at = kBegin;  // the disk is never stuck
  }
  for (HeldMessage& held : core.held_) held.after -= first;
  core.last_persist_ -= first;
  NormaliseHeld(core.held_);
}

bool ModelAccess::AwaitsPromises(const Replica& replica, const Ballot& ballot) {
  const Replica::Core& core = *replica.core_;
  return core.role_ == Role::kCandidate && core.campaign_.ballot == ballot && !core.campaign_.fixed;
}

bool ModelAccess::MayLead(const Replica& replica, const Ballot& ballot) {
  const Replica::Core& core = *replica.core_;
  return (core.role_ == Role::kCandidate && core.campaign_.ballot == ballot) ||
         (core.role_ == Role::kLeader && core.lead_.ballot == ballot);
}

const Peer* ModelAccess::PeerOf(const Replica& replica, ReplicaId member) {
  const Replica::Core& core = *replica.core_;
  return core.role_ == Role::kLeader ? core.FindPeer(member) : nullptr;
}

void ModelAccess::HearQuorum(Replica& replica, Instant now) {
  for (Peer& peer : replica.core_->lead_.peers) peer.heard_at = now;
}

Ballot ModelAccess::LeaseOf(const Replica& replica, Instant now) {
  Replica asked = replica;
  asked.core_->now_ = now;
  return asked.LeaseUntil() ? asked.core_->lead_.ballot : Ballot{};
}

bool ModelAccess::Sealing(const Replica& replica) {
  const Replica::Core& core = *replica.core_;
  return core.role_ == Role::kLeader && core.lead_.sealing;
}

Slot ModelAccess::NextSlot(const Replica& replica) { return replica.core_->lead_.next; }

Slot ModelAccess::VotedTo(const Replica& replica) { return replica.core_->voted_to_; }

void ModelAccess::Reseed(Replica& replica, std::uint64_t seed) {
  replica.core_->random_ = Random(seed);
}

}  // namespace decree::consensus
