// What the placement leader's work needs from its node. A seam for tests; PlacementDesk is the only
// product implementation. Worker 0 only.
#pragma once

#include <functional>
#include <string_view>

#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/base/executor.h"
#include "kv/base/log_sink.h"
#include "rebalance/placement.h"
#include "server/node/node_core.h"

namespace decree::node {

class PlacementPort {
 public:
  virtual ~PlacementPort() = default;
  virtual Executor& executor() = 0;
  virtual NodeId self() const = 0;
  // The time that a decree proposed now would bear. What decrees noted is compared with this, never
  // with a wall clock: the next leader's may be an hour off. Only while this node leads.
  virtual WallMs Time() = 0;
  virtual const NodeConfig& config() const = 0;
  // The state of the placement replica on this node; null when it has none. Look again after each
  // event: it moves when a snapshot is installed.
  virtual const rebalance::PlacementState* state() = 0;
  // Proposes a change in the placement group. Answered when it is applied, or with kNotLeader,
  // kOutcomeUnknown... when this node does not lead (any more). Never answers inside the call.
  virtual void Propose(rebalance::PlacementChange change,
                       std::function<void(CommandResult)> done) = 0;
  // One call to a node (this one too). A kMark is a kWrite of a Command{kMark} without a session to
  // the node of the shard's leader; its CommandResult.version is the slot.
  virtual void CallNode(NodeId to, RpcRequest request, RpcReply reply) = 0;
  virtual void Log(LogLevel level, std::string_view line) = 0;
};

}  // namespace decree::node
