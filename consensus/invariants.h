// What must hold over all replicas of one shard at every moment. Tests and the simulator feed it
// with what happens; it keeps a history of its own and compares. It never touches a replica.
//
//   INV-1  one value a slot: what replicas hand out as chosen, and what a majority of durable votes
//          in one ballot chose, agree.
//   INV-2  one value a (ballot, slot), and nobody votes for it before the ballot's leader does.
//   INV-3  a promise never falls, neither in memory nor across a restart once it was durable.
//   INV-4  no vote below a durable promise, and none of a replica that is no voter of the ballot's
//          epoch.
//   INV-5  what a Promise, Accepted or HeartbeatReply said is durable when it leaves (P7): the
//          promise, and for each slot it covers a vote in that ballot or the chosen value.
//   INV-6  durable votes survive a restart, unless superseded (chosen, a higher ballot, trimmed).
//   INV-7  nothing is chosen after a Seal in its epoch; the slot after it holds EpochStart, and
//          nothing else does: no vote of the new epoch is for anything else there (step 10).
//   INV-8  chosen and applied never fall within a life, applied never passes chosen, what was
//          durably chosen is known after a restart; decrees are handed out in slot order, no gaps.
//   INV-9  replicas agree on the voters and the first slot of an epoch.
//   INV-10 what is handed out as chosen has a majority of durable votes in one ballot (P4).
//   INV-11 at most one valid lease: while one is held no other is, and no higher ballot chooses. No
//          read is answered by a lease that is over.
//   INV-12 who prepares, proposes or beats the heart of a ballot is its owner and a voter of its
//          epoch.
//   INV-13 no member is destroyed: a voter only after the EpochStart of an epoch without it is
//          chosen, a learner only after RemoveLearner or a Seal without it is.
//   INV-14 a replica that was destroyed is silent: it never opens, works on or sends again.
//   INV-15 below a durable vote every slot is chosen, or voted by the same replica in that ballot
//          (P3).
//   INV-16 a Prepare leaves when its ballot is durable at the candidate, an Accept when a majority
//          of the epoch's voters has durably promised exactly its ballot (P1, P2).
//   INV-17 a leader that proposed a Seal in its ballot holds no lease in it, and asks for none
//          (Seal step 7).
//   INV-18 a lease is over before the grants of a majority are, which were given in its ballot:
//          each lasts from when its answer left at the latest.
//   INV-19 a replica is in an epoch only when it knows everything below its first slot (steps 8
//          and 9).
//   INV-20 a sleeping leader holds no lease, and has nothing to choose or apply.
//   INV-21 a read shows every slot that anybody knew to be chosen when it was asked; its leader's
//          own barrier is chosen; without a lease, a majority answered a round that began after it.
//   INV-22 a Seal is first proposed at the slot after all that is chosen (step 7); only who found
//          it in a promise proposes it above others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "consensus/replica.h"

namespace decree::consensus {

class Invariants {
 public:
  explicit Invariants(const Config& genesis);

  // After each event of a replica; `output` is what TakeOutput gave for it.
  void Stepped(const Replica& replica, const Output& output);
  // `record` of `replica` is on its disk; call before Replica::Persisted.
  void Durable(ReplicaId replica, const Persist& record);
  // `message` leaves `from`.
  void Sent(ReplicaId from, const Message& message);
  // The watcher's own time, the one clock that is right; only leases need it.
  void At(Instant now) { now_ = now; }
  // After each event of a replica: until when it may serve reads by its lease, on the watcher's
  // clock; empty: it holds none.
  void Lease(const Replica& replica, std::optional<Instant> until);
  // A new life of a replica, made from what its disk kept; call before its first output is taken.
  void Restarted(const Replica& replica);
  // Somebody put old rows back under this replica. It can tell as far as its log says how much was
  // chosen; what the rows alone told is forgotten with them (INV-8).
  void RowsPutBack(ReplicaId replica) { rows_put_back_.insert(replica); }
  // The tombstone of a replica is durable: it may go on for a moment, but starts no new life.
  void Buried(ReplicaId replica);
  // Its removal was acknowledged.
  void Destroyed(ReplicaId replica);
  // The replica is about to be asked for a linearizable read.
  void Asked(const Replica& replica, ReadId read);

