// bench rebalance|move
#include "client/cli/bench_move.h"
#include "client/cli/bench_rebalance.h"

namespace decree::cli {
namespace {

void AddMoveBench(CLI::App* bench, Context& context) {
  auto args = std::make_shared<MoveBenchArgs>();
  auto* command = bench->add_subcommand(
      "move", "how fast a shard moves between two processes, against cp and sync");
  command->add_option("--decreed", args->decreed, "the daemon; default: beside this program");
  command->add_option("--json", args->json, "write the report to this file");
  command->add_option("--mib", args->mib, "of values in the shard")
      ->check(CLI::Range(1, 16'384))
      ->capture_default_str();
  command->add_option("--value-bytes", args->value_bytes)
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--moves", args->moves, "there and back in turn")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command->callback(
      [&context, args] { context.run = [args](Context& c) { return MoveBench(c, *args).Run(); }; });
}

void AddRebalanceBench(CLI::App* bench, Context& context) {
  auto args = std::make_shared<BenchArgs>();
  auto* command = bench->add_subcommand(
      "rebalance", "what a cluster of processes on this machine serves while its shards move");
  command->add_option("--decreed", args->decreed, "the daemon; default: beside this program");
  command->add_option("--json", args->json, "write the report to this file");
  command->add_option("--nodes", args->nodes, "at the beginning")
      ->check(CLI::Range(4, 16))
      ->capture_default_str();
  command->add_option("--shards", args->shards, "a power of two")->capture_default_str();
  command->add_option("--keys", args->keys)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--value-bytes", args->value_bytes)
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--in-flight", args->in_flight, "while the most is measured")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--share", args->share, "of the most, offered while shards move")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  command->add_option("--rate", args->rate, "operations a second instead of a share");
  command->add_option("--moves", args->moves, "by an operator, one after the other")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      ->add_option("--phase-seconds", args->phase_seconds, "of the phases in which nothing moves")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command->callback([&context, args] {
    context.run = [args](Context& c) { return RebalanceBench(c, *args).Run(); };
  });
}

}  // namespace

void AddBenchCommand(CLI::App& app, Context& context) {
  auto* bench = app.add_subcommand("bench", "measure");
  bench->require_subcommand(1);
  AddMoveBench(bench, context);
  AddRebalanceBench(bench, context);
}

}  // namespace decree::cli
