// Which members a Seal names: pure arithmetic over the present configuration.
#pragma once

#include <set>
#include <vector>

#include "rebalance/move.h"

namespace decree::rebalance {

struct NextMembers {
  std::vector<consensus::Member> voters;    // sorted by id; an odd number
  std::vector<consensus::Member> learners;  // sorted by id
};

// The members after `move`: its source is gone; voters stay voters; the target, then the other
// learners in `caught_up`, get votes until the number wanted is reached, or the largest odd one
// below it. A voter in `dead` stays as a learner.
NextMembers MembersAfter(const MoveRecord& move, const consensus::Config& config,
                         const std::set<ReplicaId>& caught_up, const std::set<ReplicaId>& dead,
                         std::uint32_t replicas_wanted);

}  // namespace decree::rebalance
