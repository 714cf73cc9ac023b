#include "server/node/admin_service.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "kv/base/utf8.h"
#include "server/node/admin_impl.h"

namespace decree::node {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kDecreesByDefault = 1000;
constexpr std::uint64_t kMostDecrees = 10'000;

// What each resource takes: the routes of contract.md.
struct Route {
  std::string_view collection;
  bool item;
  std::string_view action;
  std::string_view method;
  void (AdminService::Impl::*handler)(AdminCall&&);
};
using Impl = AdminService::Impl;
constexpr std::array<Route, 23> kRoutes = {{
    {"cluster", false, "", "GET", &Impl::GetCluster},
    {"nodes", false, "", "GET", &Impl::GetNodes},
    {"nodes", true, "drain", "POST", &Impl::ChangeNode},
    {"nodes", true, "undrain", "POST", &Impl::ChangeNode},
    {"nodes", true, "remove", "POST", &Impl::ChangeNode},
    {"shards", false, "", "GET", &Impl::GetShards},
    {"shards", true, "", "GET", &Impl::GetShard},
    {"shards", true, "transfer-leader", "POST", &Impl::TransferLeader},
    {"shards", true, "check", "POST", &Impl::CheckShard},
    {"moves", false, "", "GET", &Impl::GetMoves},
    {"moves", false, "", "POST", &Impl::PostMove},
    {"moves", true, "", "GET", &Impl::GetMove},
    {"moves", true, "", "DELETE", &Impl::CancelMove},
    {"moves", true, "pause", "POST", &Impl::PauseMove},
    {"moves", true, "resume", "POST", &Impl::PauseMove},
    {"plan", false, "", "POST", &Impl::PostPlan},
    {"plan", true, "execute", "POST", &Impl::ExecutePlan},
    {"plan", false, "", "DELETE", &Impl::StopPlan},
    {"decrees", false, "", "GET", &Impl::GetDecrees},
    {"settings", false, "", "GET", &Impl::GetSettings},
    {"settings", false, "", "PATCH", &Impl::PatchSettings},
    {"placement", false, "", "GET", &Impl::GetPlacement},
    {"placement", false, "check", "POST", &Impl::CheckShard},
}};

}  // namespace

AdminResponse AdminOk(const json::value& body, std::uint32_t status) {
  AdminResponse response;
  response.status = status;
  response.body = ToUtf8(json::serialize(body));
  return response;
}

AdminService::AdminService(PlacementPort& port, PlacementLeader& leader, MoveDriver& mover)
    : impl_(std::make_shared<Impl>(Impl{port, leader, mover})) {}
AdminService::~AdminService() = default;

