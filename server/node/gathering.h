// --bootstrap-expect N: N nodes with empty disks form one cluster. All ask the addresses they were
// told, again and again; once N different nodes, this one among them, answered in one round, the
// lowest of them by (advertised address, token) founds the cluster, and the others join it. A node
// is known by its token, the incarnation of its first disk: an address may be spelled in many ways.
// Worker 0 only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/node/node_rpc.h"
#include "server/node/node_shared.h"

namespace decree::node {

// What this node says of itself to those that gather.
GatherAnswer DescribeGatherer(const NodeShared& node, ClusterId cluster);

class Gathering : public std::enable_shared_from_this<Gathering> {
 public:
  enum class Part : std::uint8_t { kFounder, kJoiner };
  using Done = std::function<void(Result<Part>)>;

  Gathering(NodeShared& node, Done done) : node_(&node), done_(std::move(done)) {}
  void Run();

 private:
  void OnAnswer(const RpcResponse& response);
  void OnRound();
  void LogProgress();

  NodeShared* node_;
  Done done_;
  std::vector<GatherAnswer> present_;  // in this round, each once; this node is the first
  std::size_t missing_ = 0;
  std::size_t logged_ = 0;
  bool cluster_found_ = false;
};

}  // namespace decree::node
