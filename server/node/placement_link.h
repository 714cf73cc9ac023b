// Finds the leader of the placement group and calls it: follows hints, tries the known replicas in
// turn, waits out elections until the call's time is up. Worker 0 only.
#pragma once

#include <memory>

#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "server/node/node_shared.h"

namespace decree::node {

class PlacementLink {
 public:
  explicit PlacementLink(NodeShared& node) : node_(&node) {}

  void OfferMap(std::shared_ptr<const ShardMap> map) { map_ = std::move(map); }
  NodeId leader() const { return leader_; }
  void HeardLeader(NodeId leader) { leader_ = leader; }
  // The calls carried by this link change nothing when repeated, so an unanswered one is sent
  // again.
  void Call(RpcRequest request, RpcReply reply);

 private:
  struct Attempt;
  void Try(const std::shared_ptr<Attempt>& attempt);
  void OnAnswer(const std::shared_ptr<Attempt>& attempt, NodeId asked, RpcResponse response);
  NodeId NextCandidate();

  NodeShared* node_;
  std::shared_ptr<const ShardMap> map_;
  NodeId leader_;
  std::size_t rotation_ = 0;
};

}  // namespace decree::node
