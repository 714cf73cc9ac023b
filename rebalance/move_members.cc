#include "rebalance/move_members.h"

#include <algorithm>

namespace decree::rebalance {
NextMembers MembersAfter(const MoveRecord& move, const consensus::Config& config,
                         const MemberFacts& facts) {
  std::vector<consensus::Member> able;  // in the order in which they get a vote
  std::vector<consensus::Member> lagging;
  for (const consensus::Member& voter : config.voters) {
    if (voter.id == move.source.replica) continue;
    (facts.dead.contains(voter.id) ? lagging : able).push_back(voter);
  }
  const auto leader = std::find_if(able.begin(), able.end(), [&](const consensus::Member& voter) {
    return voter.id == facts.leader;
  });
  if (leader != able.end()) std::rotate(able.begin(), leader, leader + 1);
  const consensus::Member target{move.target.replica, move.target.node};
  if (!move.sheds()) (facts.caught_up.contains(target.id) ? able : lagging).push_back(target);
  for (const consensus::Member& learner : config.learners) {
    if (learner.id == move.source.replica || learner.id == target.id) continue;
    (facts.caught_up.contains(learner.id) ? able : lagging).push_back(learner);
  }
  // A Seal takes no vote from a living voter without giving another one, unless copies are shed.
  const std::size_t least = move.sheds() ? 1 : config.voters.size();
  const std::size_t wanted = std::max<std::size_t>(facts.wanted, least);
  const std::size_t votes = VotesOf(std::min(wanted, able.size()));
  NextMembers next;
  next.voters.assign(able.begin(), able.begin() + static_cast<std::ptrdiff_t>(votes));
  next.learners.assign(able.begin() + static_cast<std::ptrdiff_t>(votes), able.end());
  next.learners.insert(next.learners.end(), lagging.begin(), lagging.end());
  std::sort(next.voters.begin(), next.voters.end());
  std::sort(next.learners.begin(), next.learners.end());
  return next;
}

}  // namespace decree::rebalance
