// check: are all replicas of a shard equal?
#include <iostream>

#include "client/cli/checker.h"
#include "client/cli/context.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"

namespace decree::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{15'000};

void PrintVerdict(std::ostream& out, std::uint32_t shards, std::uint32_t bad,
                  std::uint32_t unchecked) {
  const std::string of = " of " + std::to_string(shards) + (shards == 1 ? " shard" : " shards");
  if (bad == 0 && unchecked == 0) {
    out << shards << (shards == 1 ? " shard" : " shards") << ": all replicas are equal\n";
  }
  if (bad > 0) out << bad << of << " not equal\n";
  if (unchecked > 0) out << unchecked << of << " could not be checked\n";
}

int CheckAll(Context& context, std::uint32_t first, std::uint32_t end) {
  const InterruptGuard guard;
  Progress progress(context.err, context.err_is_terminal, "check", end - first);
  json::array answers;
  std::uint32_t bad = 0;
  std::uint32_t unchecked = 0;
  int exit = kExitOk;  // of the first shard that could not be checked
  for (std::uint32_t shard = first; shard < end && !Interrupted(); ++shard) {
    const auto check = CheckShard(context.db(), shard, std::max(context.timeout(), kPatience));
    if (!check) return context.Fail(check.error());
    answers.push_back(check->answer);
    if (check->status >= 400) {
      if (unchecked++ == 0) exit = ExitOfStatus(check->status);
    } else if (!check->equal) {
      ++bad;
    }
    if (!check->problem.empty()) {
      context.err << "error: shard " << shard << ": " << check->problem << '\n';
    }
    progress.Update(shard + 1 - first);
  }
  if (Interrupted()) return kExitInterrupted;
  progress.Finish(end - first);
  if (context.json_wanted()) {
    const json::object answer{{"shards", answers}, {"different", bad}, {"unchecked", unchecked}};
    context.out << json::serialize(answer) << '\n';
  } else {
    PrintVerdict(context.out, end - first, bad, unchecked);
  }
  return bad == 0 ? exit : static_cast<int>(kExitError);
}

int Check(Context& context, std::optional<std::uint32_t> shard) {
  if (shard) return CheckAll(context, *shard, *shard + 1);
  const auto shards = context.db().ShardCount();
  if (!shards) return context.Fail(shards.error());
  return CheckAll(context, 0, *shards);
}

}  // namespace

void AddCheckCommand(CLI::App& app, Context& context) {
  auto shard = std::make_shared<std::optional<std::uint32_t>>();
  auto* check = app.add_subcommand(
      "check", "compare the digests of all replicas at one slot; status 1 on a difference");
  check->add_option("--shard", *shard, "one shard only");
  check->callback(
      [&context, shard] { context.run = [shard](Context& c) { return Check(c, *shard); }; });
}

}  // namespace decree::cli
