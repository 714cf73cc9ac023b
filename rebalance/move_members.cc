#include "rebalance/move_members.h"

#include <algorithm>

namespace decree::rebalance {
namespace {

std::size_t LargestOddUpTo(std::size_t n) { return n % 2 == 0 ? n - 1 : n; }

}  // namespace

NextMembers MembersAfter(const MoveRecord& move, const consensus::Config& config,
                         const std::set<ReplicaId>& caught_up, const std::set<ReplicaId>& dead,
                         std::uint32_t replicas_wanted) {
  std::vector<consensus::Member> able;  // in the order in which they get a vote
  std::vector<consensus::Member> lagging;
  for (const consensus::Member& voter : config.voters) {
    if (voter.id == move.source.replica) continue;
    (dead.contains(voter.id) ? lagging : able).push_back(voter);
  }
  const bool ready = caught_up.contains(move.target.replica);
  const consensus::Member target{move.target.replica, move.target.node};
  (ready ? able : lagging).push_back(target);
  for (const consensus::Member& learner : config.learners) {
    if (learner.id == move.source.replica || learner.id == target.id) continue;
    (caught_up.contains(learner.id) ? able : lagging).push_back(learner);
  }
  // A Seal takes no vote from a living voter without giving another one (shrinking is no part of a
  // move).
  const std::size_t wanted = std::max<std::size_t>(replicas_wanted, config.voters.size());
  const std::size_t votes = able.empty() ? 0 : LargestOddUpTo(std::min(wanted, able.size()));
  NextMembers next;
  next.voters.assign(able.begin(), able.begin() + static_cast<std::ptrdiff_t>(votes));
  next.learners.assign(able.begin() + static_cast<std::ptrdiff_t>(votes), able.end());
  next.learners.insert(next.learners.end(), lagging.begin(), lagging.end());
  std::sort(next.voters.begin(), next.voters.end());
  std::sort(next.learners.begin(), next.learners.end());
  return next;
}

}  // namespace decree::rebalance
