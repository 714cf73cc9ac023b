#include "server/node/placement_desk.h"

#include <utility>

#include "kv/api/limits.h"
#include "server/node/control.h"
#include "server/node/node_shared.h"
#include "server/node/placement_machine.h"

namespace decree::node {

PlacementDesk::PlacementDesk(NodeShared& node)
    : node_(&node),
      leader_(*this),
      mover_(
          *this, [this](NodeId node) { return leader_.Silent(node); }, node.config.catch_up_gap),
      admin_(*this, leader_, mover_) {}

PlacementDesk::~PlacementDesk() = default;

// Two replicas may live here (a move between disks): the one that leads, if any, decides.
void PlacementDesk::OnHost() {
  const auto host = node_->workers[0]->FindShard(kPlacementShard);
  const bool leads = host && host->leading() && state() != nullptr && state()->bootstrapped();
  if (leads && leading_) mover_.Kick();
  if (leads == leading_) return;
  leading_ = leads;
  if (leads) {
    leader_.Start();
    mover_.Start();
  } else {
    Stop();
  }
}

void PlacementDesk::Stop() {
  leading_ = false;
  mover_.Stop();
  leader_.Stop();
}

void PlacementDesk::OnReport(NodeReport report) {
  if (leading_) leader_.OnReport(std::move(report));
}

std::vector<NodeId> PlacementDesk::Suspects() const {
  return leading_ ? leader_.Suspects() : std::vector<NodeId>();
}

void PlacementDesk::Admin(AdminRequest request, std::function<void(AdminResponse)> done) {
  admin_.Handle(std::move(request), std::move(done));
}

Executor& PlacementDesk::executor() { return node_->workers[0]->executor(); }
NodeId PlacementDesk::self() const { return node_->node(); }
WallMs PlacementDesk::Time() {
  const auto host = node_->workers[0]->FindShard(kPlacementShard);
  return host && host->leading() ? host->Time() : executor().WallNow();
}

const NodeConfig& PlacementDesk::config() const { return node_->config; }

const rebalance::PlacementState* PlacementDesk::state() {
  const auto host = node_->workers[0]->FindShard(kPlacementShard);
  if (!host || host->closed()) return nullptr;
  return &static_cast<PlacementMachine&>(host->machine()).state();
}

void PlacementDesk::Propose(rebalance::PlacementChange change,
                            std::function<void(CommandResult)> done) {
  Command command;
  command.kind = CommandKind::kPlacement;
  command.value = Encode(rebalance::PlacementCommand{self(), std::move(change)});
  RpcReply reply = [executor = &executor(), done = std::move(done)](RpcResponse response) {
    CommandResult result{response.code, 0, false, 0, response.detail};
    if (response.code == Errc::kOk) {
      const auto decoded = Decode<CommandResult>(response.body);
      result = decoded ? *decoded : CommandResult{Errc::kCorruption, 0, false, 0, {}};
    }
    executor->Post([done, result] { done(result); });
  };
  // A name, an address or a reason that somebody made up may have any size.
  if (const Status limits = CheckLimits(command); !limits) {
    RpcResponse refusal;
    refusal.code = limits.error().code();
    refusal.detail = limits.error().detail();
    return reply(std::move(refusal));
  }
  const auto host = node_->workers[0]->FindShard(kPlacementShard);
  if (!host) {
    RpcResponse refusal;
    refusal.code = Errc::kNotLeader;
    return reply(std::move(refusal));
  }
  host->Write(std::move(command), std::move(reply));
}

void PlacementDesk::CallNode(NodeId to, RpcRequest request, RpcReply reply) {
  node_->control->relay().Call(to, std::move(request), std::move(reply));
}

void PlacementDesk::Log(LogLevel level, std::string_view line) { node_->Log(level, line); }

}  // namespace decree::node
