// status, node list|drain|undrain|remove
#include <iostream>

#include "client/cli/context.h"

namespace decree::cli {
namespace {

int Status(Context& context) {
  int exit = kExitOk;
  const auto cluster = context.AdminGet("/v1/admin/cluster", &exit);
  if (!cluster) return exit;
  Table table{{"cluster", Field(*cluster, "cluster_id")}, {}};
  const auto add = [&](const char* name, const std::string& value) {
    table.rows.push_back({name, value});
  };
  add("nodes up", Field(*cluster, "nodes_up") + " of " + Field(*cluster, "nodes_total"));
  add("placement leader", Field(*cluster, "leader"));
  add("shards", Field(*cluster, "shards"));
  add("copies wanted", Field(*cluster, "replicas"));
  add("shards healthy", Field(*cluster, "shards_healthy"));
  add("under-replicated", Field(*cluster, "shards_under_replicated"));
  add("without leader", Field(*cluster, "shards_leaderless"));
  add("moves active", Field(*cluster, "moves_active"));
  add("rebalance", Field(*cluster, "rebalance"));
  add("spread", Field(*cluster, "spread"));
  return context.Show(*cluster, table);
}

std::string DisksOf(const json::value& node) {
  std::string text;
  for (const json::value& disk : List(node, "disks")) {
    if (!text.empty()) text += ", ";
    text += Field(disk, "id") + ":" + Field(disk, "path");
    if (Field(disk, "state") != "ok") text += " (" + Field(disk, "state") + ")";
  }
  return text.empty() ? "-" : text;
}

int NodeList(Context& context) {
  int exit = kExitOk;
  const auto nodes = context.AdminGet("/v1/admin/nodes", &exit);
  if (!nodes) return exit;
  Table table{{"ID", "NAME", "STATE", "RPC", "HTTP", "ZONE", "REPLICAS", "LEADERS", "BYTES",
               "OPS/S", "DISKS"},
              {}};
  for (const json::value& node : List(*nodes, "nodes")) {
    table.rows.push_back(
        {Field(node, "id"), Field(node, "name"), Field(node, "state"), Field(node, "rpc"),
         Field(node, "http"), Field(node, "zone"), Field(node, "replicas"), Field(node, "leaders"),
         FormatBytes(Number(node, "bytes")), Field(node, "ops_per_s"), DisksOf(node)});
  }
  return context.Show(*nodes, table);
}

struct NodeArgs {
  std::uint32_t node = 0;
  std::string time;  // drain: maintenance for so long; empty: for good
};

int DrainNode(Context& context, const NodeArgs& args) {
  const std::string number = std::to_string(args.node);
  const std::string target = "/v1/admin/nodes/" + number + ":drain";
  if (args.time.empty()) {
    return context.AdminDo("POST", target, json::value(), "node " + number + " is draining");
  }
  const auto time = ParseDuration(args.time);
  if (!time) return context.Fail(time.error());
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*time).count();
  return context.AdminDo("POST", target, json::object{{"for_s", seconds}},
                         "node " + number + " gives up its leaderships for " + args.time);
}

void AddNodeAction(CLI::App* group, Context& context, const std::string& action,
                   const std::string& help, const std::string& done) {
  auto args = std::make_shared<NodeArgs>();
  auto* command = group->add_subcommand(action, help);
  command->add_option("NODE", args->node, "the node's number")->required();
  command->callback([&context, args, action, done] {
    context.run = [args, action, done](Context& c) {
      const std::string number = std::to_string(args->node);
      return c.AdminDo("POST", "/v1/admin/nodes/" + number + ":" + action, json::value(),
                       "node " + number + " " + done);
    };
  });
}

void AddDrain(CLI::App* group, Context& context) {
  auto args = std::make_shared<NodeArgs>();
  auto* drain = group->add_subcommand("drain", "move everything off a node");
  drain->add_option("NODE", args->node, "the node's number")->required();
  drain->add_option("--for", args->time,
                    "maintenance, 10m say: leaderships only, and nothing is replaced meanwhile");
  drain->callback(
      [&context, args] { context.run = [args](Context& c) { return DrainNode(c, *args); }; });
}

}  // namespace

void AddClusterCommands(CLI::App& app, Context& context) {
  app.add_subcommand("status", "the cluster at a glance")->callback([&context] {
    context.run = Status;
  });
  auto* node = app.add_subcommand("node", "nodes");
  node->require_subcommand(1);
  node->add_subcommand("list", "all nodes")->callback([&context] { context.run = NodeList; });
  AddDrain(node, context);
  AddNodeAction(node, context, "undrain", "let a node take replicas again", "takes replicas again");
  AddNodeAction(node, context, "remove", "forget a node for good", "is being removed");
}

}  // namespace decree::cli
