// The administration interface's JSON: replicated state and the leader's volatile knowledge in, the
// objects of contract.md out. Pure. Times are milliseconds since 1970; absent values are null.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "kv/api/rpc.h"
#include "rebalance/planner.h"
#include "server/node/move_driver.h"
#include "server/node/placement_leader.h"

namespace decree::node {

// What the pages are drawn from. All outlive the view.
struct AdminView {
  const rebalance::PlacementState& state;
  const PlacementLeader& leader;
  const MoveDriver& mover;
  NodeId self;
  WallMs now = 0;  // replicated time
};

// A shard's number, or "placement".
boost::json::value ShardNumber(ShardId shard);
boost::json::object ClusterJson(const AdminView& view);
boost::json::object NodesJson(const AdminView& view);
boost::json::object ShardsJson(const AdminView& view);
boost::json::object ShardJson(const AdminView& view, ShardId shard);
boost::json::object MovesJson(const AdminView& view);
boost::json::object MoveJson(const AdminView& view, const rebalance::MoveRecord& move);
boost::json::object DecreesJson(const rebalance::PlacementState& state, std::uint64_t from,
                                std::size_t limit);
boost::json::object SettingsJson(const rebalance::Settings& settings);
// The change that a PATCH body asks for; the reason if a field is unknown or malformed.
Result<rebalance::ChangeSettings> ReadSettings(const boost::json::object& patch);
boost::json::object PlanJson(const AdminView& view, std::uint64_t id, const rebalance::Plan& plan);

// As AdminProblem(code, detail) of admin_service.h, with another HTTP status.
AdminResponse AdminProblem(std::uint32_t status, Errc code, std::string_view detail);

}  // namespace decree::node
