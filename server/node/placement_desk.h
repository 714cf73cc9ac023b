// Where the placement leader's work is done on this node: starts and stops it with the leadership
// of the placement group, and gives it what it needs (PlacementPort). Worker 0 only.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kv/api/rpc.h"
#include "server/node/admin_service.h"
#include "server/node/move_driver.h"
#include "server/node/node_rpc.h"
#include "server/node/placement_leader.h"
#include "server/node/placement_port.h"
#include "server/node/shard_host.h"

namespace decree::node {

struct NodeShared;

class PlacementDesk : public PlacementPort {
 public:
  explicit PlacementDesk(NodeShared& node);
  ~PlacementDesk() override;

  // A placement replica of this node changed: leadership, applied state, or it closed.
  void OnHost();
  void OnReport(NodeReport report);
  std::vector<NodeId> Suspects() const;  // that should be up and have not reported for a while
  void Admin(AdminRequest request, std::function<void(AdminResponse)> done);
  void Stop();

  // ---- PlacementPort ----
  Executor& executor() override;
  NodeId self() const override;
  WallMs Time() override;
  const NodeConfig& config() const override;
  const rebalance::PlacementState* state() override;
  void Propose(rebalance::PlacementChange change, std::function<void(CommandResult)> done) override;
  void CallNode(NodeId to, RpcRequest request, RpcReply reply) override;
  void Log(LogLevel level, std::string_view line) override;

 private:
  NodeShared* node_;
  bool leading_ = false;
  PlacementLeader leader_;
  MoveDriver mover_;
  AdminService admin_;
};

}  // namespace decree::node
