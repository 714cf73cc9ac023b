// SOMETIMES(name) marks a rare path in product code. A long simulation fails if a mark is never
// reached: a test suite that does not get there proves nothing about the path. One relaxed load
// when the mark was reached before.
#pragma once

#include <atomic>
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

// Every mark seen by this process so far, with whether it was reached. Thread-safe.
std::map<std::string, bool> MarksReached();

}  // namespace decree

#define SOMETIMES(name)                       \
  do {                                        \
    static ::decree::Mark decree_mark(#name); \
    decree_mark.Reach();                      \
  } while (false)
