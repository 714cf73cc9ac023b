// A cluster of three nodes inside this program, and a shard that moves while it is written to:
// three_nodes DIRECTORY
#include <decree/node.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

using Nodes = std::vector<std::unique_ptr<decree::Node>>;

// One copy of each shard: there is somewhere to move it to.
bool Start(const std::string& directory, Nodes* nodes) {
  for (int i = 1; i <= 3; ++i) {
    decree::NodeOptions options;
    options.dirs = {directory + "/node" + std::to_string(i)};
    options.listen = "127.0.0.1:0";  // the kernel chooses
    options.shards = 8;
    options.replicas = 1;
    for (const auto& node : *nodes) {
      options.join.push_back("127.0.0.1:" + std::to_string(node->rpc_port()));
    }
    auto node = decree::Node::Open(options);
    if (!node) {
      std::cerr << node.error().ToString() << '\n';
      return false;
    }
    nodes->push_back(std::move(*node));
  }
  return true;
}

// Where the only copy of a shard is: {"id":0,...,"replicas":[{"replica":1,"node":2,...
std::uint32_t NodeOf(decree::Client& db, std::uint32_t shard) {
  const auto answer = db.Admin("GET", "/v1/admin/shards/" + std::to_string(shard));
  const std::size_t at = answer ? answer->body.find("\"node\":") : std::string::npos;
  return at == std::string::npos ? 0 : static_cast<std::uint32_t>(answer->body[at + 7] - '0');
}

bool Move(decree::Node& node, std::uint32_t shard, std::uint32_t from, std::uint32_t to) {
  decree::Client db = node.client();
  const auto until = std::chrono::steady_clock::now() + 60s;
  for (; std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(20ms)) {
    if (NodeOf(db, shard) == to) return true;
    const auto move = node.MoveShard(shard, from, to);  // kConflict: it is on its way already
    if (move || move.error() == decree::Errc::kConflict) continue;
    if (!IsRetryable(move.error().code())) {
      std::cerr << move.error().ToString() << '\n';
      return false;
    }
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Nodes nodes;
  if (!Start(argc > 1 ? argv[1] : "three_nodes.data", &nodes)) return 1;
  decree::Client db = nodes[0]->client();
  // The balancer would have its own plans.
  const auto off = db.Admin("PATCH", "/v1/admin/settings", R"({"rebalance":"off"})");
  if (!off || off->status != 200) return 1;

  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::atomic<int> failed{0};
  std::thread writer([&] {
    decree::Client mine = nodes[1]->client();
    for (int i = 0; !stop; ++i) {
      ++(mine.Put("key" + std::to_string(i), "value") ? written : failed);
    }
  });
  const std::uint32_t from = NodeOf(db, 0);
  const std::uint32_t to = from % 3 + 1;
  const bool moved = Move(*nodes[0], 0, from, to);
  stop = true;
  writer.join();
  std::cout << "shard 0 moved from node " << from << " to node " << to << " while " << written
            << " writes went on, " << failed << " failed\n";
  for (int i = 0; i < written; ++i) {
    if (!db.Get("key" + std::to_string(i))) return 1;
  }
  for (auto& node : nodes) node->Stop(5s);
  return moved && written > 0 && failed == 0 ? 0 : 1;
}
