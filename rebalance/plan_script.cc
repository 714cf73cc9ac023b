#include "rebalance/plan_script.h"

#include <boost/json.hpp>
#include <stdexcept>

namespace decree::rebalance {
namespace {

namespace json = boost::json;

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
    if (count > kMostShapes - shapes.size()) {
      throw BadInput(std::string("too many \"") + name + "\"");
    }
    shapes.insert(shapes.end(), count, shape);
  }
  if (shapes.empty()) throw BadInput(std::string("\"") + name + "\" count none");
  return shapes;
}

NodeId ReadNodeId(const json::value& value) {
  boost::system::error_code error;
  const NodeId id{value.to_number<std::uint32_t>(error)};
  if (error) throw BadInput("an event names no node");
  return id;
}

PlanEvent ReadEvent(const json::value& event) {
  const json::object& named = Object(event, "an event");
  if (named.size() != 1) throw BadInput("an event has exactly one name");
  const std::string what(named.begin()->key());
  const json::value& value = named.begin()->value();
  if (what == "add_node") {
    return {what, [node = ReadNode(value)](PlanSim& sim) -> Status {
              const Result<NodeId> added = sim.AddNode(node);
              return added ? Status() : Status(added.error());
            }};
  }
  if (what == "resize") {
    const ShardId shard{NumberOr<std::uint32_t>(Object(value, "resize"), "shard", 0)};
    return {what,
            [shard, shape = ReadShard(value)](PlanSim& sim) { return sim.Resize(shard, shape); }};
  }
  const bool drain = what == "drain";
  if (!drain && what != "undrain" && what != "kill") {
    throw BadInput("unknown event \"" + what + "\"");
  }
  const NodeId node = ReadNodeId(value);
  if (what == "kill") return {what, [node](PlanSim& sim) { return sim.Kill(node); }};
  return {what, [node, drain](PlanSim& sim) { return sim.SetDraining(node, drain); }};
}

PlanScript Read(const json::value& value) {
  const json::object& described = Object(value, "the description");
  PlanScript script;
  script.replicas = NumberOr<std::uint32_t>(described, "replicas", 3);
  script.nodes = ReadList<NodeShape>(described, "nodes", ReadNode);
  script.shards = ReadList<ShardShape>(described, "shards", ReadShard);
  const json::value* events = Field(described, "events");
  if (!events) return script;
  if (!events->is_array()) throw BadInput("\"events\" is not a list");
  for (const json::value& event : events->get_array()) script.events.push_back(ReadEvent(event));
  return script;
}

}  // namespace

Result<PlanScript> ReadPlanScript(std::string_view text) {
  boost::system::error_code bad;
  const json::value value = json::parse(text, bad);
  if (bad) return Error(Errc::kInvalidArgument, "this is not JSON: " + bad.message());
  try {
    return Read(value);
  } catch (const BadInput& error) {
    return Error(Errc::kInvalidArgument, error.what());
  }
}

Result<PlanSim> Begin(const PlanScript& script) {
  Result<PlanSim> sim = PlanSim::Make(script.replicas, script.nodes.front(), script.shards);
  for (std::size_t i = 1; sim && i < script.nodes.size(); ++i) {
    const Result<NodeId> added = sim->AddNode(script.nodes[i]);
    if (!added) return added.error();
  }
  return sim;
}

}  // namespace decree::rebalance
