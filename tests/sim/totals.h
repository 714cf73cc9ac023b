// What many seeds come to: the table at the end of decree-sim.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/seed_run.h"

namespace decree::sim {

class Totals {
 public:
  void Add(const SeedReport& report);
  std::uint64_t seeds() const { return seeds_; }
  std::uint64_t failed() const { return failed_; }
  bool AllMarksReached() const;
  // A checker that compared nothing in a hundred seeds proves nothing. Which; empty: none.
  std::string Starved() const;
  std::string Table() const;
  // "seeds N, failed F, simulated hours H, operations O, moves M, counted C"
  std::string Line() const;

 private:
  std::uint64_t seeds_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t counted_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t moves_started_ = 0;
  std::uint64_t broken_seeds_ = 0;
  std::uint64_t broken_machines_ = 0;
  Nanos simulated_ = 0;
  HistoryCounts operations_;
  std::map<std::string, std::uint64_t> tiers_;  // of storage
  std::map<std::string, std::uint64_t> faults_;
  std::map<std::string, std::uint64_t> moves_;
  std::map<std::string, std::uint64_t> compared_;
  std::map<std::string, bool> marks_;
};

// One line for a seed that went well; for one that failed, also what failed.
std::string Describe(const SeedReport& report);

}  // namespace decree::sim
