#include "tests/sim/totals.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "tests/consensus/random_marks.h"

namespace decree::sim {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

constexpr std::uint64_t kSeedsToCompare = 100;

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

unsigned long long Wide(std::uint64_t number) { return number; }

std::string Listed(const Counts& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(count);
  }
  return text.empty() ? "-" : text;
}

std::string Rows(const char* title, const Counts& counts) {
  std::string text = std::string(title) + "\n";
  for (const auto& [name, count] : counts) {
    text += Format("  %-28s %12llu\n", name.c_str(), Wide(count));
  }
  return text;
}

bool IsShownByRandomTest(const std::string& mark) {
  const auto& marks = consensus::testing::kMarksOfBareReplicas;
  return std::find(marks.begin(), marks.end(), mark) != marks.end();
}

void AddTo(Counts& sums, const Counts& counts) {
  for (const auto& [name, count] : counts) sums[name] += count;
}

}  // namespace

void Totals::Add(const SeedReport& report) {
  ++seeds_;
  failed_ += !report.ok();
  broken_seeds_ += report.broken > 0;
  broken_machines_ += report.broken;
  counted_ += report.ok() && report.counts();
  events_ += report.events;
  simulated_ += report.simulated;
  operations_.called += report.operations.called;
  operations_.ok += report.operations.ok;
  operations_.condition_failed += report.operations.condition_failed;
  operations_.refused += report.operations.refused;
  operations_.unknown += report.operations.unknown;
  ++tiers_[report.storage == Storage::kFiles ? "files" : "memory"];
  AddTo(faults_, report.faults);
  AddTo(moves_, report.moves);
  AddTo(compared_, report.compared);
  for (const auto& [stage, count] : report.moves) moves_started_ += count;
  for (const auto& [name, reached] : report.marks) marks_[name] |= reached;
}

bool Totals::AllMarksReached() const {
  for (const auto& [name, reached] : marks_) {
    if (!reached && !IsShownByRandomTest(name)) return false;
  }
  return !marks_.empty();
}

std::string Totals::Starved() const {
  if (seeds_ < kSeedsToCompare) return "";
  for (const auto& [what, count] : compared_) {
    if (count == 0) return what;
  }
  return compared_.empty() ? "everything" : "";
}

std::string Totals::Table() const {
  const Counts operations{{"ok", operations_.ok},
                          {"condition failed", operations_.condition_failed},
                          {"refused", operations_.refused},
                          {"open for ever", operations_.unknown}};
  Counts marks;
  std::string never;
  for (const auto& [name, reached] : marks_) {
    const bool elsewhere = !reached && IsShownByRandomTest(name);
    ++marks[reached ? "reached" : elsewhere ? "shown by random_test" : "never"];
    if (!reached && !elsewhere) never += "  NEVER " + name + "\n";
  }
  return Rows("seeds, by storage", tiers_) + Rows("faults", faults_) +
         Rows("moves, by last stage", moves_) + Rows("operations", operations) +
         Rows("compared", compared_) + Rows("marks", marks) + never +
         Format("ended with a broken minority: %llu, of %llu machines\nevents: %llu\n",
                Wide(broken_seeds_), Wide(broken_machines_), Wide(events_));
}

std::string Totals::Line() const {
  return Format(
      "seeds %llu, failed %llu, simulated hours %.2f, operations %llu, moves %llu, counted %llu",
      Wide(seeds_), Wide(failed_), static_cast<double>(simulated_) / kSeconds / 3600,
      Wide(operations_.called), Wide(moves_started_), Wide(counted_));
}

std::string Describe(const SeedReport& report) {
  std::string text = Format(
      "%-4s seed %llu  %.1f s  nodes %u  shards %u  events %llu  operations %llu (ok %llu, "
      "unknown %llu)",
      report.ok() ? "ok" : "FAIL", Wide(report.seed),
      static_cast<double>(report.simulated) / kSeconds, report.machines, report.shards,
      Wide(report.events), Wide(report.operations.called), Wide(report.operations.ok),
      Wide(report.operations.unknown));
  text += "  moves " + Listed(report.moves) + "  faults " + Listed(report.faults) +
          Format("  digest %016llx\n", Wide(report.digest));
  for (const std::string& failure : report.failures) text += "     " + failure + "\n";
  return text;
}

}  // namespace decree::sim
