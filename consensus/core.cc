#include "consensus/core.h"

#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

Replica::Core::Core(ReplicaId self, Recovered recovered, const Options& options, std::uint64_t seed,
                    Instant now)
    : self_(self), options_(options), random_(seed), now_(now), promised_(recovered.promised) {
  config_ = std::move(recovered.config);
  chosen_ = applied_ = emitted_ = recovered.applied;
  log_.Trim(applied_);
  for (const Vote& vote : recovered.votes) {
    const SlotLog::Entry* known = log_.Find(vote.slot);
    if (vote.slot <= applied_ || (known && known->vote.ballot > vote.ballot)) continue;
    log_.PutVote(vote.ballot, vote.slot, vote.decree);
  }
  for (const ChosenDecree& c : recovered.chosen) {
    if (c.slot > applied_) log_.PutChosen(c.slot, c.decree);
  }
  // A vote at or below the stored watermark is the chosen value (P5 held when it was written).
  while (chosen_ < recovered.watermark && log_.Find(chosen_.Next())) {
    SOMETIMES(consensus_recovered_chosen_above_rows);
    MarkChosen(chosen_.Next());
  }
  AdvanceStoredChosen();
  voted_to_ = chosen_;
  ExtendVoted();
  durable_ = DurableState{promised_, voted_to_, chosen_};
  learn_.progress_at = now;
  // A restart ends leadership: whatever this replica led, it begins as a follower (P2).
  RememberGrant();
  ResetElectionTimer();
  if (SelfVotes() && Alone()) election_deadline_ = now;
  if (DECREE_BUG_RESTART_RESUMES_LEADERSHIP && SelfVotes() && promised_.replica == self_) {
    campaign_.ballot = promised_;
    BecomeLeader();
  }
  out_ = Output{};
}

void Replica::Core::Receive(Instant now, const Member& from, Message message) {
  now_ = now;
  if (from.id == self_) return;
  if (asleep_) WakeFor(from, message);
  Dispatch(from, message);
  Settle();
}

void Replica::Core::Dispatch(const Member& from, Message& message) {
  std::visit(Overloaded{
                 [&](PreVote& m) { OnPreVote(from, m); },
                 [&](PreVoteReply& m) { OnPreVoteReply(from, m); },
                 [&](Prepare& m) { OnPrepare(from, m); },
                 [&](Promise& m) { OnPromise(from, m); },
                 [&](Accept& m) { OnAccept(from, m); },
                 [&](Accepted& m) { OnAccepted(from, m); },
                 [&](Heartbeat& m) { OnHeartbeat(from, m); },
                 [&](HeartbeatReply& m) { OnHeartbeatReply(from, m); },
                 [&](Learn& m) { OnLearn(from, m); },
                 [&](Learned& m) { OnLearned(from, m); },
                 [&](Sealed& m) { OnSealed(from, m); },
                 [&](TransferNow& m) { OnTransferNow(from, m); },
             },
             message);
}

void Replica::Core::Tick(Instant now) {
  now_ = now;
  switch (role_) {
    case Role::kLeader:
      LeaderTick();
      break;
    case Role::kCandidate:
      CandidateTick();
      break;
    default:
      ElectionTick();
  }
  Settle();
}

// What an event made possible: a message of the epoch just begun, the next step of a recovery.
void Replica::Core::Settle() {
  if (deferred_ && deferred_->epoch <= config_.epoch) {
    SOMETIMES(consensus_deferred_message_handled);
    Deferred now_possible = std::move(*deferred_);
    deferred_.reset();
    Dispatch(now_possible.from, now_possible.message);
  }
  if (role_ == Role::kCandidate && campaign_.fixed) ContinueRecovery();
  if (role_ == Role::kLeader && lead_.transfer) ContinueTransfer();
}

Output Replica::Core::TakeOutput() {
  if (role_ == Role::kLeader) {
    FlushAccepts();
    AnnounceChosen();
    ServeParkedLearns();
  }
  EmitChosen();
  AttachPersist();
  RouteReplies();
  out_.wake_at = NextWake();
  return std::exchange(out_, Output{});
}

Instant Replica::Core::NextWake() const {
  switch (role_) {
    case Role::kLeader: {
      const Instant transfer = lead_.transfer ? lead_.transfer->deadline : kNever;
      return std::min(lead_.next_heartbeat, transfer);
    }
    case Role::kCandidate:
      return std::min(campaign_.deadline, campaign_.resend_at);
    case Role::kPreCandidate:
      return std::min(election_deadline_, pre_vote_.resend_at);
    default:
      return election_deadline_;
  }
}

void Replica::Core::Send(const Member& to, Message message) {
  out_.send.push_back(Outgoing{to, std::move(message)});
}

void Replica::Core::Reply(const Member& to, Message message) {
  replies_.push_back(Outgoing{to, std::move(message)});
}

void Replica::Core::SendToVoters(const Message& message) {
  for (const Member& voter : config_.voters) {
    if (voter.id != self_) Send(voter, message);
  }
}

void Replica::Core::SendToMembers(const Message& message) {
  SendToVoters(message);
  for (const Member& learner : config_.learners) {
    if (learner.id != self_) Send(learner, message);
  }
}

bool Replica::Core::FromLeaderOf(const Ballot& ballot, const Member& from) const {
  return ballot.replica == from.id && ballot.round <= kMaxRound && FromVoter(from);
}

// Whether a message in `ballot` is of this replica's epoch. If not, does what the epoch asks for:
// an older epoch is answered Sealed (step 8); a later one means that a Seal is to be learned; a
// shell takes a snapshot first.
bool Replica::Core::GateEpoch(const Member& from, const Ballot& ballot) {
  if (config_.epoch == Epoch{}) {
    SOMETIMES(consensus_shell_asked_for_rows);
    AskSnapshot(from, Slot{1});
    return false;
  }
  if (ballot.epoch == config_.epoch) return true;
  if (DECREE_BUG_PROMOTED_WITH_GAP && ballot.epoch > config_.epoch) return true;
  if (ballot.epoch < config_.epoch) {
    SendSealed(from);
  } else {
    AskLearn(from);
  }
  return false;
}

// Step 9: what asks for a promise of a later epoch waits until the Seal before it is known here.
void Replica::Core::Defer(const Member& from, const Ballot& ballot, Message message) {
  if (config_.epoch == Epoch{} || ballot.epoch <= config_.epoch) return;
  SOMETIMES(consensus_message_deferred);
  deferred_ = Deferred{ballot.epoch, from, std::move(message)};
}

}  // namespace decree::consensus
