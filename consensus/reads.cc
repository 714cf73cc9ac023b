// By lease if one is held (lease.cc): what is chosen here is all there is. Else read index: own
// barrier chosen; capture chosen; a round that begins after the request came, with a fresh number,
// counting only acceptors whose promise is this ballot; then wait until applied.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// Reads that come while this replica hands its epoch over to itself wait for the end of it.
void Replica::Core::RequestRead(Instant now, ReadId id) {
  now_ = DECREE_BUG_CLOCK_CACHED_OVER_PAUSE ? now_ : now;
  const bool will_lead = role_ == Role::kCandidate && campaign_.takes_over;
  if (role_ != Role::kLeader && !will_lead) {
    SOMETIMES(consensus_read_asked_of_no_leader);
    out_.reads.push_back(ReadReady{id, false});
    return;
  }
  if (role_ == Role::kLeader) NoteActivity();
  if (LeaseUntil()) {
    SOMETIMES(consensus_read_by_lease);
    reads_.confirmed.push_back(ConfirmedRead{id, chosen_});
    ReleaseReads();
    return;
  }
  reads_.waiting.push_back(id);
  StartReadRound();
}

// One round at a time; what comes meanwhile shares the next one.
void Replica::Core::StartReadRound() {
  if (role_ != Role::kLeader || lead_.sealing) return;
  if (!Ready() && !DECREE_BUG_READ_BEFORE_BARRIER) return;
  if (reads_.round != 0 || reads_.waiting.empty()) return;
  reads_.in_round = std::exchange(reads_.waiting, {});
  reads_.round = ++heartbeat_round_;
  reads_.index = chosen_;
  if (!Alone()) {
    SendToVoters(Heartbeat{lead_.ballot, chosen_, reads_.round, 0, LeaseToAskFor()});
  }
  CheckReadRound();
}

void Replica::Core::CheckReadRound() {
  if (role_ != Role::kLeader || reads_.round == 0) return;
  const auto acks = std::count_if(lead_.peers.begin(), lead_.peers.end(), [this](const Peer& p) {
    if (DECREE_BUG_READ_OF_OLD_ROUND) return p.voter && p.acked_round != 0;
    return p.voter && p.acked_round >= reads_.round;
  });
  if (static_cast<std::size_t>(acks) + 1 < config_.QuorumSize()) return;
  for (const ReadId id : reads_.in_round) {
    reads_.confirmed.push_back(ConfirmedRead{id, reads_.index});
  }
  reads_.in_round.clear();
  reads_.round = 0;
  ReleaseReads();
  StartReadRound();
}

void Replica::Core::ReleaseReads() {
  auto& confirmed = reads_.confirmed;
  auto ready = confirmed.begin();
  for (; ready != confirmed.end() && ready->index <= applied_; ++ready) {
    out_.reads.push_back(ReadReady{ready->id, true});
  }
  confirmed.erase(confirmed.begin(), ready);
}

// No read of this ballot ends by a round any more: those without one run again in the next epoch,
// or fail. A confirmed read has its index; it only waits for apply.
void Replica::Core::PostponeReads() {
  if (!reads_.in_round.empty()) SOMETIMES(consensus_read_round_given_up);
  auto& waiting = reads_.waiting;
  waiting.insert(waiting.begin(), reads_.in_round.begin(), reads_.in_round.end());
  reads_.in_round.clear();
  reads_.round = 0;
}

void Replica::Core::FailReads() {
  PostponeReads();
  if (!reads_.waiting.empty()) SOMETIMES(consensus_reads_failed);
  for (const ReadId id : reads_.waiting) out_.reads.push_back(ReadReady{id, false});
  reads_.waiting.clear();
}

}  // namespace decree::consensus
