// The planted bugs (kv/base/bug_list.h) that the model finds, each with the smallest scope known to
// show it. Only in a build that has them: model_bugs_test, or one configured with -DDECREE_BUGS=ON.
#pragma once

#include <vector>

#include "tests/model/search.h"

namespace decree::consensus::model {

struct PlantedCase {
  const char* bug = "";
  const char* scope = "";
  std::uint64_t bound = 0;     // states, or steps of a walk
  bool outcomes_only = false;  // shown by what it leads to, not by the rule that it breaks
  bool at_random = false;
  const char* violation = "";  // what the search must say: in the words of the model, not of seeds
};

const std::vector<PlantedCase>& PlantedCases();

// The search that has to find the bug; without one awake, that has to find nothing.
SearchResult SearchFor(const PlantedCase& planted);

}  // namespace decree::consensus::model
