#include "kv/base/mark.h"

namespace decree {
namespace {

// A list without locks: marks are added at its head and never leave. Constant-initialised, so that
// a mark in another file's static initialiser finds it ready.
constinit std::atomic<Mark*> newest_mark{nullptr};

}  // namespace

Mark::Mark(const char* name) : name_(name), next_(newest_mark.load(std::memory_order_relaxed)) {
  while (!newest_mark.compare_exchange_weak(next_, this, std::memory_order_release,
                                            std::memory_order_relaxed)) {
  }
}

std::map<std::string, bool> MarksReached() {
  std::map<std::string, bool> marks;
  const Mark* mark = newest_mark.load(std::memory_order_acquire);
  // Two places may share a name (a template, an inline function): either of them counts.
  for (; mark != nullptr; mark = mark->next()) marks[mark->name()] |= mark->reached();
  return marks;
}

}  // namespace decree
