// decree-sim: whole clusters in a simulated world, one seed at a time. The same seed gives the same
// run.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
#include "tests/sim/seed_run.h"

namespace decree::sim {
namespace {

struct Arguments {
  std::vector<std::uint64_t> seed;
  std::string seeds;
  std::uint64_t minutes = 0;
  bool trace = false;
  bool twice = false;
  bool small = false;
  bool until_failed = false;
  std::string bug;
  bool bugs = false;
};

struct Totals {
  std::uint64_t seeds = 0;
  std::uint64_t failed = 0;
  std::uint64_t counted = 0;
  std::uint64_t events = 0;
  Nanos simulated = 0;
  HistoryCounts operations;
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> moves;
};

std::string Listed(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(count);
  }
  return text.empty() ? "-" : text;
}

unsigned long long Wide(std::uint64_t number) { return number; }

void PrintSeed(const SeedReport& report) {
  std::printf(
      "%-4s seed %llu  %.1f s  nodes %u  shards %u  events %llu  operations %llu"
      " (ok %llu, condition %llu, refused %llu, unknown %llu)  moves %s  faults %s"
      "  digest %016llx\n",
      report.ok() ? "ok" : "FAIL", Wide(report.seed),
      static_cast<double>(report.simulated) / kSeconds, report.machines, report.shards,
      Wide(report.events), Wide(report.operations.called), Wide(report.operations.ok),
      Wide(report.operations.condition_failed), Wide(report.operations.refused),
      Wide(report.operations.unknown), Listed(report.moves).c_str(), Listed(report.faults).c_str(),
      Wide(report.digest));
  for (const std::string& failure : report.failures) std::printf("     %s\n", failure.c_str());
  if (!report.counts()) std::printf("     does not count: %s\n", report.Shortfall().c_str());
  if (!report.ok()) std::printf("     replay: decree-sim --seed %llu --trace\n", Wide(report.seed));
  std::fflush(stdout);
}

void Add(Totals& totals, const SeedReport& report) {
  ++totals.seeds;
  totals.failed += !report.ok();
  totals.counted += report.counts();
  totals.events += report.events;
  totals.simulated += report.simulated;
  totals.operations.called += report.operations.called;
  totals.operations.ok += report.operations.ok;
  totals.operations.unknown += report.operations.unknown;
  for (const auto& [name, count] : report.faults) totals.faults[name] += count;
  for (const auto& [name, count] : report.moves) totals.moves[name] += count;
}

void PrintTotals(const Totals& totals) {
  std::printf("\nseeds %llu, failed %llu, counted %llu, simulated %.0f s, events %llu\n",
              Wide(totals.seeds), Wide(totals.failed), Wide(totals.counted),
              static_cast<double>(totals.simulated) / kSeconds, Wide(totals.events));
  std::printf("operations %llu (ok %llu, unknown %llu)\n", Wide(totals.operations.called),
              Wide(totals.operations.ok), Wide(totals.operations.unknown));
  std::printf("moves: %s\nfaults: %s\nmarks:\n", Listed(totals.moves).c_str(),
              Listed(totals.faults).c_str());
  for (const auto& [name, reached] : MarksReached()) {
    std::printf("  %-8s %s\n", reached ? "reached" : "NEVER", name.c_str());
  }
}

bool RunOne(const Arguments& arguments, std::uint64_t seed, Totals& totals) {
  SeedReport report = RunSeed({.seed = seed, .trace = arguments.trace, .small = arguments.small});
  // One seed of fifty is run again: nothing outside the seed may have a say.
  if (arguments.twice || seed % 50 == 0) {
    if (const SeedReport again = RunSeed({.seed = seed, .small = arguments.small});
        again.digest != report.digest) {
      report.failures.push_back("the second run of the seed went another way");
    }
  }
  PrintSeed(report);
  Add(totals, report);
  return report.ok();
}

void PrintBugs() {
  for (const PlantedBug& bug : PlantedBugs()) {
    std::printf("%-28s %-10s %s\n", std::string(bug.name).c_str(), std::string(bug.area).c_str(),
                std::string(bug.what).c_str());
  }
}

bool WakeBug(const std::string& name) {
  if (ChooseBug(name)) return true;
  if (kBugsPlanted) {
    std::fprintf(stderr, "there is no planted bug %s: see --bugs\n", name.c_str());
  } else {
    std::fprintf(stderr,
                 "this build has no planted bugs; they are in the one made by\n"
                 "  cmake --preset bugs && cmake --build --preset bugs\n");
  }
  return false;
}

bool ParseRange(const std::string& text, std::uint64_t* first, std::uint64_t* last) {
  unsigned long long a = 0;
  unsigned long long b = 0;
  if (std::sscanf(text.c_str(), "%llu-%llu", &a, &b) != 2 || a > b) return false;
  *first = a;
  *last = b;
  return true;
}

int RunAll(const Arguments& arguments) {
  Totals totals;
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  if (!arguments.seeds.empty() && !ParseRange(arguments.seeds, &first, &last)) {
    std::fprintf(stderr, "--seeds wants a range such as 1-100\n");
    return 2;
  }
  if (!WakeBug(arguments.bug)) return 2;
  const auto over = [&] { return arguments.until_failed && totals.failed > 0; };
  for (const std::uint64_t seed : arguments.seed) RunOne(arguments, seed, totals);
  if (arguments.seed.empty()) {
    // Minutes of processor time, so that a busy machine does not run fewer seeds.
    const auto limit = static_cast<std::clock_t>(arguments.minutes * 60) * CLOCKS_PER_SEC;
    for (std::uint64_t seed = first;
         !over() && (arguments.minutes ? std::clock() < limit : seed <= last); ++seed) {
      RunOne(arguments, seed, totals);
    }
  }
  PrintTotals(totals);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace decree::sim

int main(int argc, char** argv) {
  decree::sim::Arguments arguments;
  CLI::App app("Runs whole Decree clusters in a deterministic simulated world.", "decree-sim");
  app.add_option("--seed", arguments.seed, "run these seeds");
  app.add_option("--seeds", arguments.seeds, "run a range of seeds, A-B (default 1-100)");
  app.add_option("--minutes", arguments.minutes,
                 "run seeds for this many minutes of processor time");
  app.add_flag("--trace", arguments.trace, "print every event");
  app.add_flag("--small", arguments.small, "seconds instead of a minute: such seeds do not count");
  app.add_flag("--twice", arguments.twice, "run every seed twice and compare");
  app.add_flag("--until-failed", arguments.until_failed, "end with the first seed that fails");
  app.add_option("--bug", arguments.bug, "wake this planted bug (a build with DECREE_BUGS=ON)");
  app.add_flag("--bugs", arguments.bugs, "list the planted bugs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (arguments.bugs) {
    decree::sim::PrintBugs();
    return 0;
  }
  return decree::sim::RunAll(arguments);
}
