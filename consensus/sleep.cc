// Sleep: a shard that nobody uses sends nothing and waits for nothing. The leader allows it in its
// heartbeats, and sleeps when every voter has answered one of them asleep; whatever concerns the
// shard wakes it. Sleep only stops timers and gives up the lease, so no safety rests on it: who is
// asleep answers every message as if it were awake.
#include <algorithm>
#include <variant>

#include "consensus/core.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// ---- falling asleep: the leader ----

// Nobody asked for anything for a while, everything is chosen and applied here, and all others are
// there and hold it durably. A learner never votes, so there is no sleep with one: it is served
// without pause.
bool Replica::Core::Quiet() const {
  if (options_.sleep_after <= Duration{} || now_ - lead_.active_at < options_.sleep_after) {
    return false;
  }
  if (!Ready() || Alone()) return false;
  if (lead_.sealing || lead_.holding || lead_.transfer || inflight() != 0) return false;
  if (applied_ != chosen_ || !in_flight_.empty() || !NoReadsOpen()) return false;
  return std::all_of(lead_.peers.begin(), lead_.peers.end(), [this](const Peer& peer) {
    return peer.voted >= chosen_ && now_ - peer.heard_at < options_.election_max;
  });
}

bool Replica::Core::NoReadsOpen() const {
  return reads_.waiting.empty() && reads_.in_round.empty() && reads_.confirmed.empty();
}

// All voters answered asleep since the heartbeats began to allow it: from then on nobody's timer
// runs, and none is needed here. The lease goes: after the sleep a heartbeat has to renew it first.
void Replica::Core::SleepIfAllDo() {
  if (lead_.sleep_round == 0 || !Quiet()) return;
  const bool all = std::all_of(lead_.peers.begin(), lead_.peers.end(), [this](const Peer& peer) {
    return peer.slept_round >= lead_.sleep_round;
  });
  if (!all) return;
  SOMETIMES(consensus_shard_fell_asleep);
  asleep_ = true;
  lead_.sleep_round = 0;
  lead_.next_heartbeat = kNever;
  lead_.lease_rounds.clear();
  lead_.lease_until = Instant{};
}

// ---- falling asleep: a follower ----

// A heartbeat that was overtaken by a later one allows nothing: its leader has woken up since. One
// that overtook it does no lasting harm, as the later one wakes this replica again.
bool Replica::Core::MaySleep(const Heartbeat& m) const {
  if (!m.sleep || options_.sleep_after <= Duration{} || !SelfVotes()) return false;
  if (m.round < leader_round_) {
    SOMETIMES(consensus_late_sleep_refused);
    return false;
  }
  const bool knows_all = chosen_ == m.chosen && applied_ == chosen_ && voted_to_ == chosen_;
  return knows_all && in_flight_.empty() && durable_.promised == promised_;
}

void Replica::Core::FollowIntoSleep(const Heartbeat& m, HeartbeatReply& reply) {
  reply.asleep = MaySleep(m);
  leader_round_ = std::max(leader_round_, m.round);
  if (!reply.asleep) return;
  asleep_ = true;
  election_deadline_ = kNever;
}

// ---- waking up ----

void Replica::Core::Wake(Instant now) {
  now_ = now;
  if (!asleep_) return;
  if (role_ == Role::kLeader) {
    WakeLeader();
  } else {
    WakeFollower(ReplicaId{});
  }
}

// Before the message is handled. Late answers to heartbeats of before the sleep say nothing new,
// and a follower's handler of heartbeats knows best whether to sleep on.
void Replica::Core::WakeFor(const Member& from, const Message& message) {
  if (role_ != Role::kLeader) {
    const bool leads = leader_ && leader_->id == from.id;
    if (leads && std::holds_alternative<Heartbeat>(message)) return;
    // It would not poll if it still led.
    if (leads && std::holds_alternative<PreVote>(message)) leader_.reset();
    return WakeFollower(from.id);
  }
  const auto* reply = std::get_if<HeartbeatReply>(&message);
  if (reply != nullptr && reply->round != 0 && reply->promised <= lead_.ballot) return;
  SOMETIMES(consensus_sleeping_leader_woken_by_a_message);
  WakeLeader();
}

// Something was asked of this leader.
void Replica::Core::NoteActivity() {
  lead_.active_at = now_;
  lead_.sleep_round = 0;
  if (!asleep_) return;
  SOMETIMES(consensus_sleeping_leader_woken_by_a_request);
  WakeLeader();
}

// One heartbeat wakes everybody, and asks for a lease again.
void Replica::Core::WakeLeader() {
  asleep_ = false;
  lead_.active_at = lead_.woken_at = now_;
  BeatHeart();
}

// Its leader has as much time to be heard as if it had just been: a sleeping one is called, so that
// nobody deposes it who merely woke up first. `caller` has woken this replica; 0: the host.
void Replica::Core::WakeFollower(ReplicaId caller) {
  ResetElectionTimer();
  if (!leader_) return;
  leader_heard_ = now_;
  if (leader_->id == caller) return;
  SOMETIMES(consensus_sleeping_leader_called);
  Reply(*leader_, HeartbeatReply{promised_, promised_, 0, DurableVoted(), durable_.chosen});
}

}  // namespace decree::consensus
