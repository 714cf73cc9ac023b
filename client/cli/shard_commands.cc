// shard list|show|transfer-leader
#include <iostream>

#include "client/cli/context.h"

namespace decree::cli {
namespace {

// "1* 2 3 +4": the leader has a star, learners a plus.
std::string ReplicasOf(const json::value& shard) {
  std::string text;
  const std::string leader = Field(shard, "leader");
  for (const json::value& replica : List(shard, "replicas")) {
    if (!text.empty()) text += ' ';
    if (Field(replica, "role") == "learner") text += '+';
    text += Field(replica, "node");
    if (Field(replica, "node") == leader) text += '*';
  }
  return text.empty() ? "-" : text;
}

int ShardList(Context& context) {
  int exit = kExitOk;
  const auto shards = context.AdminGet("/v1/admin/shards", &exit);
  if (!shards) return exit;
  Table table{{"SHARD", "EPOCH", "LEADER", "NODES", "KEYS", "BYTES", "OPS/S"}, {}};
  for (const json::value& shard : List(*shards, "shards")) {
    table.rows.push_back({Field(shard, "id"), Field(shard, "epoch"), Field(shard, "leader"),
                          ReplicasOf(shard), FormatCount(Number(shard, "keys")),
                          FormatBytes(Number(shard, "bytes")), Field(shard, "ops_per_s")});
  }
  return context.Show(*shards, table);
}

int ShardShow(Context& context, std::uint32_t id) {
  int exit = kExitOk;
  const auto shard = context.AdminGet("/v1/admin/shards/" + std::to_string(id), &exit);
  if (!shard) return exit;
  if (!context.json_wanted() && context.format() == Format::kTable) {
    context.out << "shard " << Field(*shard, "id") << ", epoch " << Field(*shard, "epoch")
                << ", hashes " << Field(*shard, "hash_start") << ".." << Field(*shard, "hash_end")
                << ", " << FormatCount(Number(*shard, "keys")) << " keys, "
                << FormatBytes(Number(*shard, "bytes")) << '\n';
  }
  Table table{{"REPLICA", "NODE", "DISK", "ROLE", "LEADER", "APPLIED"}, {}};
  for (const json::value& replica : List(*shard, "replicas")) {
    const bool leads = Field(replica, "node") == Field(*shard, "leader");
    table.rows.push_back({Field(replica, "replica"), Field(replica, "node"), Field(replica, "disk"),
                          Field(replica, "role"), leads ? "yes" : "no", Field(replica, "applied")});
  }
  return context.Show(*shard, table);
}

struct ShardArgs {
  std::uint32_t shard = 0;
  std::uint32_t to = 0;
};

}  // namespace

void AddShardCommands(CLI::App& app, Context& context) {
  auto args = std::make_shared<ShardArgs>();
  auto* shard = app.add_subcommand("shard", "shards");
  shard->require_subcommand(1);
  shard->add_subcommand("list", "all shards; * leads, + learns")->callback([&context] {
    context.run = ShardList;
  });
  auto* show = shard->add_subcommand("show", "one shard and its replicas");
  show->add_option("SHARD", args->shard, "its number")->required();
  show->callback(
      [&context, args] { context.run = [args](Context& c) { return ShardShow(c, args->shard); }; });
  auto* transfer = shard->add_subcommand("transfer-leader", "let another replica lead");
  transfer->add_option("SHARD", args->shard, "its number")->required();
  transfer->add_option("--to", args->to, "a node that holds a voting replica")->required();
  transfer->callback([&context, args] {
    context.run = [args](Context& c) {
      const std::string number = std::to_string(args->shard);
      const json::value body = json::object{{"to", args->to}};
      return c.AdminDo("POST", "/v1/admin/shards/" + number + ":transfer-leader", body,
                       "shard " + number + ": leadership goes to node " + std::to_string(args->to));
    };
  });
}

}  // namespace decree::cli
