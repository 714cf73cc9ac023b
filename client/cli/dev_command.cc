// dev: a cluster inside this process, for trying things
#include <sys/resource.h>

#include <filesystem>
#include <iostream>
#include <thread>

#include "client/cli/context.h"
#include "client/cli/interrupt.h"
#include "client/cli/temp_dir.h"
#include "decree/node.h"

namespace decree::cli {
namespace {

struct DevArgs {
  std::uint32_t nodes = 3;
  std::uint32_t shards = 16;
  std::string data;
};

using Nodes = std::vector<std::unique_ptr<Node>>;

NodeOptions OptionsOf(const DevArgs& args, const std::string& data, const Nodes& running) {
  NodeOptions options;
  options.dirs = {data + "/node-" + std::to_string(running.size() + 1)};
  options.listen = "127.0.0.1:0";
  options.http = "127.0.0.1:0";
  options.shards = args.shards;
  options.workers = 1;
  for (const auto& node : running) {
    options.join.push_back("127.0.0.1:" + std::to_string(node->rpc_port()));
  }
  return options;
}

void Describe(Context& context, const Nodes& nodes, const std::string& data) {
  Table table{{"NODE", "RPC", "HTTP"}, {}};
  std::string endpoints;
  for (const auto& node : nodes) {
    const std::string rpc = "127.0.0.1:" + std::to_string(node->rpc_port());
    const std::string http = "http://127.0.0.1:" + std::to_string(node->http_port());
    table.rows.push_back({std::to_string(node->id()), rpc, http});
    endpoints += (endpoints.empty() ? "" : ",") + rpc;
  }
  PrintTable(context.out, Format::kTable, table);
  context.out << "\ndata in " << data << "\ntry:\n  export DECREE_ENDPOINTS=" << endpoints
              << "\n  decree put hello world && decree get hello && decree status\n"
              << "  curl http://127.0.0.1:" << nodes.front()->http_port()
              << "/v1/kv/hello\nCtrl-C ends it." << std::endl;
}

// Nodes hold a few files open for every replica, and a library leaves the process's limits alone.
void RaiseOpenFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  [[maybe_unused]] const int best_effort = ::setrlimit(RLIMIT_NOFILE, &limit);
}

int Dev(Context& context, const DevArgs& args) {
  const InterruptGuard guard;
  auto temporary = TempDir::Make("decree-dev");
  if (!temporary) return context.Fail(temporary.error());
  const std::string data = args.data.empty() ? temporary->path() : args.data;
  RaiseOpenFileLimit();
  Nodes nodes;
  while (nodes.size() < args.nodes && !Interrupted()) {
    auto node = Node::Open(OptionsOf(args, data, nodes));
    if (!node) return context.Fail(node.error());
    nodes.push_back(std::move(*node));
  }
  if (!Interrupted()) Describe(context, nodes, data);
  while (!Interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  context.out << "\nstopping" << std::endl;
  while (!nodes.empty()) {
    nodes.back()->Stop(std::chrono::seconds(2));
    nodes.pop_back();
  }
  return kExitOk;
}

}  // namespace

void AddDevCommand(CLI::App& app, Context& context) {
  auto args = std::make_shared<DevArgs>();
  auto* dev = app.add_subcommand("dev", "an in-process cluster, for trying things; until Ctrl-C");
  dev->add_option("--nodes", args->nodes, "how many")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  dev->add_option("--shards", args->shards, "a power of two")->capture_default_str();
  dev->add_option("--data", args->data, "keep the data here instead of in a temporary directory");
  dev->callback([&context, args] { context.run = [args](Context& c) { return Dev(c, *args); }; });
}

}  // namespace decree::cli
