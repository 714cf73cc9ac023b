// decree-sim: whole clusters in a simulated world, one seed at a time. The same seed gives the same
// run.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
#include "tests/sim/campaign.h"

namespace decree::sim {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
  std::vector<std::uint64_t> seed;
  std::string seeds;
  std::uint64_t minutes = 0;
  std::uint64_t from = 0;
  std::size_t jobs = 0;
  std::string faults;
  std::string pretend;
  bool pretend_death = false;
  bool trace = false;
  std::string storage;
  bool twice = false;
  bool verbose = false;
  bool small = false;
  bool until_failed = false;
  std::string bug;
  bool bugs = false;
  bool no_shorten = false;
  bool require_marks = false;
  int report_to = -1;

  std::optional<Storage> tier() const {
    if (storage.empty()) return std::nullopt;
    return storage == "files" ? Storage::kFiles : Storage::kMemory;
  }
};

void AddOptions(CLI::App& app, Arguments& arguments) {
  app.add_option("--seed", arguments.seed, "run this seed (may be given several times)");
  app.add_option("--seeds", arguments.seeds, "run a range of seeds, A-B (default: 1-100)");
  app.add_option("--minutes", arguments.minutes, "run fresh seeds for this many minutes");
  app.add_option("--from", arguments.from,
                 "with --minutes: the first seed, instead of a fresh one");
  app.add_option("--jobs", arguments.jobs, "processes at a time (default: one a core)");
  app.add_option("--faults", arguments.faults,
                 "of the faults that the seed plans only these happen: 3,7,9 or none");
  app.add_option("--storage", arguments.storage,
                 "memory or files: force the tier of storage that a seed draws")
      ->check(CLI::IsMember({"memory", "files"}));
  app.add_flag("--trace", arguments.trace, "with --seed: print every event, in this process");
  app.add_flag("--twice", arguments.twice, "run every seed twice and compare, not one in fifty");
  app.add_flag("--small", arguments.small, "seconds instead of a minute: such seeds do not count");
  app.add_flag("--verbose", arguments.verbose, "a line for every seed");
  app.add_flag("--until-failed", arguments.until_failed,
               "end with the first seed that fails; a line for every seed");
  app.add_option("--bug", arguments.bug, "wake this planted bug (a build with DECREE_BUGS=ON)");
  app.add_flag("--bugs", arguments.bugs, "list the planted bugs");
  app.add_flag("--no-shorten", arguments.no_shorten, "do not look for the faults that matter");
  app.add_flag("--require-marks", arguments.require_marks, "fail if a mark is never reached");
  app.add_option("--pretend", arguments.pretend,
                 "count a run as failed if such a fault happens in it (crash, move...): tries out "
                 "what is printed then");
  app.add_flag("--pretend-death", arguments.pretend_death,
               "with --pretend: such a run takes its process with it");
  app.add_option("--report-to", arguments.report_to, "")->group("");  // our own children
}

// What a child process is to be told, too.
std::vector<std::string> CommonArguments(const Arguments& arguments) {
  std::vector<std::string> common;
  if (!arguments.pretend.empty()) common = {"--pretend", arguments.pretend};
  if (arguments.pretend_death) common.push_back("--pretend-death");
  if (arguments.small) common.push_back("--small");
  if (!arguments.storage.empty()) {
    common.insert(common.end(), {"--storage", arguments.storage});
  }
  if (!arguments.bug.empty()) common.insert(common.end(), {"--bug", arguments.bug});
  return common;
}

RunOptions OptionsOf(const Arguments& arguments, const std::optional<FaultNumbers>& faults) {
  return {.trace = arguments.trace,
          .small = arguments.small,
          .storage = arguments.tier(),
          .faults = faults};
}

