// decree-plan-sim: what the planner makes of a described cluster (plan_sim.h), without any node.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "rebalance/plan_script.h"

namespace decree::rebalance {
namespace {

namespace json = boost::json;

constexpr char kHelp[] = R"(Runs the planner alone on a described cluster, to its fixed point.

The description is JSON, read from FILE or standard input:
  {"replicas": 3,
   "nodes":  [{"zone": "a", "disks": [1000000000000], "count": 3}],
   "shards": [{"bytes": 1000000, "ops_per_s": 10, "count": 64}],
   "events": [{"add_node": {"zone": "b", "disks": [1000000000000]}},
              {"drain": 2}, {"undrain": 2}, {"kill": 3},
              {"resize": {"shard": 0, "bytes": 5000000}}]}
A disk is its capacity in bytes; "count" repeats an entry; nodes and shards are numbered in their
order, nodes from 1, shards from 0. All shards begin on node 1. After the start and after each event
the planner's moves are carried out until it plans nothing more.

Exit status: 0, or 1 if the planner did not come to rest or an event was refused, or 2 for a bad
description.)";

json::object Summary(const std::string& step, const SettleReport& report, const PlanSim& sim) {
  json::array disks;
  for (const PlanSim::DiskCopies& disk : sim.Disks()) {
    disks.push_back({{"node", disk.node.value}, {"copies", disk.copies}, {"bytes", disk.bytes}});
  }
  json::array moves;
  for (const PlannedMove& move : report.moves) {
    moves.push_back({{"shard", ToString(move.start.shard)},
                     {"from", move.from.value},
                     {"to", move.start.to ? json::value(move.start.to.value) : json::value()},
                     {"bytes", move.bytes},
                     {"reason", move.start.reason}});
  }
  json::array rejected;
  for (const RejectedMove& no : report.rejected) {
    rejected.push_back({{"shard", ToString(no.shard)}, {"rule", no.rule}, {"reason", no.reason}});
  }
  return {{"step", step},
          {"settled", report.settled},
          {"rounds", report.rounds},
          {"transfers", report.transfers},
          {"bytes_moved", report.bytes_moved},
          {"bytes_least", report.bytes_least},
          {"spread_before", report.spread_before},
          {"spread_after", report.spread_after},
          {"moves", std::move(moves)},
          {"rejected", std::move(rejected)},
          {"disks", std::move(disks)}};
}

void Print(const std::string& step, const SettleReport& report, bool each) {
  if (each) {
    for (const PlannedMove& move : report.moves) {
      std::printf("  move shard %s from %s to %s, %llu bytes: %s\n",
                  ToString(move.start.shard).c_str(), ToString(move.from).c_str(),
                  ToString(move.start.to).c_str(), static_cast<unsigned long long>(move.bytes),
                  move.start.reason.c_str());
    }
    for (const RejectedMove& no : report.rejected) {
      std::printf("  not shard %s: %s (%s)\n", ToString(no.shard).c_str(), no.reason.c_str(),
                  no.rule.c_str());
    }
  }
  const double times = report.bytes_least == 0 ? 1
                                               : static_cast<double>(report.bytes_moved) /
                                                     static_cast<double>(report.bytes_least);
  std::printf(
      "%-16s %s  moves %zu  transfers %zu  bytes %llu (%.2f x the least)  spread %.3f -> %.3f\n",
      step.c_str(), report.settled ? "at rest" : "NOT AT REST", report.moves.size(),
      report.transfers, static_cast<unsigned long long>(report.bytes_moved), times,
      report.spread_before, report.spread_after);
}

int Bad(const Error& error) {
  std::fprintf(stderr, "error: %s\n", error.detail().c_str());
  return 2;
}

class Program {
 public:
  Program(bool as_json, bool each) : as_json_(as_json), each_(each) {}

  int Run(const PlanScript& script) {
    Result<PlanSim> sim = Begin(script);
    if (!sim) return Bad(sim.error());
    Settle("start", *sim);
    for (const PlanEvent& event : script.events) {
      if (const Status happened = event.happen(*sim); happened) {
        Settle(event.name, *sim);
      } else {
        std::fprintf(stderr, "%s: %s\n", event.name.c_str(), happened.error().ToString().c_str());
        good_ = false;
      }
    }
    if (as_json_) std::cout << json::serialize(steps_) << "\n";
    return good_ ? 0 : 1;
  }

 private:
  void Settle(const std::string& step, PlanSim& sim) {
    const SettleReport report = sim.Settle();
    good_ = good_ && report.settled;
    if (as_json_) {
      steps_.push_back(Summary(step, report, sim));
    } else {
      Print(step, report, each_);
    }
  }
  const bool as_json_;
  const bool each_;
  bool good_ = true;
  json::array steps_;
};

Result<std::string> ReadAll(const std::string& path) {
  if (path.empty() || path == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(Errc::kNotFound, "cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int Main(int argc, char** argv) {
  CLI::App app(kHelp, "decree-plan-sim");
  std::string file;
  bool as_json = false;
  bool each = false;
  app.add_option("FILE", file, "the description; - or none: standard input");
  app.add_flag("--json", as_json, "all figures, moves and disks as JSON");
  app.add_flag("--moves", each, "print each move, and each rejected one, with its reason");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Result<std::string> text = ReadAll(file);
  if (!text) return Bad(text.error());
  const Result<PlanScript> script = ReadPlanScript(*text);
  if (!script) return Bad(script.error());
  return Program(as_json, each).Run(*script);
}

}  // namespace
}  // namespace decree::rebalance

int main(int argc, char** argv) { return decree::rebalance::Main(argc, argv); }
