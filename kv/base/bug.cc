#include "kv/base/bug.h"

namespace decree {

const std::vector<PlantedBug>& PlantedBugs() {
#define DECREE_BUG_ROW(name, area, where, what) {#name, area, where, what},
  static const std::vector<PlantedBug> bugs = {DECREE_BUG_LIST(DECREE_BUG_ROW)};
#undef DECREE_BUG_ROW
  return bugs;
}

#ifdef DECREE_BUGS
int detail::chosen_bug = detail::kNoBug;

bool ChooseBug(std::string_view name) {
  const std::vector<PlantedBug>& bugs = PlantedBugs();
  for (std::size_t i = 0; i < bugs.size(); ++i) {
    if (bugs[i].name != name) continue;
    detail::chosen_bug = static_cast<int>(i) + 1;
    return true;
  }
  if (name.empty()) detail::chosen_bug = detail::kNoBug;
  return name.empty();
}
#else
bool ChooseBug(std::string_view name) { return name.empty(); }
#endif

}  // namespace decree
