#include "server/node/placement_link.h"

#include <algorithm>
#include <utility>

namespace decree::node {
namespace {

constexpr Duration kPause = 30ms;         // between two rounds of questions
constexpr std::uint64_t kOneTryMs = 600;  // a silent node is not waited for longer than this

}  // namespace

struct PlacementLink::Attempt {
  RpcRequest request;
  RpcReply reply;
  Instant deadline;
  int asked = 0;
};

void PlacementLink::Call(RpcRequest request, RpcReply reply) {
  auto attempt = std::make_shared<Attempt>();
  attempt->deadline = node_->workers[0]->executor().Now() + milliseconds(request.timeout_ms);
  attempt->request = std::move(request);
  attempt->reply = std::move(reply);
  Try(attempt);
}

NodeId PlacementLink::NextCandidate() {
  if (leader_) return leader_;
  if (!map_ || map_->placement.replicas.empty()) return node_->node();
  const auto& replicas = map_->placement.replicas;
  return replicas[rotation_++ % replicas.size()].node;
}

void PlacementLink::Try(const std::shared_ptr<Attempt>& attempt) {
  const NodeId candidate = NextCandidate();
  ++attempt->asked;
  RpcRequest request = attempt->request;
  request.shard = kPlacementShard;
  request.timeout_ms = std::min(request.timeout_ms, kOneTryMs);
  node_->workers[0]->Call(candidate, Channel::kControl, std::move(request),
                          [this, attempt, candidate](RpcResponse response) {
                            OnAnswer(attempt, candidate, std::move(response));
                          });
}

void PlacementLink::OnAnswer(const std::shared_ptr<Attempt>& attempt, NodeId asked,
                             RpcResponse response) {
  const bool elsewhere = response.code == Errc::kNotLeader || response.code == Errc::kStaleMap ||
                         response.code == Errc::kUnavailable ||
                         response.code == Errc::kOutcomeUnknown;
  if (!elsewhere) {
    leader_ = asked;
    return attempt->reply(std::move(response));
  }
  Executor& executor = node_->workers[0]->executor();
  const bool hinted = response.leader && response.leader != asked;
  leader_ = hinted ? response.leader : NodeId{};
  if (executor.Now() + kPause > attempt->deadline) {
    if (response.code != Errc::kOutcomeUnknown) response.code = Errc::kUnavailable;
    if (response.detail.empty()) response.detail = "no leader of the placement group answers";
    return attempt->reply(std::move(response));
  }
  if (hinted && attempt->asked % 4 != 0) return Try(attempt);
  executor.RunAt(executor.Now() + kPause, [this, attempt] { Try(attempt); });
}

}  // namespace decree::node
