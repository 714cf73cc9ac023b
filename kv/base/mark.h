// SOMETIMES(name) marks a rare path in product code. A long simulation fails if a mark is never
// reached: a test suite that does not get there proves nothing about the path. Each mark is listed
// from the start of the program, also if its line is never passed. One relaxed load when the mark
// was reached before.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <map>
#include <string>

namespace decree {

class Mark {
 public:
  explicit Mark(const char* name);  // registers itself; marks live as long as the process
  void Reach() {
    if (!reached_.load(std::memory_order_relaxed)) reached_.store(true, std::memory_order_relaxed);
  }
  bool reached() const { return reached_.load(std::memory_order_relaxed); }
  const char* name() const { return name_; }
  const Mark* next() const { return next_; }  // the mark registered before this one; null: none

 private:
  const char* name_;
  Mark* next_;
  std::atomic<bool> reached_{false};
};

// Every mark of the code linked into this process, with whether it was reached. Thread-safe.
std::map<std::string, bool> MarksReached();

namespace detail {

template <std::size_t kSize>
struct MarkName {
  constexpr MarkName(const char (&name)[kSize]) { std::copy_n(name, kSize, text); }
  char text[kSize];
};

// One mark a name. A static member that code names is made when the program starts, whether or not
// that code ever runs.
template <MarkName kName>
struct NamedMark {
  static inline Mark mark{kName.text};
};

}  // namespace detail
}  // namespace decree

#define SOMETIMES(name) ::decree::detail::NamedMark<#name>::mark.Reach()
