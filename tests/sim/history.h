// What clients asked and were told, for the checkers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kv/api/caller.h"
#include "tests/linearizability/checker.h"
#include "tests/sim/world.h"

namespace decree::sim {

struct HistoryCounts {
  std::uint64_t called = 0;
  std::uint64_t ok = 0;
  std::uint64_t condition_failed = 0;
  std::uint64_t refused = 0;  // certainly without effect
  std::uint64_t unknown = 0;
};

class History {
 public:
  explicit History(World& world) : world_(world) {}

  // A handle for Answered. An operation that is never answered stays open.
  std::uint64_t Called(const Operation& operation, const std::string& who);
  void Answered(std::uint64_t handle, const OperationResult& result);

  // Checks every key; failures go to the world.
  void Check();
  const HistoryCounts& counts() const { return counts_; }
  // The last value and version known of a key, for conditional writes.
  struct Seen {
    std::string value;
    std::uint64_t version = 0;
  };
  const Seen& seen(const std::string& key) { return seen_[key]; }

 private:
  struct Entry {
    std::string key;
    linearizability::Operation operation;
    bool settled = false;
    bool dropped = false;  // known to have had no effect, and to say nothing
  };

  void Settle(Entry& entry, const OperationResult& result);

  World& world_;
  std::vector<Entry> entries_;
  HistoryCounts counts_;
  std::map<std::string, Seen> seen_;
};

}  // namespace decree::sim
