// Finds the leader of the placement group and calls it: follows hints, tries the known replicas in
// turn, waits out elections until the call's time is up. Worker 0 only.
#pragma once

#include <memory>

#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "server/node/node_shared.h"

namespace decree::node {

// When a call is sent again.
enum class Repeat : std::uint8_t {
  kNotDone,    // after an answer that says, or a link that knows, that it was not carried out
  kUnanswered  // after silence too: the second time changes nothing
};

class PlacementLink {
 public:
  explicit PlacementLink(NodeShared& node) : node_(&node) {}

  void OfferMap(std::shared_ptr<const ShardMap> map) { map_ = std::move(map); }
  NodeId leader() const { return leader_; }
  // When the leader last answered one of these calls.
  Instant answered_at() const { return answered_at_; }
  void Call(RpcRequest request, Repeat repeat, RpcReply reply);

 private:
  struct Attempt;
  void Try(const std::shared_ptr<Attempt>& attempt);
  void OnAnswer(const std::shared_ptr<Attempt>& attempt, NodeId asked, RpcResponse response);
  NodeId NextCandidate();

  NodeShared* node_;
  std::shared_ptr<const ShardMap> map_;
  NodeId leader_;
  Instant answered_at_;
  std::size_t rotation_ = 0;
};

}  // namespace decree::node
