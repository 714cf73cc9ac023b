#include "tests/sim/atlas.h"

#include <algorithm>

namespace decree::sim {

// Learners come and go within an epoch: what was heard last counts.
void Atlas::Note(ShardId shard, const consensus::Replica& replica) {
  const consensus::Config& config = replica.config();
  consensus::Config& newest = newest_[shard];
  if (config.epoch >= newest.epoch) newest = config;
  consensus::Config& begun = begun_[shard];
  const bool first = begun.voters.empty();
  if (first || (config.epoch >= begun.epoch && replica.chosen() >= config.start)) begun = config;
}

template <class Visit>
void Atlas::ForEachMember(Visit visit) const {
  for (const auto* configs : {&newest_, &begun_}) {
    for (const auto& [shard, config] : *configs) {
      for (const consensus::Member& member : config.voters) visit(shard, member);
      for (const consensus::Member& member : config.learners) visit(shard, member);
    }
  }
}

bool Atlas::MayLose(NodeId node) const {
  const auto can_spare = [node](const auto& entry) {
    const auto& voters = entry.second.voters;
    const auto there = std::count_if(voters.begin(), voters.end(),
                                     [node](const auto& voter) { return voter.node == node; });
    return voters.size() >= 3 && 2 * static_cast<std::size_t>(there) < voters.size();
  };
  return Repaired() && std::all_of(newest_.begin(), newest_.end(), can_spare) &&
         std::all_of(begun_.begin(), begun_.end(), can_spare);
}

void Atlas::Lost(NodeId node) {
  ForEachMember([&](ShardId shard, const consensus::Member& member) {
    if (member.node == node) lost_.emplace(shard, member.id);
  });
}

const consensus::Config* Atlas::Begun(ShardId shard) const {
  const auto found = begun_.find(shard);
  return found == begun_.end() ? nullptr : &found->second;
}

bool Atlas::Repaired() const {
  bool repaired = true;
  ForEachMember([&](ShardId shard, const consensus::Member& member) {
    if (lost_.contains({shard, member.id})) repaired = false;
  });
  return repaired;
}

}  // namespace decree::sim
