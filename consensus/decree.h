// What a slot of a shard's log holds.
#pragma once

#include <cstdint>
#include <vector>

#include "consensus/ballot.h"
#include "consensus/membership.h"
#include "kv/base/codec.h"

namespace decree::consensus {

enum class DecreeKind : std::uint8_t {
  kNoOp = 0,
  kCommandBatch = 1,   // payload: an encoded CommandBatch; opaque to consensus
  kAddLearner = 2,     // move, member
  kRemoveLearner = 3,  // move, member
  kSeal = 4,           // move, next_voters, next_learners: ends epoch e, begins e+1
  kEpochStart =
      5,  // no fields: any two EpochStarts are the same value (design.md section 4, step 10)
  kMax = kEpochStart
};

struct Decree {
  DecreeKind kind = DecreeKind::kNoOp;
  Blob payload;
  MoveId move;
  Member member;
  std::vector<Member> next_voters;
  std::vector<Member> next_learners;
  DECREE_FIELDS(kind, payload, move, member, next_voters, next_learners)
};
bool operator==(const Decree& a, const Decree& b);  // compares payload bytes

// A vote: "in this ballot I accepted this decree at this slot".
struct Vote {
  Slot slot;
  Ballot ballot;
  Decree decree;
  DECREE_FIELDS(slot, ballot, decree)
};

struct ChosenDecree {
  Slot slot;
  Decree decree;
  DECREE_FIELDS(slot, decree)
};

}  // namespace decree::consensus
