// model-check: searches every state of a scope of the consensus core.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "kv/base/bug.h"
#include "kv/base/check.h"
#include "tests/model/planted.h"
#include "tests/model/recovery.h"
#include "tests/model/search.h"

namespace decree::consensus::model {
namespace {

struct Arguments {
  std::string scope;
  std::string bug;
  bool list = false;
  bool bugs = false;
  bool outcomes_only = false;
  bool trace = false;
  bool progress = false;
  std::uint64_t max_states = SearchOptions{}.max_states;
  std::uint64_t walk = 0;
  std::uint64_t recover = 0;
  std::uint64_t seed = 1;
};

void List() {
  for (const Scope& scope : Scopes()) {
    std::printf("%-16s %s\n", scope.name.c_str(), scope.about.c_str());
  }
}

void Print(const Scope& scope, const SearchResult& result, double seconds, const Arguments& args) {
  std::printf("%-16s states %llu  steps %llu  depth %zu  %.1f s  %.0f states/s  %s\n",
              scope.name.c_str(), static_cast<unsigned long long>(result.states),
              static_cast<unsigned long long>(result.steps), result.depth, seconds,
              static_cast<double>(result.states) / seconds,
              !result.violation.empty() ? "VIOLATION"
              : result.exhausted        ? "exhausted, no violation"
                                        : "bounded, no violation");
  if (result.violation.empty()) return;
  std::printf("  %s\n", result.violation.c_str());
  if (!args.trace) return;
  std::size_t number = 0;
  for (const std::string& line : result.trace) std::printf("%3zu %s\n", ++number, line.c_str());
  std::printf("%s", result.end.c_str());
}

// The table of the planted bugs; whether each was found.
bool FindBugs() {
  bool all = true;
  std::printf("| bug | scope | depth | states | violation |\n| --- | --- | --- | --- | --- |\n");
  for (const PlantedCase& planted : PlantedCases()) {
    DECREE_CHECK(ChooseBug(planted.bug));
    const SearchResult result = SearchFor(planted);
    all = all && !result.violation.empty();
    std::printf("| %s | %s%s%s | %zu | %llu%s | %s |\n", planted.bug, planted.scope,
                planted.outcomes_only ? ", outcomes" : "", planted.at_random ? ", at random" : "",
                result.depth,
                static_cast<unsigned long long>(planted.at_random ? result.steps : result.states),
                planted.at_random ? " steps" : "",
                result.violation.empty() ? "**not found**" : result.violation.c_str());
    std::fflush(stdout);
  }
  return all;
}

bool Check(Scope scope, const Arguments& args) {
  scope.outcomes_only = args.outcomes_only;
  Model model(scope);
  const auto begin = std::chrono::steady_clock::now();
  SearchOptions options;
  options.max_states = args.max_states;
  if (args.progress) {
    options.progress = [](const std::string& line) {
      std::printf("%s\n", line.c_str());
      std::fflush(stdout);
    };
  }
  if (args.recover > 0) {
    options.at_state = [&, met = std::uint64_t{0}](const State& state) mutable {
      return ++met % args.recover == 0 ? WhyNotRecovered(model, state) : std::string{};
    };
  }
  const SearchResult result = args.walk > 0
                                  ? SearchAtRandom(model, {.seed = args.seed, .steps = args.walk})
                                  : SearchAll(model, options);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  Print(scope, result, taken.count(), args);
  if (args.progress) std::printf("  %s\n", model.Sizes().c_str());
  std::fflush(stdout);
  return result.violation.empty();
}

int Main(const Arguments& args) {
  if (args.list) {
    List();
    return 0;
  }
  if (args.bugs) return FindBugs() ? 0 : 1;
  bool well = true;
  for (const Scope& scope : Scopes()) {
    if (!args.scope.empty() && args.scope != scope.name) continue;
    well = Check(scope, args) && well;
    if (!well && !args.bug.empty()) break;
  }
  return well ? 0 : 1;
}

}  // namespace
}  // namespace decree::consensus::model

int main(int argc, char** argv) {
  using namespace decree::consensus::model;
  Arguments args;
  CLI::App app("Searches every state of the consensus core within a scope");
  app.add_option("--scope", args.scope, "the scope to search; without it all are");
  app.add_option("--bug", args.bug, "wakes a planted bug: the first scope that finds it ends it");
  app.add_flag("--bugs", args.bugs, "finds every planted bug that it should, and prints a table");
  app.add_flag("--outcomes", args.outcomes_only, "lets pass what only leads to harm");
  app.add_flag("--list", args.list, "lists the scopes");
  app.add_flag("--trace", args.trace, "prints the shortest trace to a violation");
  app.add_flag("--progress", args.progress, "prints each depth");
  app.add_option("--max-states", args.max_states, "stops after so many");
  app.add_option("--walk", args.walk, "walks at random instead, so many steps");
  app.add_option("--recover", args.recover, "lets each n-th state recover, with any one dead");
  app.add_option("--seed", args.seed, "of the walk");
  CLI11_PARSE(app, argc, argv);
  if (!args.scope.empty() && FindScope(args.scope) == nullptr) {
    std::fprintf(stderr, "no such scope; --list names them\n");
    return 2;
  }
  if (!decree::ChooseBug(args.bug) || (args.bugs && !decree::kBugsPlanted)) {
    std::fprintf(stderr, "no such bug in this build: configure it with -DDECREE_BUGS=ON\n");
    return 2;
  }
  return Main(args);
}
