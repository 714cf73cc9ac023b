// Many seeds, each in a process of its own: runs them, runs a share of them twice, shortens what
// fails, and sums up.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/seed_process.h"
#include "tests/sim/totals.h"

namespace decree::sim {

struct CampaignOptions {
  std::size_t jobs = 1;
  bool verbose = false;
  bool until_failed = false;
  bool twice = false;             // every seed, not one of fifty
  std::size_t shorten_runs = 48;  // at most so many to shorten one failure; 0: do not
  std::size_t shorten_seeds = 3;  // of the failures, at most so many are shortened
  RunOptions run;                 // of every seed: its seed is left out, faults given hold for all
  std::vector<std::string> common;  // the same and more, as arguments for every child
};

class Campaign {
 public:
  explicit Campaign(CampaignOptions options)
      : options_(std::move(options)), processes_(options_.common) {}

  // `next` gives one seed after another; none: there are no more.
  void Run(const std::function<std::optional<std::uint64_t>()>& next);
  const Totals& totals() const { return totals_; }

 private:
  void Start(std::uint64_t seed);
  void Finish(SeedReport report);
  void ShortenFailures();
  void ShortenFailure(const SeedReport& report, const FaultPlan& plan);
  FaultPlan PlanOfFailure(const SeedReport& report) const;
  std::string ReplayOf(std::uint64_t seed, const std::optional<FaultNumbers>& faults) const;

  const CampaignOptions options_;
  SeedProcesses processes_;
  Totals totals_;
  std::vector<SeedReport> failed_;  // to be shortened
};

// Where the traces of two runs of one seed part; empty: nowhere.
std::string WhereTheyPart(const SeedReport& one, const SeedReport& other);
// Whether the second is the first's failure over again: its words, whatever the numbers in them.
bool SameFailure(const SeedReport& first, const SeedReport& second);

}  // namespace decree::sim
