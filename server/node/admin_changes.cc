// The requests that change something: each is a decree, or a call to a shard's leader.
#include <algorithm>

#include "server/node/admin_impl.h"
#include "server/node/node_rpc.h"

namespace decree::node {
namespace {

namespace json = boost::json;
using Impl = AdminService::Impl;

constexpr std::uint64_t kTransferMs = 2000;
constexpr Duration kCancelPoll = 10ms;

// A field that may be missing; another kind of value than a small number is an error.
Result<std::optional<std::uint32_t>> ReadSmall(const json::object& fields, const char* name) {
  const json::value* value = fields.if_contains(name);
  if (!value || value->is_null()) return std::optional<std::uint32_t>();
  boost::system::error_code bad;
  const auto number = value->is_number() ? value->to_number<std::uint32_t>(bad) : 0;
  if (!value->is_number() || value->is_double() || bad) {
    return Error(Errc::kInvalidArgument, std::string("'") + name + "' is no number");
  }
  return std::optional(number);
}

Result<std::optional<ShardId>> ReadShard(const json::object& fields) {
  const json::value* value = fields.if_contains("shard");
  const bool placement = value && value->is_string() && value->get_string() == "placement";
  if (placement) return std::optional(kPlacementShard);
  const auto number = ReadSmall(fields, "shard");
  if (!number) return number.error();
  if (!*number) return std::optional<ShardId>();
  return std::optional(ShardId{**number});
}

Result<Incarnation> FindDisk(const rebalance::PlacementState& state, NodeId node,
                             std::uint32_t index) {
  const rebalance::NodeRecord* record = state.Node(node);
  if (record && index < record->disks.size()) return record->disks[index].incarnation;
  return Error(Errc::kImpossible,
               "node " + ToString(node) + " has no disk " + std::to_string(index));
}

Error Impossible(std::string detail) { return Error(Errc::kImpossible, std::move(detail)); }

}  // namespace

void Impl::Propose(AdminCall&& call, rebalance::PlacementChange change,
                   std::function<AdminResponse(const CommandResult&)> answer) {
  port.Propose(std::move(change),
               [call = std::move(call), answer = std::move(answer)](CommandResult result) {
                 if (result.code != Errc::kOk) return call.Fail({result.code, result.detail});
                 call.done(answer(result));
               });
}

Result<rebalance::StartMove> Impl::ReadMove(const json::object& fields) const {
  const rebalance::PlacementState& state = *port.state();
  const auto shard_id = ReadShard(fields);
  if (!shard_id) return shard_id.error();
  const auto from = ReadSmall(fields, "from"), to = ReadSmall(fields, "to"),
             from_disk = ReadSmall(fields, "from_disk"), to_disk = ReadSmall(fields, "to_disk");
  for (const auto* field : {&from, &to, &from_disk, &to_disk}) {
    if (!*field) return field->error();
  }
  if (!*shard_id || !*to) return Error(Errc::kInvalidArgument, "a move names 'shard' and 'to'");
  const rebalance::ShardRecord* shard = state.Shard(**shard_id);
  if (!shard) return Impossible("no shard " + ToString(**shard_id));
  rebalance::StartMove start;
  start.shard = **shard_id;
  start.epoch = shard->entry.epoch;
  start.to = NodeId{**to};
  if (!start.to) return Error(Errc::kImpossible, "no node 0");
  start.cause = rebalance::MoveCause::kOperator;
  start.reason = "asked for by an operator";
  if (*to_disk) {
    const Result<Incarnation> disk = FindDisk(state, start.to, **to_disk);
    if (!disk) return disk.error();
    start.to_disk = *disk;
  }
  if (!*from) return start;  // a fill-up
  Incarnation source_disk;
  if (*from_disk) {
    const Result<Incarnation> disk = FindDisk(state, NodeId{**from}, **from_disk);
    if (!disk) return disk.error();
    source_disk = *disk;
  }
  for (const ReplicaPlace& place : shard->entry.replicas) {
    const bool disk_fits = !source_disk || place.disk == source_disk;
    if (place.node == NodeId{**from} && disk_fits) start.source = place.replica;
  }
  if (start.source) return start;
  return Impossible("node " + std::to_string(**from) + " holds no replica of the shard there");
}

void Impl::PostMove(AdminCall&& call) {
  const Result<json::object> fields = call.Json();
  if (!fields) return call.Fail(fields.error());
  Result<rebalance::StartMove> start = ReadMove(*fields);
  if (!start) return call.Fail(start.error());
  Propose(std::move(call), std::move(*start), [](const CommandResult& result) {
    AdminResponse response = AdminOk(json::object{{"id", result.version}}, 202);
    response.location = "/v1/admin/moves/" + std::to_string(result.version);
    return response;
  });
}

void Impl::CancelMove(AdminCall&& call) {
  const Result<MoveId> move = FindMove(call.target);
  if (!move) return call.Fail(move.error());
  const rebalance::CancelMove cancel{*move, "cancelled by an operator"};
  const Instant deadline = port.executor().Now() + call.patience;
  port.Propose(
      cancel, [this, call = std::move(call), move = *move, deadline](CommandResult result) mutable {
        if (result.code != Errc::kOk) return call.Fail({result.code, result.detail});
        AwaitCancel(std::move(call), move, deadline);
      });
}

void Impl::PauseMove(AdminCall&& call) {
  const Result<MoveId> move = FindMove(call.target);
  if (!move) return call.Fail(move.error());
  const bool pause = call.target.action == "pause";
  rebalance::PauseMove change{*move, pause, pause ? "paused by an operator" : "resumed"};
  Propose(std::move(call), std::move(change), [this, id = *move](const CommandResult&) {
    const rebalance::MoveRecord* record = port.state() ? port.state()->Move(id) : nullptr;
    return AdminOk(record ? MoveJson(View(), *record) : json::object{{"id", id.value}});
  });
}

// A cancelled move takes no forward decree before stage seal, so there the answer is certain. At
// stage seal a Seal may be on its way, and the shard's log decides: the answer waits for its word,
// whoever leads the placement group by then.
void Impl::AwaitCancel(AdminCall&& call, MoveId move, Instant deadline) {
  using rebalance::Stage;
  const rebalance::MoveRecord* record = port.state() ? port.state()->Move(move) : nullptr;
  if (record) {
    const bool back = record->stage == Stage::kRolledBack;
    if (back || record->stage < Stage::kSeal) return call.done(AdminOk(MoveJson(View(), *record)));
    if (record->stage > Stage::kSeal) {
      return call.Fail({Errc::kConflict,
                        "the switch of move " + ToString(move) + " was decided before the cancel"});
    }
  }
  const Instant now = port.executor().Now();
  if (now >= deadline) {
    return call.Fail({Errc::kOutcomeUnknown,
                      "the cancel is noted, but the shard has not yet said "
                      "whether its switch came first: look at the move"});
  }
  port.executor().RunAt(now + kCancelPoll,
                        [this, call = std::move(call), move, deadline]() mutable {
                          AwaitCancel(std::move(call), move, deadline);
                        });
}

void Impl::ChangeNode(AdminCall&& call) {
  using rebalance::NodeState;
  const auto number = ParseNumber(call.target.item);
  const NodeId id{number && *number <= UINT32_MAX ? static_cast<std::uint32_t>(*number) : 0};
  const rebalance::NodeRecord* node = port.state()->Node(id);
  if (!node) return call.Fail({Errc::kNotFound, "no node " + call.target.item});
  const bool drains = node->state == NodeState::kDraining || node->state == NodeState::kDrained;
  if (call.target.action == "drain" && !call.body.empty()) return Maintain(std::move(call), id);
  if (call.target.action == "undrain" && !drains && node->maintained(port.Time())) {
    return ProposeMaintenance(std::move(call), id, 0);
  }
  rebalance::SetNodeState change{id, NodeState::kUp, "asked for by an operator"};
  if (call.target.action == "drain") change.state = NodeState::kDraining;
  if (call.target.action == "remove") change.state = NodeState::kRemoved;
  if (change.state == NodeState::kUp && !drains) {
    return call.Fail({Errc::kConflict, "node " + call.target.item + " is not being drained"});
  }
  if (change.state == NodeState::kDraining && !drains) {
    const std::string obstacle = leader.DrainObstacle(id);
    if (!obstacle.empty()) return call.Fail(Impossible(obstacle));
  }
  Propose(std::move(call), std::move(change), [id](const CommandResult&) {
    return AdminOk(json::object{{"id", id.value}}, 202);
  });
}

// {"for_s": 600}: leaderships only, and no replacement meanwhile.
void Impl::Maintain(AdminCall&& call, NodeId node) {
  const Result<json::object> fields = call.Json();
  if (!fields) return call.Fail(fields.error());
  const auto seconds = ReadSmall(*fields, "for_s");
  if (!seconds) return call.Fail(seconds.error());
  if (!*seconds || **seconds == 0) {
    return call.Fail({Errc::kInvalidArgument, "maintenance names 'for_s', above zero"});
  }
  ProposeMaintenance(std::move(call), node, std::uint64_t{1000} * **seconds);
}

void Impl::ProposeMaintenance(AdminCall&& call, NodeId node, std::uint64_t for_ms) {
  rebalance::Maintain change{node, for_ms, "asked for by an operator"};
  Propose(std::move(call), std::move(change), [node](const CommandResult&) {
    return AdminOk(json::object{{"id", node.value}}, 202);
  });
}

void Impl::PatchSettings(AdminCall&& call) {
  const Result<json::object> fields = call.Json();
  if (!fields) return call.Fail(fields.error());
  const Result<rebalance::ChangeSettings> change = ReadSettings(*fields);
  if (!change) return call.Fail(change.error());
  Propose(std::move(call), *change, [this](const CommandResult&) {
    const rebalance::PlacementState* state = port.state();
    return AdminOk(state ? SettingsJson(state->settings()) : json::object());
  });
}

void Impl::TransferLeader(AdminCall&& call) {
  const Result<ShardId> shard = FindShard(call.target);
  if (!shard) return call.Fail(shard.error());
  const Result<json::object> fields = call.Json();
  if (!fields) return call.Fail(fields.error());
  const auto to = ReadSmall(*fields, "to");
  if (!to) return call.Fail(to.error());
  if (!*to) return call.Fail({Errc::kInvalidArgument, "a transfer names 'to'"});
  const ShardEntry& entry = port.state()->Shard(*shard)->entry;
  const auto target = std::find_if(
      entry.replicas.begin(), entry.replicas.end(),
      [&](const ReplicaPlace& place) { return place.voter && place.node == NodeId{**to}; });
  if (target == entry.replicas.end()) {
    return call.Fail(Impossible("node " + std::to_string(**to) + " has no vote in the shard"));
  }
  const NodeId leads = LeaderOf(*shard);
  if (!leads) return call.Fail({Errc::kUnavailable, "the shard has no leader"});
  const AdminResponse accepted =
      AdminOk(json::object{{"shard", ShardNumber(*shard)}, {"to", **to}}, 202);
  if (leads == target->node) return call.done(accepted);
  ChangeMembers change;
  change.kind = ChangeKind::kTransferLeader;
  change.epoch = entry.epoch;
  change.member = {target->replica, target->node};
  RpcRequest request{Method::kChangeMembers, *shard, kTransferMs, Encode(change)};
  port.CallNode(leads, std::move(request),
                [call = std::move(call), accepted](RpcResponse response) {
                  if (response.code != Errc::kOk)
                    return call.Fail({response.code, response.detail});
                  call.done(accepted);
                });
}

void Impl::CheckShard(AdminCall&& call) {
  const Result<ShardId> shard = FindShard(call.target);
  if (!shard) return call.Fail(shard.error());
  const Duration patience = call.patience;
  const auto answer = [call = std::move(call)](Result<CheckedShard> checked) {
    if (!checked) return call.Fail(checked.error());
    json::array replicas;
    for (const CheckedReplica& one : checked->replicas) {
      replicas.push_back(json::object{
          {"node", one.place.node.value},
          {"replica", one.place.replica.value},
          {"digest", one.digest.empty() ? json::value(nullptr) : json::value(one.digest)}});
    }
    call.done(AdminOk(json::object{{"shard", ShardNumber(checked->shard)},
                                   {"slot", checked->slot.value},
                                   {"equal", checked->equal()},
                                   {"replicas", std::move(replicas)}}));
  };
  checks.Run(*shard, LeaderOf(*shard), patience, answer);
}

}  // namespace decree::node
