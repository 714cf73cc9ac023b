// Inside of the administration service: one handler a route.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/node/admin_json.h"
#include "server/node/admin_service.h"
#include "server/node/admin_target.h"
#include "server/node/shard_check.h"

namespace decree::node {

AdminResponse AdminOk(const boost::json::value& body, std::uint32_t status = 200);

// One request on its way to its answer.
struct AdminCall {
  AdminTarget target;
  std::string body;
  Duration patience{};  // an answer that takes time must come within it
  std::function<void(AdminResponse)> done;

  void Fail(const Error& error) const;
  Result<boost::json::object> Json() const;
};

struct AdminService::Impl {
  PlacementPort& port;
  PlacementLeader& leader;
  MoveDriver& mover;
  std::map<std::uint64_t, std::vector<rebalance::StartMove>> plans;  // shown, by number
  ShardChecks checks{port};

  void Run(void (Impl::*handler)(AdminCall&&), AdminCall&& call);

  void GetCluster(AdminCall&& call);
  void GetNodes(AdminCall&& call);
  void GetShards(AdminCall&& call);
  void GetShard(AdminCall&& call);
  void GetPlacement(AdminCall&& call);
  void GetMoves(AdminCall&& call);
  void GetMove(AdminCall&& call);
  void GetDecrees(AdminCall&& call);
  void GetSettings(AdminCall&& call);
  void PostPlan(AdminCall&& call);
  void ExecutePlan(AdminCall&& call);
  void StopPlan(AdminCall&& call);

  void PostMove(AdminCall&& call);
  void CancelMove(AdminCall&& call);
  void PauseMove(AdminCall&& call);
  void AwaitCancel(AdminCall&& call, MoveId move, Instant deadline);
  void ChangeNode(AdminCall&& call);
  void Maintain(AdminCall&& call, NodeId node);
  void ProposeMaintenance(AdminCall&& call, NodeId node, std::uint64_t for_ms);
  void PatchSettings(AdminCall&& call);
  void TransferLeader(AdminCall&& call);
  void CheckShard(AdminCall&& call);

  AdminView View() const;
  NodeId LeaderOf(ShardId shard) const;
  Result<ShardId> FindShard(const AdminTarget& target) const;
  Result<MoveId> FindMove(const AdminTarget& target) const;
  Result<rebalance::StartMove> ReadMove(const boost::json::object& fields) const;
  // Proposes the change; `answer` makes the body of a success.
  void Propose(AdminCall&& call, rebalance::PlacementChange change,
               std::function<AdminResponse(const CommandResult&)> answer);
};

}  // namespace decree::node
