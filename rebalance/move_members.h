// Which members a Seal names: pure arithmetic over the present configuration.
#pragma once

#include <set>
#include <vector>

#include "rebalance/move.h"

namespace decree::rebalance {

// How many of so many replicas vote: the largest odd number of them.
inline std::size_t VotesOf(std::size_t replicas) {
  return replicas % 2 == 0 && replicas > 0 ? replicas - 1 : replicas;
}

struct NextMembers {
  std::vector<consensus::Member> voters;    // sorted by id; an odd number
  std::vector<consensus::Member> learners;  // sorted by id
};

struct MemberFacts {
  std::set<ReplicaId> caught_up;  // learners that may get a vote
  std::set<ReplicaId> dead;       // voters that stay as learners
  ReplicaId leader;               // keeps its vote before others do
  std::uint32_t wanted = 3;       // copies
};

// The members after `move`: its source is gone; voters stay voters; the target, then the other
// learners caught up, get votes until the number wanted is reached, or the largest odd one below
// it. Only a move that sheds a copy leaves fewer voters than there were.
NextMembers MembersAfter(const MoveRecord& move, const consensus::Config& config,
                         const MemberFacts& facts);

}  // namespace decree::rebalance
