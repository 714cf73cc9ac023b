#include "tests/sim/campaign.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>

namespace decree::sim {
namespace {

constexpr std::uint64_t kTwiceEvery = 50;     // 2 % of the seeds
constexpr std::uint64_t kProgressEvery = 50;  // seeds
constexpr const char* kApart = "two processes ran this seed apart: the traces part ";

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string WithoutNumbers(const std::string& text) {
  std::string words;
  for (const char c : text) {
    if (!std::isdigit(static_cast<unsigned char>(c))) words.push_back(c);
  }
  return words;
}

FaultNumbers NumbersOf(const FaultPlan& plan) {
  FaultNumbers numbers;
  for (const PlannedFault& fault : plan) numbers.insert(fault.number);
  return numbers;
}

}  // namespace

std::string WhereTheyPart(const SeedReport& one, const SeedReport& other) {
  const std::size_t common = std::min(one.checkpoints.size(), other.checkpoints.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (one.checkpoints[i] == other.checkpoints[i]) continue;
    return "between events " + std::to_string(i * World::kCheckpointEvents) + " and " +
           std::to_string((i + 1) * World::kCheckpointEvents);
  }
  if (one.digest == other.digest && one.events == other.events) return "";
  return "after event " + std::to_string(common * World::kCheckpointEvents);
}

bool SameFailure(const SeedReport& first, const SeedReport& second) {
  if (first.ok()) return false;
  const std::string words = WithoutNumbers(first.failures.front());
  return std::any_of(second.failures.begin(), second.failures.end(),
                     [&](const std::string& failure) { return WithoutNumbers(failure) == words; });
}

void Campaign::Run(const std::function<std::optional<std::uint64_t>()>& next) {
  for (bool more = true; more || processes_.running() > 0;) {
    more = more && !(options_.until_failed && totals_.failed() > 0);
    while (more && processes_.running() < options_.jobs) {
      const std::optional<std::uint64_t> seed = next();
      more = seed.has_value();
      if (more) Start(*seed);
    }
    if (processes_.running() > 0) processes_.WaitForOne();
  }
  ShortenFailures();
}

void Campaign::Start(std::uint64_t seed) {
  const SeedJob job{seed, options_.run.faults};
  if (!options_.twice && seed % kTwiceEvery != 0) {
    return processes_.Start(job, [this](SeedReport report) { Finish(std::move(report)); });
  }
  auto first = std::make_shared<std::optional<SeedReport>>();
  const auto done = [this, first](SeedReport report) {
    if (!*first) {
      *first = std::move(report);
      return;
    }
    const std::string parts = WhereTheyPart(**first, report);
    if (!parts.empty()) {
      (*first)->failures.push_back(kApart + parts);
    }
    Finish(std::move(**first));
  };
  processes_.Start(job, done);
  processes_.Start(job, done);
}

void Campaign::Finish(SeedReport report) {
  totals_.Add(report);
  if (!report.ok() || options_.verbose) Print(Describe(report));
  if (!report.ok()) {
    // One process cannot show it, nor can a shorter schedule that one process runs.
    const bool apart = report.failures.front().starts_with(kApart);
    Print("     replay: " + ReplayOf(report.seed, options_.run.faults) +
          (apart ? " --twice\n" : " --trace\n"));
    if (!apart && failed_.size() < options_.shorten_seeds) failed_.push_back(std::move(report));
  }
  if (!options_.verbose && totals_.seeds() % kProgressEvery == 0) {
    Print("... " + totals_.Line() + "\n");
  }
}

void Campaign::ShortenFailures() {
  if (options_.shorten_runs == 0) return;
  for (const SeedReport& report : failed_) {
    const FaultPlan plan = PlanOfFailure(report);
    if (!plan.empty()) ShortenFailure(report, plan);
  }
}

// A process that died told none.
FaultPlan Campaign::PlanOfFailure(const SeedReport& report) const {
  if (!report.plan.empty()) return report.plan;
  RunOptions run = options_.run;
  run.seed = report.seed;
  return PlanOf(run);
}

void Campaign::ShortenFailure(const SeedReport& report, const FaultPlan& plan) {
  const auto fails = [&](const FaultNumbers& some) {
    return SameFailure(report, processes_.Run({report.seed, some}));
  };
  const Shortened found = Shorten(NumbersOf(plan), fails, options_.shorten_runs);
  std::string text = "seed " + std::to_string(report.seed) + " fails with " +
                     std::to_string(found.kept.size()) + " of its " + std::to_string(plan.size()) +
                     " faults (" + std::to_string(found.runs) + " runs" +
                     (found.minimal ? "" : ", not yet the fewest") + "):\n";
  for (const PlannedFault& fault : Subset(plan, found.kept)) {
    text += "     " + Describe(fault) + "\n";
  }
  Print(text + "     replay: " + ReplayOf(report.seed, found.kept) + " --trace\n");
}

std::string Campaign::ReplayOf(std::uint64_t seed,
                               const std::optional<FaultNumbers>& faults) const {
  std::string command = "decree-sim --seed " + std::to_string(seed);
  if (faults) command += " --faults " + ListOf(*faults);
  for (const std::string& argument : options_.common) command += " " + argument;
  return command;
}

}  // namespace decree::sim
