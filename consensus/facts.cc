// What others may ask of a replica without changing it.
#include "consensus/core.h"
#include "kv/base/frame.h"

namespace decree::consensus {

bool Replica::Core::Ready() const {
  return role_ == Role::kLeader && lead_.barrier != Slot{} && chosen_ >= lead_.barrier;
}

std::size_t Replica::Core::inflight() const {
  if (role_ != Role::kLeader) return 0;
  return static_cast<std::size_t>(lead_.next.value - 1 - chosen_.value);
}

std::optional<Slot> Replica::Core::DurableChosenOf(ReplicaId member) const {
  if (role_ != Role::kLeader) return std::nullopt;
  if (member == self_) return durable_.chosen;
  const Peer* peer = FindPeer(member);
  if (peer == nullptr || !peer->reported) return std::nullopt;
  return peer->durable_chosen;
}

std::optional<Instant> Replica::Core::HeardAt(ReplicaId member) const {
  const Peer* peer = role_ == Role::kLeader ? FindPeer(member) : nullptr;
  if (peer == nullptr || !peer->reported) return std::nullopt;
  return peer->heard_at;
}

std::optional<ChosenDecree> Replica::Core::ChosenAt(Slot slot) const {
  const SlotLog::Entry* entry = slot <= chosen_ ? log_.Find(slot) : nullptr;
  if (entry == nullptr) return std::nullopt;
  return ChosenDecree{slot, entry->vote.decree};
}

const Vote* Replica::Core::VoteAt(Slot slot) const {
  const SlotLog::Entry* entry = log_.Find(slot);
  return entry != nullptr && entry->vote.ballot ? &entry->vote : nullptr;
}

// Over everything that can influence what this replica does next, and nothing else.
std::uint64_t Replica::Core::StateHash() const {
  std::string bytes;
  Writer w(bytes);
  const auto put = [&w](const auto&... part) { (Put(w, part), ...); };
  put(self_, random_.state(), promised_, voted_to_, grant_, config_, chosen_, applied_, emitted_);
  put(learn_, deferred_, pending_, last_persist_, durable_, role_, leader_, leader_heard_.ns);
  put(election_deadline_.ns, seen_round_, pre_vote_, campaign_, lead_, reads_, heartbeat_round_);
  put(asleep_, leader_round_);
  put(log_.trimmed());
  for (Slot slot = log_.trimmed().Next(); slot <= log_.last(); slot = slot.Next()) {
    const SlotLog::Entry* entry = log_.Find(slot);
    put(entry != nullptr);
    if (entry != nullptr) put(*entry);
  }
  put(in_flight_.size(), held_.size());
  for (const InFlight& record : in_flight_) put(record);
  for (const HeldMessage& held : held_) put(held.after, held.out.to, held.out.message);
  return Hash64(bytes);
}

}  // namespace decree::consensus
