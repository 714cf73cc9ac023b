#include "tests/model/ghost.h"

#include <algorithm>

namespace decree::consensus::model {
namespace {

std::string Where(const Fact& fact) {
  const Ballot ballot{Epoch{fact.epoch}, fact.round, ReplicaId{fact.owner}};
  return " (replica " + std::to_string(fact.replica) + ", slot " + std::to_string(fact.slot) +
         ", ballot " + ToString(ballot) + ")";
}

bool SameBallot(const Fact& a, const Fact& b) {
  return a.slot == b.slot && a.epoch == b.epoch && a.round == b.round && a.owner == b.owner;
}

}  // namespace

ValueId Values::IdOf(const Decree& decree) {
  const auto [known, fresh] =
      ids_.try_emplace(Encode(decree), static_cast<ValueId>(decrees_.size() + 1));
  if (fresh) decrees_.push_back(decree);
  return known->second;
}

Fact VoteFact(ReplicaId replica, const Vote& vote, Values& values) {
  Fact fact{FactKind::kVote, static_cast<std::uint8_t>(replica.value),
            static_cast<std::uint8_t>(vote.slot.value)};
  fact.epoch = static_cast<std::uint8_t>(vote.ballot.epoch.value);
  fact.round = static_cast<std::uint8_t>(vote.ballot.round);
  fact.owner = static_cast<std::uint8_t>(vote.ballot.replica.value);
  fact.value = values.IdOf(vote.decree);
  return fact;
}

Fact HandedFact(ReplicaId replica, const ChosenDecree& chosen, Values& values) {
  Fact fact{FactKind::kHanded, static_cast<std::uint8_t>(replica.value),
            static_cast<std::uint8_t>(chosen.slot.value)};
  fact.value = values.IdOf(chosen.decree);
  return fact;
}

Config ConfigOf(Epoch epoch, const Config& genesis, const Ghost& ghost, const Values& values) {
  Config config = genesis;
  for (std::size_t slot = 1; slot < Ghost::kSlots && config.epoch < epoch; ++slot) {
    if (ghost.decided(slot) == 0) return Config{};
    config = Advance(config, Slot{slot}, values[ghost.decided(slot)]);
  }
  return config.epoch == epoch ? config : Config{};
}

std::string Ghost::Add(const Fact& fact, const Config& genesis, const Values& values) {
  if (fact.slot >= kSlots) return "";  // out of every scope
  switch (fact.kind) {
    case FactKind::kVote:
      return AddVote(fact, genesis, values);
    case FactKind::kHanded:
      if (decided_[fact.slot] == 0) return "INV-10 chosen without durable votes" + Where(fact);
      if (decided_[fact.slot] != fact.value) return "INV-1 two values chosen" + Where(fact);
      return "";
    case FactKind::kAcked:
      acked_ = std::max(acked_, fact.slot);
      return "";
  }
  return "";
}

std::string Ghost::AboveHole(const Fact& vote) const {
  if (vote.kind != FactKind::kVote || vote.slot <= 1 || vote.slot >= kSlots) return "";
  if (decided_[vote.slot - 1u] != 0) return "";
  const bool voted = std::any_of(votes_.begin(), votes_.end(), [&](const Fact& below) {
    return below.replica == vote.replica && below.slot + 1 == vote.slot &&
           below.epoch == vote.epoch && below.round == vote.round && below.owner == vote.owner;
  });
  return voted ? "" : "INV-15 a vote above a hole" + Where(vote);
}

std::string Ghost::AddVote(const Fact& vote, const Config& genesis, const Values& values) {
  const Config config = ConfigOf(Epoch{vote.epoch}, genesis, *this, values);
  if (!config.IsVoter(ReplicaId{vote.replica})) return "INV-4 not a voter" + Where(vote);
  if (vote.value == decided_[vote.slot]) return "";
  const auto at = std::lower_bound(votes_.begin(), votes_.end(), vote);
  if (at != votes_.end() && *at == vote) return "";
  votes_.insert(at, vote);
  std::size_t same = 0;
  for (const Fact& other : votes_) {
    if (!SameBallot(vote, other)) continue;
    if (other.value != vote.value) return "INV-2 two values in one ballot" + Where(vote);
    ++same;
  }
  return same >= config.QuorumSize() ? Decide(vote, genesis, values) : "";
}

std::string Ghost::Decide(const Fact& vote, const Config& genesis, const Values& values) {
  if (decided_[vote.slot] != 0) return "INV-1 two values chosen" + Where(vote);
  const Config next = ConfigOf(Epoch{vote.epoch}.Next(), genesis, *this, values);
  if (next.epoch != Epoch{} && Slot{vote.slot} >= next.start) {
    return "INV-7 chosen after the Seal of its epoch" + Where(vote);
  }
  decided_[vote.slot] = vote.value;
  std::erase_if(votes_,
                [&](const Fact& f) { return f.slot == vote.slot && f.value == vote.value; });
  const auto kind = [&](std::size_t slot) { return values[decided_[slot]].kind; };
  if (kind(vote.slot) == DecreeKind::kSeal) {
    for (std::size_t above = vote.slot + 1u; above < kSlots; ++above) {
      if (decided_[above] != 0) return "INV-7 a Seal is chosen below chosen slots" + Where(vote);
    }
  }
  if (vote.slot > 1 && decided_[vote.slot - 1u] != 0 && kind(vote.slot - 1u) == DecreeKind::kSeal &&
      kind(vote.slot) != DecreeKind::kEpochStart) {
    return "INV-7 no EpochStart after the Seal" + Where(vote);
  }
  return "";
}

std::string Ghost::Key() const {
  std::string key(reinterpret_cast<const char*>(decided_.data()), sizeof decided_);
  key.push_back(static_cast<char>(acked_));
  for (const Fact& f : votes_) {
    for (const unsigned part : {unsigned{f.replica}, unsigned{f.slot}, unsigned{f.epoch},
                                unsigned{f.round}, unsigned{f.owner}, unsigned{f.value}}) {
      key.push_back(static_cast<char>(part));
    }
  }
  return key;
}

}  // namespace decree::consensus::model
