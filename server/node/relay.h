// Calls of worker 0 to nodes that a broken link keeps this one from: another node carries them on.
// Where links are broken in part, leaders of the placement group and of shards have their majority
// and may not reach each other; without a way round, reports would be missed and a move could
// neither finish nor roll back until the link is mended.
//
// A call that was given up may still be carried out later, as on a slow connection: what goes
// through here does no harm then (rebalance/MOVES.md). Worker 0 only.
#pragma once

#include <map>
#include <memory>

#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "server/node/node_rpc.h"

namespace decree::node {

struct NodeShared;

class Relay {
 public:
  explicit Relay(NodeShared& node) : node_(&node) {}

  void OfferMap(std::shared_ptr<const ShardMap> map) { map_ = std::move(map); }
  // As Worker::Call on the control channel, straight or through another node. After silence the
  // next call to that node takes the other way; a way round that has served for a while is left
  // for a try of the straight one.
  void Call(NodeId to, RpcRequest request, RpcReply reply);
  // For another node: the answer is the one of that call.
  void CarryOn(RelayedCall call, RpcReply reply);

 private:
  struct Way {
    NodeId through;  // 0: straight
    Instant since;
  };
  NodeId SomebodyElse(NodeId than);
  void OnAnswer(NodeId to, NodeId through, const RpcResponse& response);

  NodeShared* node_;
  std::shared_ptr<const ShardMap> map_;
  std::map<NodeId, Way> ways_;  // that are not straight
};

}  // namespace decree::node
