// Planted bugs: each breaks one rule of the design on purpose, in one place of product code, so
// that the simulator can show that it would notice (scripts/mutants.sh). A build has them only with
// -DDECREE_BUGS=ON, and then at most one is awake, chosen at run time. In every other build each is
// the constant false, and the compiler removes what it guards.
//
//   if (DECREE_BUG_REPLY_BEFORE_FSYNC) ...
#pragma once

#include <string_view>
#include <vector>

#include "kv/base/bug_list.h"

namespace decree {

struct PlantedBug {
  std::string_view name;   // DECREE_BUG_<name>
  std::string_view area;   // consensus, seal, reads, lease, log, snapshot, session, move, placement
  std::string_view where;  // the files that hold it, separated by spaces
  std::string_view what;   // the rule it breaks
};

const std::vector<PlantedBug>& PlantedBugs();

// Wakes this bug and no other; an empty name: none. False: no such bug, or a build without bugs.
// Before threads are started: nothing guards the choice.
bool ChooseBug(std::string_view name);

#ifdef DECREE_BUGS
inline constexpr bool kBugsPlanted = true;

namespace detail {

enum BugNumber : int {
  kNoBug,
#define DECREE_BUG_NUMBER(name, area, where, what) kBug_##name,
  DECREE_BUG_LIST(DECREE_BUG_NUMBER)
#undef DECREE_BUG_NUMBER
};

extern int chosen_bug;

template <int kNumber>
struct Bug {
  operator bool() const { return chosen_bug == kNumber; }
};

}  // namespace detail

#define DECREE_BUG_DEFINE(name, area, where, what) \
  inline constexpr detail::Bug<detail::kBug_##name> DECREE_BUG_##name{};
#else
inline constexpr bool kBugsPlanted = false;

#define DECREE_BUG_DEFINE(name, area, where, what) inline constexpr bool DECREE_BUG_##name = false;
#endif

DECREE_BUG_LIST(DECREE_BUG_DEFINE)
#undef DECREE_BUG_DEFINE

}  // namespace decree
