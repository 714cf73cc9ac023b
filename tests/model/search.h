// Searches through a model: every state, breadth first, so that the first violation has a shortest
// trace; or at random, for what is too large.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/model/model.h"

namespace decree::consensus::model {

struct SearchOptions {
  std::uint64_t max_states = 250'000'000;             // at 17 to 27 bytes each
  std::function<void(const std::string&)> progress;   // told of each depth
  std::function<std::string(const State&)> at_state;  // a check of the caller's; empty: all is well
};

struct SearchResult {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::size_t depth = 0;  // of the last state, or of the violation
  bool exhausted = false;
  std::string violation;
  std::vector<std::string> trace;  // to the violation
  std::string end;                 // the state it leads to
};

SearchResult SearchAll(Model& model, const SearchOptions& options);

struct WalkOptions {
  std::uint64_t seed = 1;
  std::uint64_t steps = 1'000'000;
  std::size_t length = 200;  // of a walk
};
SearchResult SearchAtRandom(Model& model, const WalkOptions& options);

}  // namespace decree::consensus::model
