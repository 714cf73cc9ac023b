// plan, rebalance on|off|status|--dry-run
#include <iostream>

#include "client/cli/context.h"

namespace decree::cli {
namespace {

int Plan(Context& context, bool explain) {
  int exit = kExitOk;
  const auto plan = context.Admin("POST", "/v1/admin/plan", json::object(), &exit);
  if (!plan) return exit;
  Table moves{{"SHARD", "FROM", "TO", "BYTES", "REASON"}, {}};
  for (const json::value& move : List(*plan, "moves")) {
    moves.rows.push_back({Field(move, "shard"), Field(move, "from"), Field(move, "to"),
                          FormatBytes(Number(move, "bytes")), Field(move, "reason")});
  }
  context.Show(*plan, moves);
  if (context.json_wanted()) return kExitOk;
  if (context.format() == Format::kTable) {
    context.out << moves.rows.size() << " moves, " << FormatBytes(Number(*plan, "bytes"))
                << "; spread " << Field(*plan, "spread_before") << " -> "
                << Field(*plan, "spread_after") << '\n';
  }
  if (!explain) return kExitOk;
  Table rejected{{"SHARD", "FROM", "TO", "RULE", "WHY NOT"}, {}};
  for (const json::value& one : List(*plan, "rejected")) {
    rejected.rows.push_back({Field(one, "shard"), Field(one, "from"), Field(one, "to"),
                             Field(one, "rule"), Field(one, "reason")});
  }
  context.out << '\n';
  return context.Show(*plan, rejected);
}

int ShowRebalance(Context& context) {
  int exit = kExitOk;
  const auto settings = context.AdminGet("/v1/admin/settings", &exit);
  if (!settings) return exit;
  Table table{{"SETTING", "VALUE"}, {}};
  if (const json::object* fields = settings->if_object()) {
    for (const auto& field : *fields) {
      table.rows.push_back({field.key(), Field(*settings, field.key())});
    }
  }
  return context.Show(*settings, table);
}

void AddSwitch(CLI::App* group, Context& context, const std::string& state) {
  group->add_subcommand(state, "let the balancer " + std::string(state == "on" ? "move" : "rest"))
      ->callback([&context, state] {
        context.run = [state](Context& c) {
          const json::value body = json::object{{"rebalance", state}};
          return c.AdminDo("PATCH", "/v1/admin/settings", body, "rebalance is " + state);
        };
      });
}

}  // namespace

void AddPlanCommands(CLI::App& app, Context& context) {
  auto explain = std::make_shared<bool>(false);
  auto* plan = app.add_subcommand("plan", "what the balancer would do now, and why");
  plan->add_flag("--explain", *explain, "also what it would not do, and why not");
  plan->callback(
      [&context, explain] { context.run = [explain](Context& c) { return Plan(c, *explain); }; });

  auto dry = std::make_shared<bool>(false);
  auto* rebalance = app.add_subcommand("rebalance", "the balancer");
  rebalance->require_subcommand(0, 1);
  rebalance->add_flag("--dry-run", *dry, "show the plan, with reasons, and do nothing");
  AddSwitch(rebalance, context, "on");
  AddSwitch(rebalance, context, "off");
  rebalance->add_subcommand("status", "its settings");
  rebalance->callback([&context, rebalance, dry] {
    if (rebalance->got_subcommand("on") || rebalance->got_subcommand("off")) return;
    context.run = [dry](Context& c) { return *dry ? Plan(c, true) : ShowRebalance(c); };
  });
}

}  // namespace decree::cli
