// move start|list|show|pause|resume|cancel
#include <charconv>
#include <iostream>
#include <thread>

#include "client/cli/context.h"
#include "client/cli/interrupt.h"
#include "client/cli/move_view.h"

namespace decree::cli {
namespace {

constexpr auto kWatchEvery = std::chrono::milliseconds(250);

struct MoveArgs {
  std::uint64_t id = 0;
  std::uint32_t shard = 0;
  std::uint32_t from = 0;
  std::string to;
  bool watch = false;
};

// "4" or "4:1": a node, or a disk of it.
bool ParseTarget(const std::string& text, json::object& body) {
  std::uint32_t node = 0;
  std::uint32_t disk = 0;
  const char* const end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, node);
  if (parsed.ec != std::errc{}) return false;
  body["to"] = node;
  if (parsed.ptr == end) return true;
  if (*parsed.ptr != ':') return false;
  parsed = std::from_chars(parsed.ptr + 1, end, disk);
  body["to_disk"] = disk;
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

int ShowMove(Context& context, std::uint64_t id, bool watch);

int MoveStart(Context& context, const MoveArgs& args) {
  json::object body{{"shard", args.shard}, {"from", args.from}};
  if (!ParseTarget(args.to, body)) {
    return context.FailWith(kExitUsage, "--to is NODE or NODE:DISK, not '" + args.to + "'");
  }
  int exit = kExitOk;
  const auto answer = context.Admin("POST", "/v1/admin/moves", body, &exit);
  if (!answer) return exit;
  const std::string id = Field(*answer, "id");
  if (context.json_wanted()) {
    context.out << json::serialize(*answer) << '\n';
  } else if (context.format() == Format::kTable) {
    context.out << "move " << id << " started; follow it: decree move show " << id << " --watch\n";
  } else {
    context.out << id << '\n';
  }
  return args.watch ? ShowMove(context, static_cast<std::uint64_t>(Number(*answer, "id")), true)
                    : static_cast<int>(kExitOk);
}

int MoveList(Context& context) {
  int exit = kExitOk;
  const auto moves = context.AdminGet("/v1/admin/moves", &exit);
  if (!moves) return exit;
  Table table{MoveColumns(), {}};
  for (const json::value& move : List(*moves, "moves")) table.rows.push_back(MoveRow(move));
  return context.Show(*moves, table);
}

// One line a change; on a terminal the line is drawn over until the stage changes.
int WatchMove(Context& context, const std::string& target) {
  const InterruptGuard guard;
  std::string stage;
  std::string line;
  while (!Interrupted()) {
    int exit = kExitOk;
    const auto move = context.AdminGet(target, &exit);
    if (!move) return exit;
    if (MoveLine(*move) != line) {
      line = MoveLine(*move);
      if (context.out_is_terminal && Field(*move, "stage") == stage) context.out << "\x1b[A\x1b[K";
      stage = Field(*move, "stage");
      context.out << (context.json_wanted() ? json::serialize(*move) : line) << std::endl;
    }
    if (MoveEnded(*move)) return stage == "done" ? kExitOk : kExitError;
    std::this_thread::sleep_for(kWatchEvery);
  }
  return kExitInterrupted;
}

int ShowMove(Context& context, std::uint64_t id, bool watch) {
  const std::string target = "/v1/admin/moves/" + std::to_string(id);
  if (watch) return WatchMove(context, target);
  int exit = kExitOk;
  const auto move = context.AdminGet(target, &exit);
  if (!move) return exit;
  Table table{{"FIELD", "VALUE"}, {}};
  const auto names = MoveColumns();
  const auto values = MoveRow(*move);
  for (std::size_t i = 0; i < names.size(); ++i) table.rows.push_back({names[i], values[i]});
  table.rows.push_back({"DIGEST", Field(*move, "digest")});
  return context.Show(*move, table);
}

void AddMoveAction(CLI::App* group, Context& context, const std::string& action,
                   const std::string& help) {
  auto args = std::make_shared<MoveArgs>();
  auto* command = group->add_subcommand(action, help);
  command->add_option("ID", args->id, "the move's number")->required();
  command->callback([&context, args, action] {
    context.run = [args, action](Context& c) {
      const std::string target = "/v1/admin/moves/" + std::to_string(args->id);
      const std::string done = "move " + std::to_string(args->id) + ": " + action + " asked for";
      if (action == "cancel") return c.AdminDo("DELETE", target, json::value(), done);
      return c.AdminDo("POST", target + ":" + action, json::value(), done);
    };
  });
}

void AddMoveStart(CLI::App* group, Context& context) {
  auto args = std::make_shared<MoveArgs>();
  auto* start = group->add_subcommand("start", "move one replica of a shard, live");
  start->add_option("SHARD", args->shard, "its number")->required();
  start->add_option("--from", args->from, "the node that gives it")->required();
  start->add_option("--to", args->to, "the node that gets it, or NODE:DISK")->required();
  start->add_flag("--watch", args->watch, "follow it to its end");
  start->callback(
      [&context, args] { context.run = [args](Context& c) { return MoveStart(c, *args); }; });
}

void AddMoveShow(CLI::App* group, Context& context) {
  auto args = std::make_shared<MoveArgs>();
  auto* show = group->add_subcommand("show", "one move");
  show->add_option("ID", args->id, "the move's number")->required();
  show->add_flag("--watch", args->watch, "follow it to its end; status 1 if it is rolled back");
  show->callback([&context, args] {
    context.run = [args](Context& c) { return ShowMove(c, args->id, args->watch); };
  });
}

}  // namespace

void AddMoveCommands(CLI::App& app, Context& context) {
  auto* move = app.add_subcommand("move", "moves of shards between nodes and disks");
  move->require_subcommand(1);
  AddMoveStart(move, context);
  move->add_subcommand("list", "all moves, with stage and progress")->callback([&context] {
    context.run = MoveList;
  });
  AddMoveShow(move, context);
  AddMoveAction(move, context, "pause", "let a move rest");
  AddMoveAction(move, context, "resume", "let a resting move go on");
  AddMoveAction(move, context, "cancel", "take a move back, if its switch is not decided");
}

}  // namespace decree::cli