void AdminService::Handle(AdminRequest request, std::function<void(AdminResponse)> done) {
  AdminCall call;
  call.done = std::move(done);
  call.body = std::move(request.body);
  call.patience = milliseconds(request.timeout_ms) * 9 / 10;  // the answer has a way to go
  auto target = ParseAdminTarget(request.target);
  if (!target) return call.Fail(target.error());
  call.target = std::move(*target);
  std::string allow;
  for (const Route& route : kRoutes) {
    const bool fits = route.collection == call.target.collection &&
                      route.item == !call.target.item.empty() && route.action == call.target.action;
    if (fits && route.method == request.method) return impl_->Run(route.handler, std::move(call));
    if (fits) allow += (allow.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allow.empty()) return call.Fail({Errc::kNotFound, "no such resource"});
  AdminResponse refused = AdminProblem(405, Errc::kInvalidArgument, "this resource takes " + allow);
  refused.allow = allow;
  call.done(std::move(refused));
}

void AdminCall::Fail(const Error& error) const { done(AdminProblem(error.code(), error.detail())); }

// An empty body is an empty object.
Result<json::object> AdminCall::Json() const {
  if (body.empty()) return json::object();
  boost::system::error_code bad;
  json::value value = json::parse(body, bad);
  if (bad || !value.is_object()) {
    return Error(Errc::kInvalidArgument, "the body is not a JSON object");
  }
  return std::move(value.get_object());
}

void Impl::Run(void (Impl::*handler)(AdminCall&&), AdminCall&& call) {
  if (!leader.running() || !port.state()) {
    return call.Fail({Errc::kUnavailable, "the placement group has no leader here"});
  }
  (this->*handler)(std::move(call));
}

AdminView Impl::View() const { return {*port.state(), leader, mover, port.self(), port.Time()}; }

// ---- reading ----

void Impl::GetCluster(AdminCall&& call) { call.done(AdminOk(ClusterJson(View()))); }
void Impl::GetNodes(AdminCall&& call) { call.done(AdminOk(NodesJson(View()))); }
void Impl::GetShards(AdminCall&& call) { call.done(AdminOk(ShardsJson(View()))); }
void Impl::GetMoves(AdminCall&& call) { call.done(AdminOk(MovesJson(View()))); }
void Impl::GetPlacement(AdminCall&& call) {
  call.done(AdminOk(ShardJson(View(), kPlacementShard)));
}
void Impl::GetSettings(AdminCall&& call) {
  call.done(AdminOk(SettingsJson(port.state()->settings())));
}

// Who reported to lead the shard; 0: nobody.
NodeId Impl::LeaderOf(ShardId shard) const {
  if (shard == kPlacementShard) return port.self();
  const rebalance::ClusterView view = leader.View();
  const auto load = view.loads.find(shard);
  return load == view.loads.end() ? NodeId{} : load->second.leader;
}

Result<ShardId> Impl::FindShard(const AdminTarget& target) const {
  if (target.collection == "placement" || target.item == "placement") return kPlacementShard;
  const auto number = ParseNumber(target.item);
  const std::size_t count = port.state()->shards().size();
  if (!number) return Error(Errc::kInvalidArgument, "'" + target.item + "' is no shard number");
  if (*number >= count) return Error(Errc::kNotFound, "no shard " + target.item);
  return ShardId{static_cast<std::uint32_t>(*number)};
}

Result<MoveId> Impl::FindMove(const AdminTarget& target) const {
  const auto number = ParseNumber(target.item);
  if (!number) return Error(Errc::kInvalidArgument, "'" + target.item + "' is no move number");
  if (!port.state()->Move(MoveId{*number})) return Error(Errc::kNotFound, "no move " + target.item);
  return MoveId{*number};
}

void Impl::GetShard(AdminCall&& call) {
  const Result<ShardId> shard = FindShard(call.target);
  if (!shard) return call.Fail(shard.error());
  call.done(AdminOk(ShardJson(View(), *shard)));
}

void Impl::GetMove(AdminCall&& call) {
  const Result<MoveId> move = FindMove(call.target);
  if (!move) return call.Fail(move.error());
  call.done(AdminOk(MoveJson(View(), *port.state()->Move(*move))));
}

void Impl::GetDecrees(AdminCall&& call) {
  std::uint64_t from = 0;
  std::uint64_t limit = kDecreesByDefault;
  for (const auto& [name, value] : call.target.query) {
    const auto number = ParseNumber(value);
    if (!number || (name != "from" && name != "limit")) {
      return call.Fail({Errc::kInvalidArgument, "the query takes from=SLOT and limit=COUNT"});
    }
    (name == "from" ? from : limit) = *number;
  }
  call.done(AdminOk(DecreesJson(*port.state(), from, std::min(limit, kMostDecrees))));
}

void Impl::PostPlan(AdminCall&& call) {
  if (!leader.AllHeard()) {
    return call.Fail({Errc::kUnavailable, "fresh reports from all live nodes are not in yet"});
  }
  constexpr std::size_t kKeptPlans = 16;
  // By time, so that the number of a plan of an earlier leader names none of this one.
  std::uint64_t number = port.Time();
  if (!plans.empty()) number = std::max(number, plans.rbegin()->first + 1);
  const rebalance::Plan plan = leader.Plan();
  std::vector<rebalance::StartMove>& moves = plans[number];
  for (const rebalance::PlannedMove& move : plan.moves) moves.push_back(move.start);
  if (plans.size() > kKeptPlans) plans.erase(plans.begin());
  call.done(AdminOk(PlanJson(View(), number, plan)));
}

// What it has started goes on; what has not had its turn will not have one.
void Impl::StopPlan(AdminCall&& call) {
  const std::size_t moves = port.state()->approved().size();
  Propose(std::move(call), rebalance::ApprovePlan{}, [moves](const CommandResult&) {
    return AdminOk(json::object{{"moves", moves}});
  });
}

void Impl::ExecutePlan(AdminCall&& call) {
  const auto number = ParseNumber(call.target.item);
  const auto plan = number ? plans.find(*number) : plans.end();
  if (plan == plans.end()) {
    return call.Fail({Errc::kNotFound, "no plan " + call.target.item +
                                           ": the placement leader remembers the last ones that "
                                           "it was asked for, plan again"});
  }
  const std::size_t moves = plan->second.size();
  Propose(std::move(call), rebalance::ApprovePlan{*number, plan->second},
          [number = *number, moves](const CommandResult&) {
            AdminResponse response = AdminOk(json::object{{"id", number}, {"moves", moves}}, 202);
            response.location = "/v1/admin/moves";
            return response;
          });
}

}  // namespace decree::node
