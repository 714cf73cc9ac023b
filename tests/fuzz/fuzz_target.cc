#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {

std::vector<Target>& Targets() {
  static std::vector<Target> targets;  // registrations of other files come before main()
  return targets;
}

}  // namespace decree::fuzz
