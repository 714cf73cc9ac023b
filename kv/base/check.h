// CHECK states what must be true if our own code is right. It stays on in release builds. A failure
// throws CheckFailure, which unwinds to the worker's loop: the node stops, sends and persists
// nothing more, and calls on_fatal. Bad input, full disks and lying peers are errors, not CHECKs.
#pragma once

#include <stdexcept>
#include <string>

namespace decree {

class CheckFailure : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void FailCheck(const char* condition, const char* file, int line,
                            const std::string& detail = {});

}  // namespace decree

#define DECREE_CHECK(condition)                            \
  do {                                                     \
    if (!(condition)) [[unlikely]]                         \
      ::decree::FailCheck(#condition, __FILE__, __LINE__); \
  } while (false)

#define DECREE_CHECK_MSG(condition, detail)                          \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::decree::FailCheck(#condition, __FILE__, __LINE__, (detail)); \
  } while (false)
