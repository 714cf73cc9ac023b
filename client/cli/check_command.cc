// check: are all replicas of a shard equal?
#include <iostream>

#include "client/cli/checker.h"
#include "client/cli/context.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"

namespace decree::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{15'000};

int CheckAll(Context& context, std::uint32_t first, std::uint32_t end) {
  const InterruptGuard guard;
  Progress progress(context.err, context.err_is_terminal, "check", end - first);
  json::array answers;
  std::uint32_t bad = 0;
  for (std::uint32_t shard = first; shard < end && !Interrupted(); ++shard) {
    const auto check = CheckShard(context.db(), shard, std::max(context.timeout(), kPatience));
    if (!check) return context.Fail(check.error());
    answers.push_back(check->answer);
    if (!check->equal) {
      ++bad;
      context.err << "error: shard " << shard << ": " << check->problem << '\n';
    }
    progress.Update(shard + 1 - first);
  }
  if (Interrupted()) return kExitInterrupted;
  progress.Finish(end - first);
  if (context.json_wanted()) {
    const json::object answer{{"shards", answers}, {"different", bad}};
    context.out << json::serialize(answer) << '\n';
  } else if (bad == 0) {
    context.out << (end - first) << (end - first == 1 ? " shard" : " shards")
                << ": all replicas are equal\n";
  } else {
    context.out << bad << " of " << (end - first) << " shards are not equal\n";
  }
  return bad == 0 ? kExitOk : kExitError;
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
