#include "consensus/membership.h"

#include <algorithm>

#include "consensus/decree.h"
#include "kv/base/mark.h"

namespace decree::consensus {
namespace {

bool ById(const Member& a, const Member& b) { return a.id < b.id; }

const Member* FindIn(const std::vector<Member>& members, ReplicaId id) {
  const auto it =
      std::find_if(members.begin(), members.end(), [id](const Member& m) { return m.id == id; });
  return it != members.end() ? &*it : nullptr;
}

void InsertById(std::vector<Member>& members, const Member& member) {
  members.insert(std::lower_bound(members.begin(), members.end(), member, ById), member);
}

std::vector<Member> SortedById(std::vector<Member> members) {
  std::sort(members.begin(), members.end(), ById);
  return members;
}

bool HasDuplicates(const Decree& seal) {
  std::vector<Member> all = seal.next_voters;
  all.insert(all.end(), seal.next_learners.begin(), seal.next_learners.end());
  all = SortedById(std::move(all));
  return std::adjacent_find(all.begin(), all.end(), [](const Member& a, const Member& b) {
           return a.id == b.id;
         }) != all.end();
}

bool AreMembers(const Config& config, const std::vector<Member>& members) {
  return std::all_of(members.begin(), members.end(), [&config](const Member& m) {
    const Member* known = config.Find(m.id);
    return known != nullptr && *known == m;
  });
}

const char* WhySealUnfit(const Config& config, const Decree& seal) {
  const std::size_t n = seal.next_voters.size();
  if (n != 1 && n != 3 && n != 5) return "a Seal names 1, 3 or 5 voters";
  if (HasDuplicates(seal)) return "a Seal names a member twice";
  if (!AreMembers(config, seal.next_voters)) return "a Seal names a voter that is no member";
  if (!AreMembers(config, seal.next_learners)) return "a Seal names a learner that is no member";
  if (seal.move && seal.move <= config.ended_move) return "the move has ended";
  return nullptr;
}

const char* WhyAddUnfit(const Config& config, const Decree& add) {
  if (add.move <= config.ended_move) return "the move has ended";
  if (config.open_move && add.move < config.open_move) return "a later move is open";
  if (!add.member.id) return "no replica is named";
  if (config.IsVoter(add.member.id)) return "the replica is a voter already";
  return nullptr;
}

// Keeps `open_move == 0 or open_move > ended_move`.
void EndMove(Config& config, MoveId move) {
  config.ended_move = std::max(config.ended_move, move);
  if (config.open_move <= config.ended_move) config.open_move = MoveId{};
}

Config AfterAdd(Config config, const Decree& add) {
  // A fill-up that stayed learner ends when a later move opens: one open move at a time.
  if (config.open_move && config.open_move < add.move) SOMETIMES(membership_open_move_superseded);
  if (config.open_move < add.move) EndMove(config, config.open_move);
  config.open_move = add.move;
  if (!config.IsLearner(add.member.id)) InsertById(config.learners, add.member);
  return config;
}

// Ends the move even if its AddLearner never came: a late one must find it ended (Seal step 13).
Config AfterRemove(Config config, const Decree& remove) {
  std::erase_if(config.learners, [&](const Member& m) { return m.id == remove.member.id; });
  EndMove(config, remove.move);
  return config;
}

Config AfterSeal(Config config, Slot slot, const Decree& seal) {
  config.epoch = config.epoch.Next();
  config.start = slot.Next();
  config.voters = SortedById(seal.next_voters);
  config.learners = SortedById(seal.next_learners);
  EndMove(config, seal.move);
  return config;
}

}  // namespace

bool Config::IsVoter(ReplicaId id) const { return FindIn(voters, id) != nullptr; }
bool Config::IsLearner(ReplicaId id) const { return FindIn(learners, id) != nullptr; }

const Member* Config::Find(ReplicaId id) const {
  const Member* voter = FindIn(voters, id);
  return voter != nullptr ? voter : FindIn(learners, id);
}

const char* WhyUnfit(const Config& config, const Decree& decree) {
  switch (decree.kind) {
    case DecreeKind::kAddLearner:
      return WhyAddUnfit(config, decree);
    case DecreeKind::kRemoveLearner:
      return decree.move <= config.ended_move ? "the move has ended" : nullptr;
    case DecreeKind::kSeal:
      return WhySealUnfit(config, decree);
    default:
      return nullptr;
  }
}

Config Advance(const Config& config, Slot slot, const Decree& decree) {
  if (WhyUnfit(config, decree) != nullptr) return config;
  switch (decree.kind) {
    case DecreeKind::kAddLearner:
      return AfterAdd(config, decree);
    case DecreeKind::kRemoveLearner:
      return AfterRemove(config, decree);
    case DecreeKind::kSeal:
      return AfterSeal(config, slot, decree);
    default:
      return config;
  }
}

}  // namespace decree::consensus
