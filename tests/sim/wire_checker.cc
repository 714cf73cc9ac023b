#include "tests/sim/wire_checker.h"

#include <algorithm>
#include <variant>

#include "kv/base/frame.h"

namespace decree::sim {

using consensus::Ballot;
using consensus::Decree;
using consensus::DecreeKind;
using consensus::Envelope;

void WireChecker::OnSend(const Envelope& envelope) {
  std::visit([&](const auto& message) { On(envelope, message); }, envelope.message);
}

void WireChecker::Fail(const Envelope& envelope, const std::string& what) {
  world_.Fail("replica " + ToString(ReplicaKey{envelope.shard, envelope.from.id}) + " of node " +
              ToString(envelope.from.node) + ": " + what);
}

void WireChecker::On(const Envelope& envelope, const consensus::Prepare& prepare) {
  const auto [it, fresh] =
      prepared_from_.emplace(std::pair(envelope.shard, prepare.ballot), prepare.from);
  it->second = std::max(it->second, prepare.from);
}

void WireChecker::On(const Envelope& envelope, const consensus::Promise& promise) {
  SawPromised(envelope, promise.promised);
  if (promise.promised != promise.ballot) return;  // a rejection
  CheckVoidVotesLeftOut(envelope, promise);
  Pages& pages = pages_[{Who(envelope.shard, envelope.from.id), promise.ballot}];
  // Another rendering of the same promise, after a crash or with more known: pages do not mix.
  if (pages.chosen != promise.chosen || pages.trimmed != promise.trimmed ||
      pages.pages != promise.pages) {
    pages = Pages{promise.chosen, promise.trimmed, promise.pages, {}, {}};
  }
  pages.seen.insert(promise.page);
  for (const consensus::PromisedSlot& slot : promise.slots) {
    if (slot.chosen) {
      SawChosen(envelope.shard, slot.slot, slot.decree);
    } else {
      SawProposed(envelope.shard, slot.ballot, slot.slot, slot.decree);
    }
    pages.slots[slot.slot] = slot;
  }
  if (pages.seen.size() == promise.pages) CheckVotesReported(envelope, promise.ballot, pages);
}

// Whoever promises in an epoch knows the Seal before it, above which older votes are void (P2).
void WireChecker::CheckVoidVotesLeftOut(const Envelope& envelope,
                                        const consensus::Promise& promise) {
  for (const consensus::PromisedSlot& slot : promise.slots) {
    if (slot.chosen || slot.ballot.epoch == promise.ballot.epoch) continue;
    Fail(envelope, "promises " + ToString(promise.ballot) + " and reports a void vote of " +
                       ToString(slot.ballot) + " at slot " + ToString(slot.slot));
  }
}

// P1: for each slot from where the Prepare asks: the chosen value if known, else the vote.
void WireChecker::CheckVotesReported(const Envelope& envelope, const Ballot& ballot,
                                     const Pages& pages) {
  const auto from = prepared_from_.find({envelope.shard, ballot});
  const auto acknowledged = voted_.find(Who(envelope.shard, envelope.from.id));
  if (from == prepared_from_.end() || acknowledged == voted_.end()) return;
  for (const auto& [vote_ballot, voted] : acknowledged->second) {
    // Votes of earlier epochs above the Seal are void; that the Seal is chosen covers the others.
    if (vote_ballot.epoch != ballot.epoch || vote_ballot >= ballot) continue;
    for (Slot slot = std::max(from->second, pages.chosen.Next()); slot <= voted;
         slot = slot.Next()) {
      const auto told = pages.slots.find(slot);
      const bool kept =
          told != pages.slots.end() && (told->second.chosen || told->second.ballot >= vote_ballot);
      if (kept) continue;
      return Fail(envelope, "acknowledged a vote of " + ToString(vote_ballot) + " at slot " +
                                ToString(slot) + " and keeps it from ballot " + ToString(ballot));
    }
  }
}

void WireChecker::On(const Envelope& envelope, const consensus::Accept& accept) {
  Slot slot = accept.first;
  for (const Decree& decree : accept.decrees) {
    SawProposed(envelope.shard, accept.ballot, slot, decree);
    slot = slot.Next();
  }
}

void WireChecker::On(const Envelope& envelope, const consensus::Accepted& accepted) {
  SawPromised(envelope, accepted.promised);
  if (accepted.promised == accepted.ballot) SawVoted(envelope, accepted.ballot, accepted.voted);
}

// A learner tells how far it got and no promise; a voter may have become one (two dead of five).
void WireChecker::On(const Envelope& envelope, const consensus::HeartbeatReply& reply) {
  if (reply.round == 0 && reply.promised == Ballot{}) return;
  SawPromised(envelope, reply.promised);
  if (reply.promised == reply.ballot) SawVoted(envelope, reply.ballot, reply.voted);
}

void WireChecker::On(const Envelope& envelope, const consensus::PreVoteReply& reply) {
  SawPromised(envelope, reply.promised);
}

void WireChecker::On(const Envelope& envelope, const consensus::Learned& learned) {
  Slot slot = learned.first;
  for (const Decree& decree : learned.decrees) {
    SawChosen(envelope.shard, slot, decree);
    slot = slot.Next();
  }
}

void WireChecker::SawPromised(const Envelope& envelope, const Ballot& promised) {
  Ballot& highest = promised_[Who(envelope.shard, envelope.from.id)];
  if (promised < highest) {
    Fail(envelope,
         "said it had promised " + ToString(highest) + ", now says " + ToString(promised));
  }
  highest = std::max(highest, promised);
}

void WireChecker::SawVoted(const Envelope& envelope, const Ballot& ballot, Slot voted) {
  Slot& highest = voted_[Who(envelope.shard, envelope.from.id)][ballot];
  highest = std::max(highest, voted);
}

void WireChecker::SawProposed(ShardId shard, const Ballot& ballot, Slot slot,
                              const Decree& decree) {
  const std::uint64_t hash = Hash64(Encode(decree));
  const auto [it, fresh] = proposed_[{shard, ballot}].emplace(slot, hash);
  if (it->second == hash) return;
  world_.Fail("shard " + ToString(shard) + ": two values in ballot " + ToString(ballot) +
              " at slot " + ToString(slot));
}

void WireChecker::SawChosen(ShardId shard, Slot slot, const Decree& decree) {
  ++chosen_seen_;
  const Chosen value{Hash64(Encode(decree)), decree.kind};
  const auto [it, fresh] = chosen_[shard].emplace(slot, value);
  if (it->second.hash != value.hash) {
    return world_.Fail("shard " + ToString(shard) + ": two values are chosen at slot " +
                       ToString(slot));
  }
  if (!fresh) return;
  CheckSeal(shard, slot);
  if (slot.value > 1) CheckSeal(shard, slot.Prev());
}

void WireChecker::CheckSeal(ShardId shard, Slot seal) {
  const auto& chosen = chosen_[shard];
  const auto at = chosen.find(seal);
  const auto next = chosen.find(seal.Next());
  if (at == chosen.end() || next == chosen.end()) return;
  if (at->second.kind == DecreeKind::kSeal && next->second.kind != DecreeKind::kEpochStart) {
    world_.Fail("shard " + ToString(shard) + ": what follows the Seal at slot " + ToString(seal) +
                " is no EpochStart");
  }
}

}  // namespace decree::sim
