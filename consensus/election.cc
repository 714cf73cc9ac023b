// Who campaigns, and when: pre-vote, randomised timeouts, no veto on log freshness (Paxos phase 1
// fetches what a candidate lacks).
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::consensus {

Duration Replica::Core::RandomElection() {
  const auto low = static_cast<std::uint64_t>(options_.election_min.count());
  const auto high = static_cast<std::uint64_t>(options_.election_max.count());
  return Duration{static_cast<std::int64_t>(random_.Between(low, std::max(low, high)))};
}

// A voter campaigns when the time is over, a learner asks around. Whoever is no member sleeps.
void Replica::Core::ResetElectionTimer() {
  const bool member = config_.Find(self_) != nullptr;
  asleep_ = false;
  election_deadline_ = member ? now_ + RandomElection() : kNever;
}

// No leader was heard: perhaps its epoch is over, and this learner votes in the next one without
// knowing. Any voter of the configuration it knows may tell (P11).
void Replica::Core::AskAround() {
  SOMETIMES(consensus_learner_asked_around);
  ResetElectionTimer();
  if (config_.voters.empty()) return;
  const Member& voter = config_.voters[random_.Below(config_.voters.size())];
  if (voter.id != self_) AskLearnNow(voter);
}

// After a Seal: the old leader campaigns itself if it stays, and gets a whole timeout to do so. If
// it goes, the voters of the new set come forward one after the other, so that they seldom duel.
void Replica::Core::ScheduleEpochCampaign(bool old_leader_stays) {
  ResetElectionTimer();
  if (!SelfVotes()) return;
  if (Alone()) {
    election_deadline_ = now_;
    return;
  }
  if (old_leader_stays) return;
  const auto self = std::find_if(config_.voters.begin(), config_.voters.end(),
                                 [this](const Member& m) { return m.id == self_; });
  const auto rank = self - config_.voters.begin();
  const auto jitter = random_.Below(static_cast<std::uint64_t>(options_.heartbeat.count()) / 2 + 1);
  election_deadline_ =
      now_ + options_.heartbeat * rank + Duration{static_cast<std::int64_t>(jitter)};
}

void Replica::Core::NoteRound(const Ballot& seen) {
  if (seen.epoch == config_.epoch && seen.round <= kMaxRound) {
    seen_round_ = std::max(seen_round_, seen.round);
  }
}

// Higher than every ballot promised or met in this epoch. Campaign makes it durable before it is
// used, so that no restart uses it again.
Ballot Replica::Core::NextBallot() const {
  const std::uint64_t promised = promised_.epoch == config_.epoch ? promised_.round : 0;
  return Ballot{config_.epoch, std::max(promised, seen_round_) + 1, self_};
}

bool Replica::Core::LiveLeader() const {
  if (role_ == Role::kLeader) return true;
  return leader_ && now_ - leader_heard_ < options_.election_min;
}

void Replica::Core::HeardLeader(const Member& from) {
  if (role_ != Role::kFollower) BecomeFollower();
  leader_ = from;
  leader_heard_ = now_;
  ResetElectionTimer();
}

// Leaves whatever role it had. Its proposals may still be chosen; its reads are somebody else's
// now.
void Replica::Core::BecomeFollower() {
  if (role_ == Role::kLeader) {
    SOMETIMES(consensus_leader_stepped_down);
    out_.leadership_changed = true;
    leader_.reset();
  }
  // It was to lead the next epoch after its own Seal, and does not: whoever waits must be told.
  if (role_ == Role::kCandidate && campaign_.takes_over) {
    SOMETIMES(consensus_take_over_lost);
    out_.leadership_changed = true;
  }
  FailReads();
  role_ = Role::kFollower;
  lead_ = Leading{};
  campaign_ = Campaigning{};
  pre_vote_ = PreVoteState{};
  ResetElectionTimer();
}

void Replica::Core::ElectionTick() {
  if (role_ == Role::kPreCandidate && now_ >= pre_vote_.resend_at) SendPreVotes();
  if (now_ < election_deadline_) return;
  // A replica whose disk hangs cannot lead, and cannot make a ballot durable either.
  if (DiskStuck(options_.election_min)) {
    SOMETIMES(consensus_no_campaign_on_a_stuck_disk);
    ResetElectionTimer();
  } else if (BoundByGrant()) {
    election_deadline_ = grant_.until;
  } else if (SelfVotes()) {
    StartPreVote();
  } else {
    AskAround();
  }
}

void Replica::Core::StartPreVote() {
  leader_.reset();
  role_ = Role::kPreCandidate;
  pre_vote_ = PreVoteState{NextBallot(), {self_}, now_};
  ResetElectionTimer();
  if (Alone()) {
    Campaign();
    return;
  }
  SendPreVotes();
}

void Replica::Core::SendPreVotes() {
  pre_vote_.resend_at = now_ + options_.heartbeat;
  for (const Member& voter : config_.voters) {
    const auto& granted = pre_vote_.granted;
    if (std::find(granted.begin(), granted.end(), voter.id) != granted.end()) continue;
    Send(voter, PreVote{pre_vote_.ballot});
  }
}

void Replica::Core::OnPreVote(const Member& from, const PreVote& m) {
  if (!GateEpoch(from, m.ballot)) {
    Defer(from, m.ballot, m);
    return;
  }
  if (!SelfVotes() || !FromLeaderOf(m.ballot, from)) return;
  const bool grant = m.ballot > promised_ && !LiveLeader() && !BoundByGrant();
  if (m.ballot > promised_ && LiveLeader()) {
    SOMETIMES(consensus_pre_vote_refused_for_a_live_leader);
  }
  Reply(from, PreVoteReply{m.ballot, grant, promised_, chosen_});
}

void Replica::Core::OnPreVoteReply(const Member& from, const PreVoteReply& m) {
  if (role_ != Role::kPreCandidate || m.ballot != pre_vote_.ballot || !FromVoter(from)) return;
  if (m.chosen > chosen_) AskLearn(from);
  if (!m.granted) {
    NoteRound(m.promised);
    return;
  }
  auto& granted = pre_vote_.granted;
  if (std::find(granted.begin(), granted.end(), from.id) == granted.end()) {
    granted.push_back(from.id);
  }
  if (granted.size() >= config_.QuorumSize()) Campaign();
}

// A real campaign. Its ballot must be durable before anybody hears of it (scenario 12). `released`
// is the ballot whose leader asked for it.
void Replica::Core::Campaign(const Ballot& released) {
  DECREE_CHECK(!BoundByGrant());  // it is its own first acceptor
  const Ballot ballot = NextBallot();
  leader_.reset();
  role_ = Role::kCandidate;
  pre_vote_ = PreVoteState{};
  campaign_ = Campaigning{};
  campaign_.ballot = ballot;
  campaign_.from = chosen_.Next();
  campaign_.released = released;
  campaign_.deadline = now_ + RandomElection();
  campaign_.resend_at = now_ + options_.heartbeat;
  election_deadline_ = campaign_.deadline;
  RaisePromise(ballot);
  SendPrepares();
}

}  // namespace decree::consensus
