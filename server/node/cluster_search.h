// Finds the cluster again when this node has no map, or nobody in it answers: asks the addresses it
// was told to join (contract.md: on a rejoin `--join` only adds addresses to try). Who answers
// there is known by its id, so that nodes whose addresses all changed meet again. The nodes of the
// map are asked in turn, and told the map: one of them may be waited for because it knows nothing
// of us. Worker 0 only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "kv/api/shard_map.h"
#include "server/node/node_shared.h"

namespace decree::node {

class ClusterSearch {
 public:
  explicit ClusterSearch(NodeShared& node) : node_(&node) {}

  void Start();
  void Stop() { ++generation_; }
  // Where the nodes are: what the map says, unless a node answered elsewhere since its entry
  // changed.
  std::map<NodeId, std::string> Addresses(const ShardMap* map);

 private:
  struct Found {
    std::string at;
    std::string instead_of;  // the map's word at that time
  };

  void Tick(std::uint64_t generation);
  bool Lost() const;
  void Ask(const std::string& address);
  void AskNextNode();
  void OnAnswer(const std::string& address, const RpcResponse& response);

  NodeShared* node_;
  std::uint64_t generation_ = 0;
  Instant started_;
  bool lost_ = false;
  std::size_t next_node_ = 0;  // of the map
  std::map<NodeId, Found> found_;
};

}  // namespace decree::node
