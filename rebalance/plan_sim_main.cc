// decree-plan-sim: what the planner makes of a described cluster (plan_sim.h), without any node.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "rebalance/plan_sim.h"

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

// A description that makes no sense, in words for its author.
struct BadInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const json::value* Field(const json::object& from, const char* name) {
  return from.if_contains(name);
}

template <class Number>
Number NumberOr(const json::object& from, const char* name, Number otherwise) {
  const json::value* value = Field(from, name);
  if (!value) return otherwise;
  boost::system::error_code error;
  const Number number = value->to_number<Number>(error);
  if (error) throw BadInput(std::string("\"") + name + "\" is not a fitting number");
  return number;
}

const json::object& Object(const json::value& value, const char* what) {
  if (!value.is_object()) throw BadInput(std::string(what) + " is not an object");
  return value.get_object();
}

NodeShape ReadNode(const json::value& value) {
  const json::object& from = Object(value, "a node");
  NodeShape node;
  if (const json::value* zone = Field(from, "zone"); zone && zone->is_string()) {
    node.zone = std::string(zone->get_string());
  }
  const json::value* disks = Field(from, "disks");
  if (!disks || !disks->is_array() || disks->get_array().empty()) {
    throw BadInput("a node needs \"disks\": a list of capacities in bytes");
  }
  for (const json::value& disk : disks->get_array()) {
    boost::system::error_code error;
    node.disk_bytes.push_back(disk.to_number<std::uint64_t>(error));
    if (error) throw BadInput("a disk is not a capacity in bytes");
  }
  return node;
}

ShardShape ReadShard(const json::value& value) {
  const json::object& from = Object(value, "a shard");
  return {NumberOr<std::uint64_t>(from, "bytes", 0), NumberOr<double>(from, "ops_per_s", 0)};
}

template <class Shape, class Read>
std::vector<Shape> ReadList(const json::object& from, const char* name, Read read) {
  const json::value* list = Field(from, name);
  if (!list || !list->is_array() || list->get_array().empty()) {
    throw BadInput(std::string("\"") + name + "\" is not a list of at least one");
  }
  std::vector<Shape> shapes;
  for (const json::value& value : list->get_array()) {
    const Shape shape = read(value);
    const auto count = NumberOr<std::uint32_t>(value.get_object(), "count", 1);
    shapes.insert(shapes.end(), count, shape);
  }
  if (shapes.size() > 100'000) throw BadInput(std::string("too many \"") + name + "\"");
  return shapes;
}

json::object Summary(const std::string& step, const SettleReport& report, const PlanSim& sim) {
  json::array disks;
  for (const PlanSim::DiskCopies& disk : sim.Disks()) {
    disks.push_back({{"node", disk.node.value}, {"copies", disk.copies}, {"bytes", disk.bytes}});
  }
  json::array moves;
  for (const PlannedMove& move : report.moves) {
    moves.push_back({{"shard", ToString(move.start.shard)},
                     {"from", move.from.value},
                     {"to", move.start.to.value},
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

Status Happen(PlanSim& sim, const std::string& what, const json::value& value) {
  const auto node = [&value] {
    boost::system::error_code error;
    const NodeId id{value.to_number<std::uint32_t>(error)};
    if (error) throw BadInput("an event names no node");
    return id;
  };
  if (what == "add_node") {
    const Result<NodeId> added = sim.AddNode(ReadNode(value));
    return added ? Status() : Status(added.error());
  }
  if (what == "drain") return sim.SetDraining(node(), true);
  if (what == "undrain") return sim.SetDraining(node(), false);
  if (what == "kill") return sim.Kill(node());
  if (what == "resize") {
    const ShardId shard{NumberOr<std::uint32_t>(Object(value, "resize"), "shard", 0)};
    return sim.Resize(shard, ReadShard(value));
  }
  throw BadInput("unknown event \"" + what + "\"");
}

class Program {
 public:
  Program(bool as_json, bool each) : as_json_(as_json), each_(each) {}

  int Run(const json::value& value) {
    const json::object& described = Object(value, "the description");
    const auto nodes = ReadList<NodeShape>(described, "nodes", ReadNode);
    const auto shards = ReadList<ShardShape>(described, "shards", ReadShard);
    const auto replicas = NumberOr<std::uint32_t>(described, "replicas", 3);
    Result<PlanSim> made = PlanSim::Make(replicas, nodes.front(), shards);
    if (!made) throw BadInput(made.error().ToString());
    PlanSim& sim = *made;
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const Result<NodeId> added = sim.AddNode(nodes[i]);
      if (!added) throw BadInput(added.error().ToString());
    }
    Settle("start", sim);
    if (const json::value* events = Field(described, "events")) Events(*events, sim);
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
  void Events(const json::value& events, PlanSim& sim) {
    if (!events.is_array()) throw BadInput("\"events\" is not a list");
    for (const json::value& event : events.get_array()) {
      const json::object& named = Object(event, "an event");
      if (named.size() != 1) throw BadInput("an event has exactly one name");
      const std::string what(named.begin()->key());
      const Status happened = Happen(sim, what, named.begin()->value());
      if (!happened) {
        std::fprintf(stderr, "%s: %s\n", what.c_str(), happened.error().ToString().c_str());
        good_ = false;
        continue;
      }
      Settle(what, sim);
    }
  }

  const bool as_json_;
  const bool each_;
  bool good_ = true;
  json::array steps_;
};

std::string ReadAll(const std::string& path) {
  if (path.empty() || path == "-") {
    return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BadInput("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
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
  try {
    return Program(as_json, each).Run(json::parse(ReadAll(file)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}

}  // namespace
}  // namespace decree::rebalance

int main(int argc, char** argv) { return decree::rebalance::Main(argc, argv); }
