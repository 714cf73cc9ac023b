#include "rebalance/stall_watch.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"

namespace decree::rebalance {
namespace {

constexpr std::uint32_t kFreshSnapshots = 4;  // begun again, which still counts as progress

}  // namespace

void StallWatch::Observe(const MoveRecord& move, const MoveView& view, Instant now) {
  bool progress = Advanced(move, view) || move.paused;
  if (view.leader) top_ = std::max(top_, view.leader->chosen);
  if (view.target) progress |= Learned(move.target.replica, *view.target, view);
  for (const auto& [id, status] : view.others) progress |= Learned(id, status, view);
  if (progress) since_ = now;
}

// The pieces only grow, but for the wish to cancel, which a chosen Seal clears once.
bool StallWatch::Advanced(const MoveRecord& move, const MoveView& view) {
  auto now = reached_;
  std::get<Stage>(now) = move.stage;
  std::get<bool>(now) = move.cancelled;
  if (view.leader) {
    std::get<Epoch>(now) = std::max(std::get<Epoch>(now), view.leader->config.epoch);
    std::get<MoveId>(now) = std::max(std::get<MoveId>(now), view.leader->config.ended_move);
  }
  return now != std::exchange(reached_, now);
}

bool StallWatch::Learned(ReplicaId id, const ReplicaStatus& status, const MoveView& view) {
  if (!status.exists) return false;
  const bool lags = !status.has_snapshot || (view.leader && !IsCaughtUp(status, view));
  Received& best = best_[id];
  if (status.snapshot_bytes_done < best.bytes) {
    SOMETIMES(move_snapshot_began_again);
    if (++best.restarts <= kFreshSnapshots) best.gap = kFar;
  }
  const std::uint64_t passed = best.restarts <= kFreshSnapshots ? best.bytes : best.most;
  bool more = status.snapshot_bytes_done > passed;
  best.bytes = status.snapshot_bytes_done;
  best.most = std::max(best.most, best.bytes);
  if (status.has_snapshot && view.leader) {
    const std::uint64_t gap = top_.value - std::min(top_, status.durable_chosen).value;
    more |= gap < best.gap;
    best.gap = std::min(best.gap, gap);
  }
  return more && lags;
}

}  // namespace decree::rebalance
