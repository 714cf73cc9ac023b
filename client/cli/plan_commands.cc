// plan, rebalance on|off|status|--dry-run
#include <iostream>

#include "client/cli/context.h"

namespace decree::cli {
namespace {

// At the rate that the settings allow: a disk that others use, or a slow one, takes longer.
std::string Seconds(const json::value& predicted) {
  const json::value& seconds = At(predicted, "seconds");
  return seconds.is_number() ? FormatSeconds(seconds.to_number<double>()) : "-";
}

int Plan(Context& context, bool explain) {
  int exit = kExitOk;
  const auto plan = context.Admin("POST", "/v1/admin/plan", json::object(), &exit);
  if (!plan) return exit;
  Table moves{{"SHARD", "FROM", "TO", "BYTES", "TIME", "REASON"}, {}};
  for (const json::value& move : List(*plan, "moves")) {
    moves.rows.push_back({Field(move, "shard"), Field(move, "from"), Field(move, "to"),
                          FormatBytes(Number(move, "bytes")), Seconds(move),
                          Field(move, "reason")});
  }
  context.Show(*plan, moves);
  if (context.json_wanted()) return kExitOk;
  if (context.format() == Format::kTable) {
    context.out << moves.rows.size() << " moves, " << FormatBytes(Number(*plan, "bytes")) << " in "
                << Seconds(*plan) << " one by one; spread " << Field(*plan, "spread_before")
                << " -> " << Field(*plan, "spread_after") << '\n';
    if (!moves.rows.empty()) {
      context.out << "run it as shown: decree plan --execute " << Field(*plan, "id") << '\n';
    }
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

int ExecutePlan(Context& context, const std::string& id) {
  return context.AdminDo("POST", "/v1/admin/plan/" + id + ":execute", json::object(),
                         "plan " + id + " runs: decree move list");
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

// Balance, repair and drain each have a switch of their own.
void AddSwitch(CLI::App* group, Context& context, const std::string& state) {
  auto kinds = std::make_shared<std::vector<std::string>>();
  auto* command = group->add_subcommand(
      state, "let the balancer " + std::string(state == "on" ? "move" : "rest"));
  command->add_option("KIND", *kinds, "balance, repair or drain (default: balance)")
      ->check(CLI::IsMember({"balance", "repair", "drain"}));
  command->callback([&context, state, kinds] {
    context.run = [state, kinds](Context& c) {
      json::object body;
      std::string said;
      if (kinds->empty()) kinds->push_back("balance");
      for (const std::string& kind : *kinds) {
        body[kind == "balance" ? "rebalance" : kind] = state;
        said += (said.empty() ? "" : ", ") + kind + " is " + state;
      }
      return c.AdminDo("PATCH", "/v1/admin/settings", body, said);
    };
  });
}

// The server knows which names and values there are.
void AddSet(CLI::App* group, Context& context) {
  auto name = std::make_shared<std::string>();
  auto value = std::make_shared<std::uint64_t>(0);
  auto* command = group->add_subcommand("set", "change a setting that is a number");
  command->add_option("SETTING", *name, "its name in `rebalance status`")->required();
  command->add_option("VALUE", *value)->required();
  command->callback([&context, name, value] {
    context.run = [name, value](Context& c) {
      return c.AdminDo("PATCH", "/v1/admin/settings", json::object{{*name, *value}},
                       *name + " is " + std::to_string(*value));
    };
  });
}

}  // namespace

void AddPlanCommands(CLI::App& app, Context& context) {
  auto explain = std::make_shared<bool>(false);
  auto execute = std::make_shared<std::string>();
  auto* plan = app.add_subcommand("plan", "what the balancer would do now, and why");
  auto* explains = plan->add_flag("--explain", *explain, "also what it would not do, and why not");
  plan->add_option("--execute", *execute, "run the plan shown under this number, as it was shown")
      ->excludes(explains);
  auto stop = std::make_shared<bool>(false);
  plan->add_flag("--stop", *stop, "start no more moves of the plan that runs")->excludes(explains);
  plan->callback([&context, explain, execute, stop] {
    context.run = [explain, execute, stop](Context& c) {
      if (*stop) {
        return c.AdminDo("DELETE", "/v1/admin/plan", json::value(), "no more moves of it start");
      }
      return execute->empty() ? Plan(c, *explain) : ExecutePlan(c, *execute);
    };
  });

  auto dry = std::make_shared<bool>(false);
  auto* rebalance = app.add_subcommand("rebalance", "the balancer");
  rebalance->require_subcommand(0, 1);
  rebalance->add_flag("--dry-run", *dry, "show the plan, with reasons, and do nothing");
  AddSwitch(rebalance, context, "on");
  AddSwitch(rebalance, context, "off");
  AddSet(rebalance, context);
  rebalance->add_subcommand("status", "its settings");
  rebalance->callback([&context, rebalance, dry] {
    const auto subcommands = rebalance->get_subcommands();
    if (!subcommands.empty() && subcommands[0]->get_name() != "status") return;
    context.run = [dry](Context& c) { return *dry ? Plan(c, true) : ShowRebalance(c); };
  });
}

}  // namespace decree::cli
