// The network of the model: every message ever sent stays deliverable, at any later time, any
// number of times or never. That is loss, delay, repetition and change of order at once. What can
// have no effect any more is taken out, so that states that differ in nothing else are one.
#pragma once

#include <vector>

#include "tests/consensus/manual_cluster.h"
#include "tests/model/local.h"

namespace decree::consensus::model {

using testing::Packet;

// What leaves `from` as the model carries it: nothing if it is left out (polls, refusals, Learn,
// Sealed: their effects are events of their own), several messages if an Accept is cut to one slot
// each.
std::vector<Message> Shaped(const Outgoing& out, const Replica& from, const Scope& scope);

// What survives of a replica whatever happens to it from here on.
struct Floor {
  Ballot promised;
  Epoch epoch;
  Slot chosen;
};
Floor FloorOf(const Local& local, const World& world);

// `packet` can never change its receiver again, nor make it say something new.
bool IsDead(const Packet& packet, const Local& to, const Floor& floor);

}  // namespace decree::consensus::model
