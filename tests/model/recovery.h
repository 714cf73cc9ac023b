// From every state there is a way on: whatever has happened, once what is still alive can talk
// again (all messages under way being lost), it elects a leader and chooses a new command, in time,
// and nothing that was chosen changes. Here timers and clocks run as in the product.
#pragma once

#include <set>
#include <string>

#include "tests/model/model.h"

namespace decree::consensus::model {

// Empty if the replicas that are not in `dead` (indexes) recover, else what went wrong.
std::string WhyNotRecovered(const Model& model, const State& state,
                            const std::set<std::size_t>& dead);

// All of them alive, and each one of them dead.
std::string WhyNotRecovered(const Model& model, const State& state);

}  // namespace decree::consensus::model
