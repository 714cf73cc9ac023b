// log: the placement decrees
#include <iostream>
#include <thread>

#include "client/cli/context.h"
#include "client/cli/interrupt.h"

namespace decree::cli {
namespace {

constexpr auto kFollowEvery = std::chrono::milliseconds(500);
constexpr std::uint64_t kPage = 1000;

struct LogArgs {
  std::optional<std::uint32_t> shard;
  bool follow = false;
};

// Everything is read page by page from slot `from_` on.
class LogReader {
 public:
  LogReader(Context& context, const LogArgs& args) : context_(context), args_(args) {}

  // The next rows; false: an error that was reported. `*more`: the page was full.
  bool NextPage(Table& table, bool* more, int* exit) {
    const auto answer = context_.AdminGet(
        "/v1/admin/decrees?from=" + std::to_string(from_) + "&limit=" + std::to_string(kPage),
        exit);
    if (!answer) return false;
    const json::array& decrees = List(*answer, "decrees");
    for (const json::value& decree : decrees) {
      from_ = std::max(from_, static_cast<std::uint64_t>(Number(decree, "slot")) + 1);
      Take(decree, table);
    }
    *more = decrees.size() >= kPage;
    return true;
  }

 private:
  void Take(const json::value& decree, Table& table) {
    const json::value& shard = At(decree, "shard");
    const bool wanted =
        !args_.shard || (shard.is_number() && Number(decree, "shard") == *args_.shard);
    if (!wanted) return;
    if (context_.json_wanted()) {
      context_.out << json::serialize(decree) << '\n';
      return;
    }
    table.rows.push_back({Field(decree, "slot"), FormatMoment(At(decree, "time")),
                          Field(decree, "kind"), Field(decree, "shard"), Field(decree, "move"),
                          Field(decree, "proposer"), Field(decree, "outcome"),
                          Field(decree, "reason")});
  }

  Context& context_;
  const LogArgs& args_;
  std::uint64_t from_ = 0;
};

int Log(Context& context, const LogArgs& args) {
  const InterruptGuard guard;
  LogReader reader(context, args);
  Table table{{"SLOT", "TIME", "KIND", "SHARD", "MOVE", "BY", "OUTCOME", "REASON"}, {}};
  int exit = kExitOk;
  for (bool more = true; more && !Interrupted();) {
    if (!reader.NextPage(table, &more, &exit)) return exit;
  }
  if (!context.json_wanted()) PrintTable(context.out, context.format(), table);
  while (args.follow && !Interrupted()) {
    context.out.flush();
    std::this_thread::sleep_for(kFollowEvery);
    Table fresh;
    bool more = false;
    if (!reader.NextPage(fresh, &more, &exit)) return exit;
    PrintTable(context.out, Format::kPlain, fresh);
  }
  return Interrupted() ? kExitInterrupted : kExitOk;
}

}  // namespace

void AddLogCommand(CLI::App& app, Context& context) {
  auto args = std::make_shared<LogArgs>();
  auto* log =
      app.add_subcommand("log", "the placement decrees: who proposed what, why, what came of it");
  log->add_option("--shard", args->shard, "of one shard only");
  log->add_flag("--follow", args->follow, "go on until Ctrl-C");
  log->callback([&context, args] { context.run = [args](Context& c) { return Log(c, *args); }; });
}

}  // namespace decree::cli
