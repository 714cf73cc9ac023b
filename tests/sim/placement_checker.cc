#include "tests/sim/placement_checker.h"

#include <algorithm>
#include <vector>

namespace decree::sim {

using rebalance::Stage;

bool CanComeFrom(Stage from, Stage to, bool fill_up) {
  if (from == to) return true;
  if (rebalance::IsFinal(from)) return false;
  if (to == Stage::kRolledBack) return from <= Stage::kSeal;
  if (fill_up && to == Stage::kCleanUp) return false;
  return from < to;
}

void PlacementChecker::Applied(ReplicaKey key, Slot applied, const rebalance::PlacementState& state,
                               const MembersOf& members) {
  Seen& seen = seen_[key];
  if (state.version() < seen.version) {
    world_.Fail("replica " + ToString(key) + ": the version of the shard map fell");
  }
  seen.version = state.version();
  CheckMoves(seen, state);
  for (std::uint32_t i = 0; i < state.shards().size(); ++i) {
    CheckShard(seen, ShardId{i}, state.shards()[i].entry, members);
  }
  CheckShard(seen, kPlacementShard, state.placement().entry, members);
  if (applied <= latest_) return;
  latest_ = applied;
  replicas_ = state.settings().replicas;
  active_.clear();
  for (const rebalance::MoveRecord* move : state.ActiveMoves()) active_[move->id] = *move;
}

void PlacementChecker::CheckMoves(Seen& seen, const rebalance::PlacementState& state) {
  for (const auto& [id, move] : state.moves()) {
    if (move.stage == Stage::kDone && move.digest.empty() && !move.sheds()) {
      world_.Fail("move " + ToString(id) + " is done and its copies were never compared");
    }
    const auto [known, fresh] = seen.stages.emplace(id, move.stage);
    if (known->second == move.stage) continue;
    if (!CanComeFrom(known->second, move.stage, !move.source.replica)) {
      world_.Fail("move " + ToString(id) + " went from " +
                  std::string(rebalance::StageName(known->second)) + " to " +
                  std::string(rebalance::StageName(move.stage)));
    }
    known->second = move.stage;
  }
}

void PlacementChecker::CheckShard(Seen& seen, ShardId shard, const ShardEntry& entry,
                                  const MembersOf& members) {
  Epoch& known = seen.epochs[shard];
  if (entry.epoch < known) {
    world_.Fail("shard " + ToString(shard) + ": the published epoch fell from " + ToString(known) +
                " to " + ToString(entry.epoch));
  }
  if (entry.epoch == known) return;  // its voters were compared
  const consensus::Config* config = members(shard, entry.epoch);
  // A founder's shells are on its disks before it proposes them; their replicas open meanwhile.
  if (config == nullptr && entry.epoch == Epoch{1}) return;
  known = entry.epoch;
  if (config == nullptr) {
    return world_.Fail("shard " + ToString(shard) + ": epoch " + ToString(entry.epoch) +
                       " is published and no replica has got there");
  }
  std::vector<ReplicaId> published;
  for (const ReplicaPlace& place : entry.replicas) {
    if (place.voter) published.push_back(place.replica);
  }
  std::sort(published.begin(), published.end());
  const bool same =
      std::equal(published.begin(), published.end(), config->voters.begin(), config->voters.end(),
                 [](ReplicaId id, const consensus::Member& voter) { return id == voter.id; });
  if (same) return;
  world_.Fail("shard " + ToString(shard) + ": the map names other voters of epoch " +
              ToString(entry.epoch) + " than the shard's log");
}

std::vector<MoveId> PlacementChecker::Paused() const {
  std::vector<MoveId> paused;
  for (const auto& [id, move] : active_) {
    if (move.paused) paused.push_back(id);
  }
  return paused;
}

}  // namespace decree::sim