  // The voters of an epoch; null: nobody has got there yet.
  const Config* ConfigOf(Epoch epoch) const;
  // The members as the replica has them that knows most.
  const Config& latest() const { return latest_; }
  std::size_t decided() const { return decided_.size(); }  // slots

  bool ok() const { return violations_.empty(); }
  const std::vector<std::string>& violations() const { return violations_; }

  // What was found chosen at a slot, by its hash (HashOf); 0: nothing yet.
  std::uint64_t ChosenHash(Slot slot) const;
  static std::uint64_t HashOf(const Decree& decree);

 private:
  struct Decided {
    std::uint64_t hash = 0;
    DecreeKind kind = DecreeKind::kNoOp;
    Epoch epoch;  // of the ballot in which a majority was seen first
  };
  struct BallotSlot {
    std::uint64_t hash = 0;
    bool proposed = false;  // by the ballot's leader
    std::set<ReplicaId> voters;
  };
  struct AskedRead {
    Ballot ballot;
    Slot known;               // to anybody
    std::uint64_t round = 0;  // of the last heartbeat before it
    bool lease = false;       // held then
  };
  struct Seen {  // of one replica
    bool lives = false;
    std::uint64_t round = 0;  // of heartbeats, in this life
    std::map<ReadId, AskedRead> reads;
    Ballot promised;          // in this life
    Slot chosen;              // in this life
    Slot applied;             // in this life
    Slot emitted;             // in this life
    Ballot durable_promised;  // ever
    std::map<Slot, Ballot> durable_votes;
    Slot durable_chosen;  // contiguous: by watermark, by records, or in the rows
    Slot watermark;       // of durable records alone
    std::set<Slot> stored_chosen;
    Ballot sealed;      // in which it proposed a Seal
    bool read = false;  // its last step answered one
    Ballot granted;     // a lease, to the leader of this ballot
    Instant grant_until;
  };

  void Violate(ReplicaId replica, const std::string& what);
  void Decide(ReplicaId replica, Slot slot, const Decree& decree, Epoch epoch);
  void CheckSealNeighbours(ReplicaId replica, Slot slot);
  void CheckSealed(ReplicaId replica, Slot seal);
  void CheckOwner(ReplicaId from, const Ballot& ballot);
  void CheckConfig(const Replica& replica);
  void CheckVote(ReplicaId replica, const Vote& vote);
  void CheckLease(ReplicaId replica, const Ballot& chose);
  void CheckGrants(const Replica& replica, Instant until);
  void CheckSealing(const Replica& replica, const Output& output);
  void CheckBelowSeal(ReplicaId replica, const Vote& seal);
  void NoteGrant(ReplicaId from, const HeartbeatReply& reply);
  void CheckContiguous(ReplicaId replica, const Vote& vote);
  void CheckFirstOfEpoch(ReplicaId replica, const Vote& vote, const Config& config);
  void CheckPromiseQuorum(ReplicaId from, const Ballot& ballot);
  void CheckRead(const Replica& replica, const AskedRead& read);
  bool AnsweredSince(const Ballot& ballot, std::uint64_t round) const;
  void CheckPromised(ReplicaId from, const Ballot& promised);
  void CheckVoted(ReplicaId from, const Ballot& ballot, Slot voted);
  static void KnowChosen(Seen& seen, Slot upto);
  void Forget(Slot below);

  std::map<Epoch, Config> configs_;
  std::map<Slot, Decided> decided_;
  Slot decided_to_;  // everything <= it is decided
  std::map<std::pair<Slot, Ballot>, BallotSlot> votes_;
  Slot forgotten_;                                                 // votes at or below it
  std::map<Ballot, std::set<ReplicaId>> promised_;                 // durably, exactly this ballot
  std::map<Ballot, std::map<ReplicaId, std::uint64_t>> answered_;  // heartbeats: the last round
  std::map<ReplicaId, Seen> seen_;
  struct HeldLease {
    ReplicaId holder;
    Ballot ballot;
    Instant until;
  };
  HeldLease lease_;                   // the one known to be held; once `until` is over: none
  std::map<Ballot, Duration> asked_;  // the longest lease that its leader asked for
  Instant now_;
  Slot latest_chosen_;  // by any replica, and the members as of then
  Config latest_;
  std::set<ReplicaId> buried_;
  std::set<ReplicaId> destroyed_;
  std::set<ReplicaId> rows_put_back_;
  std::vector<std::string> violations_;
};

}  // namespace decree::consensus
