#include "server/node/relay.h"

#include <utility>
#include <vector>

#include "kv/base/mark.h"
#include "server/node/node_shared.h"

namespace decree::node {
namespace {

constexpr Duration kStraightAgain = 10s;

}  // namespace

// Anybody on the map, by chance: in turn, calls to several nodes would meet the same ones again and
// again. 0: there is nobody.
NodeId Relay::SomebodyElse(NodeId than) {
  std::vector<NodeId> others;
  if (map_) {
    for (const NodeAddress& address : map_->nodes) {
      if (address.node != than && address.node != node_->node()) others.push_back(address.node);
    }
  }
  if (others.empty()) return {};
  return others[node_->workers[0]->executor().RandomWord() % others.size()];
}

void Relay::Call(NodeId to, RpcRequest request, RpcReply reply) {
  const auto way = ways_.find(to);
  NodeId through = way == ways_.end() ? NodeId{} : way->second.through;
  const Instant now = node_->workers[0]->executor().Now();
  if (through && now - way->second.since > kStraightAgain) {
    through = {};
    ways_.erase(way);
  }
  if (through) {
    SOMETIMES(relay_carries_a_call_on);
    const ShardId shard = request.shard;
    const std::uint64_t timeout_ms = request.timeout_ms;
    request = {Method::kRelay, shard, timeout_ms, Encode(RelayedCall{to, std::move(request)})};
  }
  node_->workers[0]->Call(through ? through : to, Channel::kControl, std::move(request),
                          [this, to, through, reply = std::move(reply)](RpcResponse response) {
                            // Nobody can tell who of the two was busy.
                            const bool busy = through && response.code == Errc::kBusy;
                            if (busy) response.code = Errc::kUnavailable;
                            OnAnswer(to, through, response);
                            reply(std::move(response));
                          });
}

// Whoever says nothing may be dead, or the link to it: the other way will tell.
void Relay::OnAnswer(NodeId to, NodeId through, const RpcResponse& response) {
  const bool silent = response.code == Errc::kOutcomeUnknown || response.code == Errc::kUnavailable;
  if (!silent || to == node_->node()) return;
  const auto way = ways_.find(to);
  const NodeId now = way == ways_.end() ? NodeId{} : way->second.through;
  if (now != through) return;  // changed since that call began
  const NodeId other = SomebodyElse(to);
  if (through || !other) {
    ways_.erase(to);
  } else {
    ways_[to] = {other, node_->workers[0]->executor().Now()};
  }
}

void Relay::CarryOn(RelayedCall call, RpcReply reply) {
  node_->workers[0]->Call(call.to, Channel::kControl, std::move(call.request), std::move(reply));
}

}  // namespace decree::node