SeedReport RunHere(const Arguments& arguments, std::uint64_t seed,
                   const std::optional<FaultNumbers>& faults) {
  RunOptions options = OptionsOf(arguments, faults);
  options.seed = seed;
  SeedReport report = RunSeed(options);
  report.marks = MarksReached();
  if (report.faults.contains(arguments.pretend)) {
    if (arguments.pretend_death) std::abort();
    report.failures.push_back("pretended: " + arguments.pretend + " happened");
  }
  return report;
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

std::uint64_t FreshSeed() {
  std::random_device device;
  return ((std::uint64_t{device()} << 32) | device()) >> 20;
}

bool ParseRange(const std::string& text, std::uint64_t* first, std::uint64_t* last) {
  unsigned long long a = 0;
  unsigned long long b = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%llu-%llu%c", &a, &b, &rest) != 2 || a > b) return false;
  *first = a;
  *last = b;
  return true;
}

using Next = std::function<std::optional<std::uint64_t>()>;

Next SeedsOf(const Arguments& arguments, std::uint64_t first, std::uint64_t last) {
  if (!arguments.seed.empty()) {
    return [left = arguments.seed]() mutable -> std::optional<std::uint64_t> {
      if (left.empty()) return std::nullopt;
      const std::uint64_t seed = left.front();
      left.erase(left.begin());
      return seed;
    };
  }
  if (arguments.minutes == 0) {
    return [first, last]() mutable -> std::optional<std::uint64_t> {
      return first <= last ? std::optional(first++) : std::nullopt;
    };
  }
  std::uint64_t seed = arguments.from != 0 ? arguments.from : FreshSeed();
  std::printf("seeds from %llu\n", static_cast<unsigned long long>(seed));
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(arguments.minutes);
  return [seed, end]() mutable -> std::optional<std::uint64_t> {
    if (std::chrono::steady_clock::now() >= end) return std::nullopt;
    return seed++;
  };
}

int RunCampaign(const Arguments& arguments, const std::optional<FaultNumbers>& faults,
                const Next& next) {
  CampaignOptions options;
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  options.jobs = arguments.jobs != 0 ? arguments.jobs : cores;
  options.verbose = arguments.verbose || arguments.until_failed || !arguments.seed.empty();
  options.until_failed = arguments.until_failed;
  options.twice = arguments.twice;
  if (arguments.no_shorten || arguments.until_failed) options.shorten_runs = 0;
  options.run = OptionsOf(arguments, faults);
  options.common = CommonArguments(arguments);
  Campaign campaign(std::move(options));
  campaign.Run(next);
  const Totals& totals = campaign.totals();
  std::printf("\n%s", totals.Table().c_str());
  const bool marks_missing = arguments.require_marks && !totals.AllMarksReached();
  if (marks_missing) std::printf("a mark was never reached\n");
  const std::string starved = totals.Starved();
  if (!starved.empty()) std::printf("a checker compared nothing: %s\n", starved.c_str());
  std::printf("%s\n", totals.Line().c_str());
  return totals.failed() > 0 || marks_missing || !starved.empty() ? kFailed : 0;
}

int RunAll(const Arguments& arguments) {
  if (arguments.bugs) return PrintBugs(), 0;
  if (!WakeBug(arguments.bug)) return kUsage;
  std::optional<FaultNumbers> faults;
  if (!arguments.faults.empty()) {
    faults = ParseFaultNumbers(arguments.faults);
    if (!faults) return std::fprintf(stderr, "--faults wants a list such as 3,7,9\n"), kUsage;
  }
  if (arguments.report_to >= 0 && arguments.seed.size() == 1) {
    SendReport(RunHere(arguments, arguments.seed.front(), faults), arguments.report_to);
    return 0;
  }
  if (arguments.trace && arguments.seed.size() == 1) {
    const SeedReport report = RunHere(arguments, arguments.seed.front(), faults);
    std::printf("%s", Describe(report).c_str());
    return report.ok() ? 0 : kFailed;
  }
  if (arguments.trace) return std::fprintf(stderr, "--trace wants one --seed\n"), kUsage;
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  if (!arguments.seeds.empty() && !ParseRange(arguments.seeds, &first, &last)) {
    return std::fprintf(stderr, "--seeds wants a range such as 1-100\n"), kUsage;
  }
  return RunCampaign(arguments, faults, SeedsOf(arguments, first, last));
}

}  // namespace
}  // namespace decree::sim

int main(int argc, char** argv) {
  decree::sim::Arguments arguments;
  CLI::App app("Runs whole Decree clusters in a deterministic simulated world.", "decree-sim");
  decree::sim::AddOptions(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : decree::sim::kUsage;
  }
  return decree::sim::RunAll(arguments);
}
