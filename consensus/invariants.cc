#include "consensus/invariants.h"

#include <algorithm>

#include "kv/base/frame.h"

namespace decree::consensus {
namespace {

// Votes this far below what is decided say nothing new any more.
constexpr std::uint64_t kKeepSlots = 8192;
constexpr std::size_t kMaxViolations = 32;

}  // namespace

Invariants::Invariants(const Config& genesis) {
  if (genesis.epoch != Epoch{}) configs_[genesis.epoch] = genesis;
}

std::uint64_t Invariants::HashOf(const Decree& decree) {
  const std::uint64_t hash = Hash64(Encode(decree));
  return hash != 0 ? hash : 1;
}

std::uint64_t Invariants::ChosenHash(Slot slot) const {
  const auto it = decided_.find(slot);
  return it != decided_.end() ? it->second.hash : 0;
}

void Invariants::Violate(ReplicaId replica, const std::string& what) {
  if (violations_.size() < kMaxViolations) {
    violations_.push_back("replica " + ToString(replica) + ": " + what);
  }
}

void Invariants::Stepped(const Replica& replica, const Output& output) {
  const ReplicaId self = replica.self();
  Seen& seen = seen_[self];
  seen.lives = true;
  if (destroyed_.count(self) != 0) Violate(self, "INV-14 works on after it was destroyed");
  if (replica.promised() < seen.promised) Violate(self, "INV-3 the promise fell");
  if (replica.chosen() < seen.chosen) Violate(self, "INV-8 chosen fell");
  if (replica.applied() < seen.applied) Violate(self, "INV-8 applied fell");
  if (replica.applied() > replica.chosen()) Violate(self, "INV-8 applied what is not chosen");
  seen.promised = replica.promised();
  seen.chosen = replica.chosen();
  seen.applied = replica.applied();
  CheckConfig(replica);
  for (const ChosenDecree& c : output.chosen) {
    // A snapshot may skip slots, nothing may come twice.
    if (c.slot <= seen.emitted) Violate(self, "INV-8 handed out again: " + ToString(c.slot));
    seen.emitted = c.slot;
    if (decided_.count(c.slot) == 0) {
      Violate(self, "INV-10 chosen without durable votes: slot " + ToString(c.slot));
    }
    Decide(self, c.slot, c.decree, Epoch{});
  }
  CheckSealing(replica, output);
  seen.read = std::any_of(output.reads.begin(), output.reads.end(),
                          [](const ReadReady& read) { return read.ok; });
  if (output.persist) {
    for (const Vote& vote : output.persist->votes) {
      const bool proposes = replica.role() == Role::kLeader && vote.ballot.replica == self;
      if (proposes) votes_[{vote.slot, vote.ballot}].proposed = true;
    }
  }
  for (const ReadReady& ready : output.reads) {
    const auto asked = seen.reads.find(ready.id);
    if (asked == seen.reads.end()) continue;
    if (ready.ok) CheckRead(replica, asked->second);
    seen.reads.erase(asked);
  }
  KnowChosen(seen, replica.trimmed());  // in the rows: flushed, or received with a snapshot
  auto& votes = seen.durable_votes;
  votes.erase(votes.begin(), votes.upper_bound(replica.trimmed()));
}

void Invariants::CheckConfig(const Replica& replica) {
  const Config& config = replica.config();
  if (config.epoch == Epoch{}) return;
  if (config.epoch > Epoch{1} && replica.chosen().Next() < config.start) {
    Violate(replica.self(), "INV-19 in epoch " + ToString(config.epoch) + " without its Seal");
  }
  if (replica.chosen() > latest_chosen_ || latest_.epoch == Epoch{}) {
    latest_chosen_ = replica.chosen();
    if (latest_ != config) latest_ = config;
  }
  const auto [known, fresh] = configs_.try_emplace(config.epoch, config);
  if (fresh) return;
  if (known->second.voters != config.voters || known->second.start != config.start) {
    Violate(replica.self(), "INV-9 another membership of epoch " + ToString(config.epoch));
  }
}

const Config* Invariants::ConfigOf(Epoch epoch) const {
  const auto known = configs_.find(epoch);
  return known != configs_.end() ? &known->second : nullptr;
}

void Invariants::Decide(ReplicaId replica, Slot slot, const Decree& decree, Epoch epoch) {
  const std::uint64_t hash = HashOf(decree);
  const auto [known, fresh] = decided_.try_emplace(slot, Decided{hash, decree.kind, epoch});
  if (!fresh) {
    if (known->second.hash != hash) {
      Violate(replica, "INV-1 two values chosen at slot " + ToString(slot));
    }
    return;
  }
  CheckSealNeighbours(replica, slot);
  if (decree.kind == DecreeKind::kSeal) CheckSealed(replica, slot);
  while (decided_.count(decided_to_.Next()) != 0) decided_to_ = decided_to_.Next();
  if (decided_to_.value > kKeepSlots) Forget(Slot{decided_to_.value - kKeepSlots});
}

void Invariants::CheckSealNeighbours(ReplicaId replica, Slot slot) {
  for (const Slot seal : {slot, Slot{slot.value - (slot.value > 0 ? 1 : 0)}}) {
    const auto at = decided_.find(seal);
    const auto after = decided_.find(seal.Next());
    if (at == decided_.end() || after == decided_.end()) continue;
    const bool sealed = at->second.kind == DecreeKind::kSeal;
    const bool begun = after->second.kind == DecreeKind::kEpochStart;
    if (sealed && !begun)
      Violate(replica, "INV-7 no EpochStart after the Seal at " + ToString(seal));
    if (!sealed && begun) Violate(replica, "INV-7 EpochStart without a Seal at " + ToString(seal));
  }
}

// What was chosen before the Seal was found chosen, in its own epoch or an earlier one.
void Invariants::CheckSealed(ReplicaId replica, Slot seal) {
  const Epoch epoch = decided_.at(seal).epoch;
  for (auto it = decided_.upper_bound(seal); it != decided_.end(); ++it) {
    if (it->second.epoch == Epoch{} || it->second.epoch > epoch) continue;
    Violate(replica, "INV-7 chosen after the Seal of its epoch: slot " + ToString(it->first));
  }
}

void Invariants::Durable(ReplicaId replica, const Persist& record) {
  Seen& seen = seen_[replica];
  if (record.promised) {
    if (*record.promised < seen.durable_promised) {
      Violate(replica, "INV-3 a lower promise was written");
    }
    seen.durable_promised = std::max(seen.durable_promised, *record.promised);
    promised_[*record.promised].insert(replica);
  }
  for (const Vote& vote : record.votes) CheckVote(replica, vote);
  for (const ChosenDecree& c : record.chosen) {
    seen.stored_chosen.insert(c.slot);
    const auto known = decided_.find(c.slot);
    if (known != decided_.end() && known->second.hash != HashOf(c.decree)) {
      Violate(replica, "INV-1 learned another value at slot " + ToString(c.slot));
    }
  }
  KnowChosen(seen, record.watermark);
  seen.watermark = std::max(seen.watermark, record.watermark);
}

void Invariants::CheckVote(ReplicaId replica, const Vote& vote) {
  Seen& seen = seen_[replica];
  const std::string where = ToString(vote.ballot) + " at slot " + ToString(vote.slot);
  if (vote.ballot < seen.durable_promised) Violate(replica, "INV-4 vote below promise: " + where);
  CheckContiguous(replica, vote);
  Ballot& highest = seen.durable_votes[vote.slot];
  highest = std::max(highest, vote.ballot);

  const std::uint64_t hash = HashOf(vote.decree);
  BallotSlot& cast = votes_[{vote.slot, vote.ballot}];
  if (cast.hash == 0) cast.hash = hash;
  if (cast.hash != hash) Violate(replica, "INV-2 two values in " + where);
  cast.voters.insert(replica);
  const ReplicaId leader = vote.ballot.replica;
  if (!cast.proposed && vote.slot > forgotten_ && seen_[leader].lives) {
    Violate(replica, "INV-2 its leader did not propose " + where);
  }

  const auto config = configs_.find(vote.ballot.epoch);
  if (config == configs_.end()) return;
  if (!config->second.IsVoter(replica)) Violate(replica, "INV-4 not a voter: " + where);
  CheckFirstOfEpoch(replica, vote, config->second);
  if (cast.voters.size() < config->second.QuorumSize()) return;
  const auto next = configs_.find(vote.ballot.epoch.Next());
  if (next != configs_.end() && vote.slot >= next->second.start) {
    Violate(replica, "INV-7 chosen after the Seal of its epoch: " + where);
  }
  CheckLease(replica, vote.ballot);
  Decide(replica, vote.slot, vote.decree, vote.ballot.epoch);
}

void Invariants::CheckFirstOfEpoch(ReplicaId replica, const Vote& vote, const Config& config) {
  if (config.epoch <= Epoch{1}) return;
  const std::string where = ToString(vote.ballot) + " at slot " + ToString(vote.slot);
  if (vote.slot < config.start) Violate(replica, "INV-7 a vote before its epoch: " + where);
  const bool begins = vote.decree.kind == DecreeKind::kEpochStart;
  if (begins != (vote.slot == config.start)) {
    Violate(replica, "INV-7 EpochStart and nothing else begins an epoch: " + where);
  }
}

// Lower ballots may still complete a majority: the holder's recovery has seen what they chose.
void Invariants::CheckLease(ReplicaId replica, const Ballot& chose) {
  if (lease_.until <= now_ || chose <= lease_.ballot) return;
  Violate(replica, "INV-11 " + ToString(chose) + " chooses under the lease of " +
                       ToString(lease_.ballot) + ", held by replica " + ToString(lease_.holder));
}

void Invariants::Lease(const Replica& replica, std::optional<Instant> until) {
  const bool own = lease_.holder == replica.self();
  if (replica.asleep() &&
      (until || replica.inflight() != 0 || replica.applied() != replica.chosen())) {
    Violate(replica.self(), "INV-20 it sleeps with a lease or with something to do");
  }
  // A step that reads no clock may leave a lease standing that is over; one that reads must not.
  if (until && *until <= now_ && seen_[replica.self()].read) {
    Violate(replica.self(), "INV-11 answers a read by a lease that is over");
  }
  if (!until || *until <= now_) {
    if (own) lease_ = HeldLease{};
    return;
  }
  if (!own && lease_.until > now_) {
    Violate(replica.self(), "INV-11 a second lease: replica " + ToString(lease_.holder) +
                                " holds one of " + ToString(lease_.ballot));
  }
  if (seen_[replica.self()].sealed == replica.promised()) {
    Violate(replica.self(), "INV-17 holds a lease of " + ToString(replica.promised()) +
                                ", in which it proposed a Seal");
  }
  CheckGrants(replica, *until);
  lease_ = HeldLease{replica.self(), replica.promised(), *until};
}

void Invariants::CheckGrants(const Replica& replica, Instant until) {
  const Config* config = ConfigOf(replica.promised().epoch);
  if (config == nullptr) return;
  const auto& voters = config->voters;
  const auto granted = std::count_if(voters.begin(), voters.end(), [&](const Member& voter) {
    const Seen& seen = seen_[voter.id];
    return voter.id == replica.self() ||
           (seen.granted == replica.promised() && seen.grant_until >= until);
  });
  if (static_cast<std::size_t>(granted) >= config->QuorumSize()) return;
  Violate(replica.self(), "INV-18 a lease of " + ToString(replica.promised()) +
                              " that the grants of no majority outlast");
}

// Heartbeats of this very step may have been made before the Seal was.
void Invariants::CheckSealing(const Replica& replica, const Output& output) {
  Ballot& sealed = seen_[replica.self()].sealed;
  for (const Outgoing& out : output.send) {
    const auto* beat = std::get_if<Heartbeat>(&out.message);
    if (beat == nullptr || beat->lease_ns == 0 || beat->ballot != sealed) continue;
    Violate(replica.self(),
            "INV-17 asks for a lease of " + ToString(sealed) + ", in which it proposed a Seal");
  }
  if (!output.persist) return;
  for (const Vote& vote : output.persist->votes) {
    const bool own = vote.ballot.replica == replica.self();
    if (!own || vote.decree.kind != DecreeKind::kSeal) continue;
    sealed = vote.ballot;
    CheckBelowSeal(replica.self(), vote);
  }
}

// Voted for at this slot before: it was found, and stands where it stood.
void Invariants::CheckBelowSeal(ReplicaId replica, const Vote& seal) {
  if (decided_to_.Next() >= seal.slot) return;
  const std::uint64_t hash = HashOf(seal.decree);
  auto cast = votes_.lower_bound({seal.slot, Ballot{}});
  for (; cast != votes_.end() && cast->first.first == seal.slot; ++cast) {
    if (cast->second.hash == hash) return;
  }
  Violate(replica,
          "INV-22 proposes a Seal above slots that are not chosen: slot " + ToString(seal.slot));
}

void Invariants::NoteGrant(ReplicaId from, const HeartbeatReply& reply) {
  const auto asked = asked_.find(reply.ballot);
  if (!reply.granted || asked == asked_.end()) return;
  Seen& seen = seen_[from];
  seen.granted = reply.ballot;
  seen.grant_until = now_ + asked->second;
}

void Invariants::CheckContiguous(ReplicaId replica, const Vote& vote) {
  if (vote.slot.value <= 1 || decided_.count(vote.slot.Prev()) != 0) return;
  const auto below = votes_.find({vote.slot.Prev(), vote.ballot});
  if (below != votes_.end() && below->second.voters.count(replica) != 0) return;
  Violate(replica, "INV-15 a vote above a hole: " + ToString(vote.ballot) + " at slot " +
                       ToString(vote.slot));
}

void Invariants::Sent(ReplicaId from, const Message& message) {
  if (destroyed_.count(from) != 0) Violate(from, "INV-14 sends after it was destroyed");
  if (const auto* m = std::get_if<Prepare>(&message)) CheckOwner(from, m->ballot);
  if (const auto* m = std::get_if<Accept>(&message)) CheckOwner(from, m->ballot);
  if (const auto* m = std::get_if<Heartbeat>(&message)) {
    CheckOwner(from, m->ballot);
    Duration& longest = asked_[m->ballot];
    longest = std::max(longest, Duration{static_cast<std::int64_t>(m->lease_ns)});
  }
  const auto acknowledged = [&](const auto& m) {
    CheckPromised(from, m.promised);
    if (m.promised == m.ballot) CheckVoted(from, m.ballot, m.voted);
  };
  if (const auto* prepare = std::get_if<Prepare>(&message)) {
    if (prepare->ballot > seen_[from].durable_promised) {
      Violate(from, "INV-16 Prepare before its ballot was durable: " + ToString(prepare->ballot));
    }
  }
  if (const auto* heartbeat = std::get_if<Heartbeat>(&message)) {
    seen_[from].round = std::max(seen_[from].round, heartbeat->round);
  }
  if (const auto* accept = std::get_if<Accept>(&message)) CheckPromiseQuorum(from, accept->ballot);
  if (const auto* promise = std::get_if<Promise>(&message)) CheckPromised(from, promise->promised);
  if (const auto* accepted = std::get_if<Accepted>(&message)) acknowledged(*accepted);
  if (const auto* reply = std::get_if<HeartbeatReply>(&message)) {
    acknowledged(*reply);
    NoteGrant(from, *reply);
    std::uint64_t& last = answered_[reply->ballot][from];
    if (reply->promised == reply->ballot) last = std::max(last, reply->round);
  }
}

void Invariants::CheckPromiseQuorum(ReplicaId from, const Ballot& ballot) {
  const auto config = configs_.find(ballot.epoch);
  if (config == configs_.end()) return;
  const auto& voters = config->second.voters;
  const std::set<ReplicaId>& sworn = promised_[ballot];
  const auto promised = std::count_if(voters.begin(), voters.end(), [&](const Member& voter) {
    return sworn.count(voter.id) != 0;
  });
  if (static_cast<std::size_t>(promised) >= config->second.QuorumSize()) return;
  Violate(from, "INV-16 Accept without a promise quorum: " + ToString(ballot));
}

void Invariants::Asked(const Replica& replica, ReadId read) {
  Seen& seen = seen_[replica.self()];
  const bool lease = lease_.holder == replica.self() && lease_.until > now_;
  seen.reads[read] = AskedRead{replica.promised(), latest_chosen_, seen.round, lease};
}

// The rows are read after this step, with everything applied that is applied now. A read that only
// waited for apply may outlive the leadership that confirmed it.
void Invariants::CheckRead(const Replica& replica, const AskedRead& read) {
  const ReplicaId self = replica.self();
  if (replica.applied() < read.known) {
    Violate(self, "INV-21 a stale read: slot " + ToString(read.known) + " was known to be chosen");
  }
  if (replica.role() != Role::kLeader || replica.promised() != read.ballot) return;
  if (!replica.ReadyLeader()) Violate(self, "INV-21 a read before the barrier of its leader");
  if (!read.lease && !AnsweredSince(replica.promised(), read.round)) {
    Violate(self, "INV-21 a read without a lease or a round of its own");
  }
}

bool Invariants::AnsweredSince(const Ballot& ballot, std::uint64_t round) const {
  const Config* config = ConfigOf(ballot.epoch);
  const auto answers = answered_.find(ballot);
  if (config == nullptr) return true;
  std::size_t count = 1;  // its own
  for (const Member& voter : config->voters) {
    if (voter.id == ballot.replica || answers == answered_.end()) continue;
    const auto last = answers->second.find(voter.id);
    count += last != answers->second.end() && last->second > round;
  }
  return count >= config->QuorumSize();
}

void Invariants::CheckOwner(ReplicaId from, const Ballot& ballot) {
  const Config* config = ConfigOf(ballot.epoch);
  if (ballot.replica != from) Violate(from, "INV-12 not its ballot: " + ToString(ballot));
  if (!config || !config->IsVoter(from)) Violate(from, "INV-12 not a voter: " + ToString(ballot));
}

void Invariants::CheckPromised(ReplicaId from, const Ballot& promised) {
  if (promised > seen_[from].durable_promised) {
    Violate(from, "INV-5 promise said before it was durable: " + ToString(promised));
  }
}

void Invariants::CheckVoted(ReplicaId from, const Ballot& ballot, Slot voted) {
  const Seen& seen = seen_[from];
  for (Slot slot = seen.durable_chosen.Next(); slot <= voted; slot = slot.Next()) {
    if (seen.stored_chosen.count(slot) != 0) continue;
    const auto cast = votes_.find({slot, ballot});
    if (cast == votes_.end() || cast->second.voters.count(from) == 0) {
      Violate(from, "INV-5 vote said before it was durable: slot " + ToString(slot));
      return;
    }
  }
}

void Invariants::KnowChosen(Seen& seen, Slot upto) {
  seen.durable_chosen = std::max(seen.durable_chosen, upto);
  auto& stored = seen.stored_chosen;
  stored.erase(stored.begin(), stored.upper_bound(seen.durable_chosen));
  while (!stored.empty() && *stored.begin() == seen.durable_chosen.Next()) {
    seen.durable_chosen = *stored.begin();
    stored.erase(stored.begin());
  }
}

void Invariants::Restarted(const Replica& replica) {
  const ReplicaId self = replica.self();
  Seen& seen = seen_[self];
  if (lease_.holder == self) lease_ = HeldLease{};
  if (buried_.count(self) != 0) Violate(self, "INV-14 opened again after it was buried");
  if (replica.chosen() < (rows_put_back_.contains(self) ? seen.watermark : seen.durable_chosen)) {
    Violate(self, "INV-8 forgot what it knew to be chosen");
  }
  if (replica.promised() < seen.durable_promised) {
    Violate(self, "INV-3 a durable promise was forgotten");
  }
  for (const auto& [slot, ballot] : seen.durable_votes) {
    if (slot <= replica.chosen()) continue;
    const Vote* vote = replica.VoteAt(slot);
    if (vote == nullptr || vote->ballot < ballot) {
      Violate(self, "INV-6 a durable vote was forgotten: slot " + ToString(slot));
    }
  }
  seen.round = 0;
  seen.reads.clear();
  seen.promised = replica.promised();
  seen.chosen = replica.chosen();
  seen.emitted = seen.applied = replica.applied();
  KnowChosen(seen, replica.chosen());  // found on the disk
}

void Invariants::Buried(ReplicaId replica) {
  buried_.insert(replica);
  if (latest_.Find(replica) != nullptr) Violate(replica, "INV-13 a member was destroyed");
  Epoch voted;
  for (const auto& [epoch, config] : configs_) {
    if (config.IsVoter(replica)) voted = epoch;
  }
  if (voted == Epoch{}) return;
  for (auto later = configs_.upper_bound(voted); later != configs_.end(); ++later) {
    const auto begun = decided_.find(later->second.start);
    if (begun != decided_.end() && begun->second.kind == DecreeKind::kEpochStart) return;
  }
  Violate(replica, "INV-13 a voter was destroyed before EpochStart was chosen");
}

void Invariants::Destroyed(ReplicaId replica) { destroyed_.insert(replica); }

void Invariants::Forget(Slot below) {
  forgotten_ = below;
  votes_.erase(votes_.begin(), votes_.lower_bound({below, Ballot{}}));
}

}  // namespace decree::consensus
