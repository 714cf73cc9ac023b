// What must be on the disk before what may be said (P7): records on their way, replies that wait.
#include <algorithm>
#include <utility>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// The chosen watermark rides along with other writes (it may persist lazily); it causes one only
// when a reply is to reveal it (RecordWhatCovers).
void Replica::Core::AttachPersist() {
  const bool reveals = pending_.watermark != Slot{};
  if (!pending_.promised && pending_.votes.empty() && pending_.chosen.empty() && !reveals) return;
  pending_.id = ++last_persist_;
  pending_.watermark = chosen_;
  if (DECREE_BUG_PROMISE_NOT_PERSISTED) pending_.promised.reset();
  in_flight_.push_back(InFlight{pending_.id, promised_, voted_to_, chosen_, now_});
  out_.persist = std::exchange(pending_, Persist{});
}

// A reply waits for every record that is not durable yet, as it may reveal any of them. If this
// output has a record the host waits for it; if only earlier ones are under way the reply is held
// back here; if all is durable it leaves at once.
void Replica::Core::RouteReplies() {
  for (Outgoing& reply : replies_) {
    if (DECREE_BUG_REPLY_BEFORE_FSYNC) {
      out_.send.push_back(std::move(reply));
    } else if (out_.persist) {
      out_.send_after_persist.push_back(std::move(reply));
    } else if (!in_flight_.empty()) {
      SOMETIMES(consensus_reply_held_back);
      held_.push_back(HeldMessage{in_flight_.back().id, std::move(reply)});
    } else {
      out_.send.push_back(std::move(reply));
    }
  }
  replies_.clear();
}

void Replica::Core::Persisted(Instant now, PersistId id) {
  now_ = now;
  while (!in_flight_.empty() && in_flight_.front().id <= id) {
    const InFlight& done = in_flight_.front();
    durable_.promised = done.promised;
    durable_.voted_to = done.voted_to;
    durable_.chosen = std::max(durable_.chosen, done.watermark);
    in_flight_.pop_front();
  }
  while (!held_.empty() && held_.front().after <= id) {
    out_.send.push_back(std::move(held_.front().out));
    held_.pop_front();
  }
  if (role_ == Role::kCandidate && !campaign_.self_promised &&
      durable_.promised == campaign_.ballot) {
    campaign_.self_promised = true;
    CheckPromiseQuorum();
  }
  if (role_ == Role::kLeader) CountVotes();  // P4: its own vote counts from here on
  Settle();
}

// The oldest record has been on its way for longer than `limit`.
bool Replica::Core::DiskStuck(Duration limit) const {
  return !in_flight_.empty() && now_ - in_flight_.front().issued_at > limit;
}

// Cumulative and durable, in the ballot of the promise: what a heartbeat's answer may say. A slot
// known to be chosen counts only once that knowledge is on the disk, or a crash would take it back
// (P7).
Slot Replica::Core::DurableVoted() const {
  if (durable_.promised != promised_) return durable_.chosen;
  return std::max(durable_.voted_to, durable_.chosen);
}

// Before an acknowledgement: slots covered because they are chosen here, not voted in this ballot,
// need the watermark on the disk first (P7).
void Replica::Core::RecordWhatCovers() {
  const Slot recorded = in_flight_.empty() ? DurableVoted() : in_flight_.back().voted_to;
  if (voted_to_ <= recorded) return;
  SOMETIMES(consensus_watermark_recorded_for_a_reply);
  pending_.watermark = chosen_;
}

}  // namespace decree::consensus
