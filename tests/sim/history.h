// What clients asked and were told, for the checkers.
#pragma once

#include <cstdint>
#include <deque>
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
  DECREE_FIELDS(called, ok, condition_failed, refused, unknown)
};

class History {
 public:
  explicit History(World& world) : world_(world) {}

  // A handle for Answered. An operation that is never answered stays open.
  //   A stale read is held to one thing: what it returns was put into that key, with that version.
  //   A page of a shard counts as a read of each of `keys`, all of which belong to that shard.
  std::uint64_t Called(const Operation& operation, const std::string& who,
                       const std::vector<std::string>& keys = {});
  // Counts the operation; somebody else judges it.
  std::uint64_t Counted(const Operation& operation, const std::string& who);
  void Answered(std::uint64_t handle, const OperationResult& result);

  // Checks every key; failures go to the world.
  void Check();
  const HistoryCounts& counts() const { return counts_; }
  std::uint64_t judged() const { return judged_; }  // operations of keys, by Check
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
    bool stale = false;
    bool scan = false;
    std::size_t limit = 0;  // scan: rows of a page
    bool counted_only = false;
    std::vector<std::uint64_t> page;  // the reads that a scan stands for
    bool dropped = false;             // known to have had no effect, and to say nothing
  };

  void Settle(Entry& entry, const OperationResult& result);
  void JudgePage(const Entry& scan, const OperationResult& result);
  void SettlePage(const Entry& scan, const OperationResult& result);
  void JudgeStale(const Entry& entry, const OperationResult& result);

  World& world_;
  std::deque<Entry> entries_;
  std::map<std::string, std::uint64_t> puts_;  // which entry put a value
  HistoryCounts counts_;
  std::uint64_t judged_ = 0;
  std::map<std::string, Seen> seen_;
};

}  // namespace decree::sim
