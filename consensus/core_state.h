// The parts of a replica's state as plain structs (core.h holds them). Private to consensus/.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "consensus/messages.h"
#include "consensus/output.h"

namespace decree::consensus {

// A vote so far above what is chosen here is not taken, nor believed: it bounds the memory that a
// lagging or lying peer can claim. A replica that is further behind learns first.
inline constexpr std::uint64_t kMaxGap = 4096;
// Seal step 5: a member is caught up if its durable chosen is at most so far behind.
inline constexpr std::uint64_t kGateSlots = 128;
// No honest replica campaigns that often; a larger round would use the number space up.
inline constexpr std::uint64_t kMaxRound = std::uint64_t{1} << 48;

// What a leader knows of another member.
struct Peer {
  Member member;
  bool voter = false;
  Slot added;           // whoever knows this slot knows that it is a member
  Slot voted;           // cumulative: voted in this ballot or chosen there
  Slot next;            // the next slot to send it
  Slot durable_chosen;  // as it last said
  bool reported = false;
  Slot parked_learn;  // it waits for this slot; 0: it does not
  std::uint64_t acked_round = 0;
  std::uint64_t granted_round = 0;  // the last round for which it granted the lease
  std::uint64_t slept_round = 0;    // the last round that it answered asleep
  Instant heard_at;                 // last answer in this ballot
  Instant progress_at;              // `voted` rose, or something was sent after nothing was open
  DECREE_FIELDS(member, voter, added, voted, next, durable_chosen, reported, parked_learn,
                acked_round, granted_round, slept_round, heard_at.ns, progress_at.ns)
};

// An acceptor's word: until then it promises to nobody but this ballot's leader.
struct LeaseGrant {
  Ballot ballot;
  Instant until;
  DECREE_FIELDS(ballot, until.ns)
};

// When a leader sent the round that asked for a lease.
struct LeaseRound {
  std::uint64_t round = 0;
  Instant sent_at;
  DECREE_FIELDS(round, sent_at.ns)
};

struct Transfer {
  Member target;
  Instant deadline;
  bool told = false;
  DECREE_FIELDS(target, deadline.ns, told)
};

struct Leading {
  Ballot ballot;
  Slot base;             // everything <= it was chosen when recovery ended
  Slot next;             // the next slot to propose
  Slot barrier;          // chosen: reads and writes are served
  Slot membership;       // the last membership decree proposed here
  Slot announced;        // the watermark that voters were told
  bool sealing = false;  // a Seal was recovered or proposed: nothing follows it, no reads
  bool holding = false;  // Seal step 7: commands wait
  std::vector<Peer> peers;
  Instant next_heartbeat;
  std::optional<Transfer> transfer;
  std::vector<LeaseRound> lease_rounds;  // the heartbeats that may still yield a lease, in order
  Instant lease_until;
  bool lease_over = false;        // given up for the rest of this ballot (leader transfer)
  Instant active_at;              // somebody asked for something, or it woke up
  Instant woken_at;               // nobody can have been heard since before
  std::uint64_t sleep_round = 0;  // from this one on all heartbeats allowed sleep; 0: not now
  DECREE_FIELDS(ballot, base, next, barrier, membership, announced, sealing, holding, peers,
                next_heartbeat.ns, transfer, lease_rounds, lease_until.ns, lease_over, active_at.ns,
                woken_at.ns, sleep_round)
};

// The pages of one acceptor's promise.
struct PromiseSet {
  Member from;
  Slot chosen;
  Slot trimmed;
  std::uint32_t pages = 0;
  std::map<std::uint32_t, std::vector<PromisedSlot>> got;
  bool Complete() const { return pages != 0 && got.size() == pages; }
  DECREE_FIELDS(from, chosen, trimmed, pages, got)
};

struct Campaigning {
  Ballot ballot;
  Slot from;
  Ballot released;             // its leader handed over to this replica, and with it the lease
  bool self_promised = false;  // durably: only then is Prepare sent, so that a ballot is used once
  std::vector<PromiseSet> promises;
  bool takes_over = false;  // led the epoch before: reads wait for the end of the campaign
  bool fixed = false;       // the promise quorum is there; later pages are ignored
  Slot base;
  Member base_source;  // who reported base
  std::map<Slot, PromisedSlot> best;
  Instant deadline;
  Instant resend_at;
  DECREE_FIELDS(ballot, from, released, self_promised, promises, takes_over, fixed, base,
                base_source, best, deadline.ns, resend_at.ns)
};

struct PreVoteState {
  Ballot ballot;
  std::vector<ReplicaId> granted;
  Instant resend_at;
  DECREE_FIELDS(ballot, granted, resend_at.ns)
};

struct LearnState {
  Member target;  // last asked
  bool asked = false;
  Instant asked_at;
  Instant progress_at;  // chosen rose
  Ballot ballot;        // of the leader last heard
  DECREE_FIELDS(ballot, target, asked, asked_at.ns, progress_at.ns)
};

// A Prepare or PreVote of a later epoch, kept until the Seal before it is known here.
struct Deferred {
  Epoch epoch;
  Member from;
  Message message;
  DECREE_FIELDS(epoch, from, message)
};

struct InFlight {
  PersistId id = 0;
  Ballot promised;
  Slot voted_to;  // in that ballot
  Slot watermark;
  Instant issued_at;
  DECREE_FIELDS(id, promised, voted_to, watermark, issued_at.ns)
};

struct HeldMessage {
  PersistId after = 0;
  Outgoing out;
};

struct DurableState {
  Ballot promised;
  Slot voted_to;  // in that ballot
  Slot chosen;
  DECREE_FIELDS(promised, voted_to, chosen)
};

struct ConfirmedRead {
  ReadId id = 0;
  Slot index;
  DECREE_FIELDS(id, index)
};

struct ReadState {
  std::vector<ReadId> waiting;           // for a round that begins after they came
  std::vector<ReadId> in_round;          // for the answers to `round`
  std::vector<ConfirmedRead> confirmed;  // for apply
  std::uint64_t round = 0;               // 0: none in flight
  Slot index;
  DECREE_FIELDS(waiting, in_round, confirmed, round, index)
};

}  // namespace decree::consensus
