// demo
#include "client/cli/demo.h"

namespace decree::cli {

void AddDemoCommand(CLI::App& app, Context& context) {
  auto args = std::make_shared<DemoArgs>();
  auto* demo = app.add_subcommand(
      "demo",
      "the main job on one screen: load, serve, add a node, rebalance live, verify, report");
  demo->add_option("--input", args->input,
                   "records: JSON lines or TSV; default: this machine's package index");
  demo->add_option("--decreed", args->decreed, "the daemon; default: beside this program");
  demo->add_option("--shards", args->shards, "a power of two")->capture_default_str();
  demo->add_option("--phase-seconds", args->phase_seconds, "length of the phases before and after")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  demo->add_option("--rate", args->rate, "requests a second through the C++ client")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  demo->add_option("--http-rate", args->http_rate, "requests a second over HTTP")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  demo->add_flag("--kill", args->kill, "also kill -9 a node under load, and restart it");
  demo->add_flag("--keep", args->keep, "keep the nodes' data and logs");
  demo->callback(
      [&context, args] { context.run = [args](Context& c) { return Demo(c, *args).Run(); }; });
}

}  // namespace decree::cli
