// The messages of one shard's replicas. Plain structs; PROTOCOL.md maps each to handler and rule.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "consensus/ballot.h"
#include "consensus/decree.h"
#include "kv/base/time.h"

namespace decree::consensus {

// Volatile poll before a campaign; refused while a live leader was heard.
struct PreVote {
  Ballot ballot;  // the ballot the sender would prepare
  DECREE_FIELDS(ballot)
};
struct PreVoteReply {
  Ballot ballot;
  bool granted = false;
  Ballot promised;  // of the answering replica, so that the next try is higher
  Slot chosen;
  DECREE_FIELDS(ballot, granted, promised, chosen)
};

// P1: asks for a promise and for everything voted or chosen from `from` on.
struct Prepare {
  Ballot ballot;
  Slot from;
  Ballot released;  // whoever led it gave up its lease for good: grants to it are over; 0: nobody
  DECREE_FIELDS(ballot, from, released)
};
// One slot of a promise: a chosen value, or the vote.
struct PromisedSlot {
  Slot slot;
  bool chosen = false;
  Ballot ballot;  // of the vote; unused when chosen
  Decree decree;
  DECREE_FIELDS(slot, chosen, ballot, decree)
};
// Stable pages: page k covers slots [from, from of page k+1). The promise counts once all pages of
// one ballot are here. `promised` == ballot grants; a higher one rejects.
struct Promise {
  Ballot ballot;
  Ballot promised;
  Slot chosen;
  Slot trimmed;
  std::uint32_t page = 0;
  std::uint32_t pages = 1;
  std::vector<PromisedSlot> slots;
  DECREE_FIELDS(ballot, promised, chosen, trimmed, page, pages, slots)
};

// P3. Consecutive slots first, first+1...; `base` is the leader's phase-1 base.
struct Accept {
  Ballot ballot;
  Slot base;
  Slot first;
  std::vector<Decree> decrees;
  Slot chosen;  // the leader's watermark (P5)
  DECREE_FIELDS(ballot, base, first, decrees, chosen)
};
// Cumulative: every slot <= voted is voted in `ballot` or chosen here. In a rejection `promised` is
// higher than `ballot`.
struct Accepted {
  Ballot ballot;
  Ballot promised;
  Slot voted;
  Slot chosen;  // durable contiguous watermark of the sender
  DECREE_FIELDS(ballot, promised, voted, chosen)
};

// From the leader to every voter and learner, each heartbeat interval and for each read round.
struct Heartbeat {
  Ballot ballot;
  Slot chosen;
  std::uint64_t round = 0;  // fresh number of a read-index / check-quorum round
  WallMs time_ms = 0;       // the leader's replicated time; for hosts, consensus never looks at it
  std::uint64_t lease_ns = 0;  // the lease it asks for, on the receiver's clock; 0: none
  bool sleep = false;          // nothing is to be done: the receiver may stop its election timer
  DECREE_FIELDS(ballot, chosen, round, time_ms, lease_ns, sleep)
};
struct HeartbeatReply {
  Ballot ballot;
  Ballot promised;          // counts for reads only if equal to ballot
  std::uint64_t round = 0;  // 0: answers none (a learner's report, or the leader is to wake up)
  Slot voted;               // as in Accepted
  Slot chosen;              // durable contiguous watermark
  bool granted = false;     // the lease that `round` asked for
  bool asleep = false;      // as `round` allowed
  DECREE_FIELDS(ballot, promised, round, voted, chosen, granted, asleep)
};

// P11: pull chosen slots from any member.
struct Learn {
  Slot from;
  DECREE_FIELDS(from)
};
struct Learned {
  Slot trimmed;  // >= from: the slots are gone, take a snapshot
  Slot chosen;   // the sender's watermark
  Slot first;    // of decrees
  std::vector<Decree> decrees;
  DECREE_FIELDS(trimmed, chosen, first, decrees)
};

// Step 8: the answer of a replica whose own contiguous chosen covers the Seal of `epoch`.
struct Sealed {
  Epoch epoch;  // the sealed one
  Slot seal;
  std::vector<Member> next_voters;
  std::vector<Member> next_learners;
  DECREE_FIELDS(epoch, seal, next_voters, next_learners)
};

// The old leader tells the caught-up target to campaign at once.
struct TransferNow {
  Ballot ballot;  // the old leader's
  DECREE_FIELDS(ballot)
};

using Message = std::variant<PreVote, PreVoteReply, Prepare, Promise, Accept, Accepted, Heartbeat,
                             HeartbeatReply, Learn, Learned, Sealed, TransferNow>;

// A message with its addresses: what peers exchange (FrameType::kConsensus holds a sequence).
struct Envelope {
  ShardId shard;
  Member from;
  Member to;
  Message message;
  DECREE_FIELDS(shard, from, to, message)
};

}  // namespace decree::consensus
