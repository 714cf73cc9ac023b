// Who belongs to a shard, as its own log says. One configuration an epoch; a Seal ends an epoch.
// Within an epoch only learners come and go, and learners never count in a quorum.
#pragma once

#include <cstdint>
#include <vector>

#include "consensus/ballot.h"

namespace decree::consensus {

struct Member {
  ReplicaId id;
  NodeId node;
  auto operator<=>(const Member&) const = default;
  DECREE_FIELDS(id, node)
};

// The configuration as of a slot. It is part of the replicated state: a snapshot carries it.
struct Config {
  Epoch epoch;
  Slot start;                    // first slot of this epoch: 1, or the Seal's slot + 1
  std::vector<Member> voters;    // sorted by id; 1, 3 or 5
  std::vector<Member> learners;  // sorted by id
  MoveId ended_move;  // the highest move that ended in this shard (Seal or RemoveLearner)
  MoveId open_move;   // the move whose AddLearner is chosen and not yet ended; 0: none
  bool operator==(const Config&) const = default;
  DECREE_FIELDS(epoch, start, voters, learners, ended_move, open_move)

  bool IsVoter(ReplicaId id) const;
  bool IsLearner(ReplicaId id) const;
  const Member* Find(ReplicaId id) const;  // voters and learners
  std::size_t QuorumSize() const { return voters.size() / 2 + 1; }
};

struct Decree;
// Null if `decree` may be proposed under `config`, else a sentence that says why it never will fit.
// What is neither a membership decree nor a Seal always fits.
const char* WhyUnfit(const Config& config, const Decree& decree);

// The configuration after `decree` is chosen at `slot`. Decrees that do not fit (an ended move, an
// unknown learner) change nothing: every replica ignores them alike.
Config Advance(const Config& config, Slot slot, const Decree& decree);

}  // namespace decree::consensus
