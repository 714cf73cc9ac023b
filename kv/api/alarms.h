// Alarms of many operations over an executor that knows no cancellation: one alarm an operation,
// and one waiting task for the earliest of all, so that an operation that ends early leaves nothing
// behind. Single-threaded; the callback never runs inside a call of Set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "kv/base/executor.h"

namespace decree {

class Alarms : public std::enable_shared_from_this<Alarms> {
 public:
  Alarms(Executor& executor, std::function<void(std::uint64_t id)> ring)
      : executor_(executor), ring_(std::move(ring)) {}

  void Set(std::uint64_t id, Instant when);  // replaces the alarm of this id
  void Clear(std::uint64_t id);
  void Stop();  // nothing rings any more

 private:
  void Arm();
  void OnTimer(std::uint64_t generation);

  Executor& executor_;
  std::function<void(std::uint64_t)> ring_;
  std::set<std::pair<Instant, std::uint64_t>> order_;
  std::unordered_map<std::uint64_t, Instant> when_;
  Instant armed_ = kNever;
  std::uint64_t generation_ = 0;  // of the waiting task that counts
};

}  // namespace decree
