#include "server/node/cluster_search.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"
#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kEvery = 500ms;
constexpr Duration kPatience = 3s;  // without any answer from the placement group
constexpr std::uint64_t kAnswerMs = 1000;

}  // namespace

void ClusterSearch::Start() {
  started_ = node_->workers[0]->executor().Now();
  Tick(++generation_);
}

bool ClusterSearch::Lost() const {
  if (!node_->control->map()) return true;
  const Instant heard = std::max(started_, node_->control->link().answered_at());
  return node_->workers[0]->executor().Now() - heard > kPatience;
}

void ClusterSearch::Tick(std::uint64_t generation) {
  if (generation != generation_ || node_->stopping) return;
  const bool lost = Lost();
  if (lost && !lost_) {
    SOMETIMES(cluster_searched_at_join_addresses);
    node_->Log(LogLevel::kInfo, "the placement group is not found: asking everybody else");
  }
  lost_ = lost;
  for (std::size_t i = 0; lost && i < node_->config.join.size(); ++i) Ask(node_->config.join[i]);
  if (lost) AskNextNode();
  Executor& executor = node_->workers[0]->executor();
  executor.RunAt(executor.Now() + kEvery, [this, generation] { Tick(generation); });
}

void ClusterSearch::Ask(const std::string& address) {
  node_->transport->CallAddress(node_->workers[0]->executor(), address,
                                RpcRequest{Method::kGetMap, kPlacementShard, kAnswerMs, {}},
                                [this, address, generation = generation_](RpcResponse response) {
                                  if (generation == generation_) OnAnswer(address, response);
                                });
}

void ClusterSearch::AskNextNode() {
  const auto& map = node_->control->map();
  if (!map || map->nodes.empty()) return;
  const NodeId to = map->nodes[next_node_++ % map->nodes.size()].node;
  if (to == node_->node()) return;
  RpcRequest request{Method::kGetMap, kPlacementShard, kAnswerMs, Encode(*map)};
  node_->transport->Call(node_->workers[0]->executor(), to, Channel::kControl, std::move(request),
                         [this, generation = generation_](const RpcResponse& response) {
                           if (generation == generation_) OnAnswer({}, response);
                         });
}

// `address`: where the answer came from, if it is not known from the map.
void ClusterSearch::OnAnswer(const std::string& address, const RpcResponse& response) {
  if (node_->stopping || response.code != Errc::kOk) return;
  Result<ShardMap> map = Decode<ShardMap>(response.body);
  if (!map || map->cluster != node_->cluster()) return;
  const NodeId who = response.served_by;
  if (who && who != node_->node() && !address.empty()) {
    const auto& known = node_->control->map() ? *node_->control->map() : *map;
    const NodeAddress* said = known.Address(who);
    found_[who] = {address, said ? said->rpc : std::string()};
  }
  node_->control->OfferMap(std::move(*map));
  node_->control->SetAddresses();
}

std::map<NodeId, std::string> ClusterSearch::Addresses(const ShardMap* map) {
  std::map<NodeId, std::string> addresses;
  for (std::size_t i = 0; map && i < map->nodes.size(); ++i) {
    addresses[map->nodes[i].node] = map->nodes[i].rpc;
  }
  std::erase_if(found_, [&](const auto& item) {
    const auto said = addresses.find(item.first);
    return said != addresses.end() && said->second != item.second.instead_of;
  });
  for (const auto& [node, found] : found_) addresses[node] = found.at;
  return addresses;
}

}  // namespace decree::node
