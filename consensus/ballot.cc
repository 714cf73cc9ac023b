#include "consensus/ballot.h"

namespace decree::consensus {

std::string ToString(const Ballot& ballot) {
  return ToString(ballot.epoch) + "." + std::to_string(ballot.round) + "." +
         ToString(ballot.replica);
}

}  // namespace decree::consensus
