#include "server/node/placement_link.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"
#include "server/node/control.h"

namespace decree::node {
namespace {

constexpr Duration kPause = 30ms;    // between two rounds of questions
constexpr Duration kOneTry = 600ms;  // of a call that may be repeated: then somebody else is asked

}  // namespace

struct PlacementLink::Attempt {
  RpcRequest request;
  Repeat repeat;
  RpcReply reply;
  Instant deadline;
  int asked = 0;
};

void PlacementLink::Call(RpcRequest request, Repeat repeat, RpcReply reply) {
  auto attempt = std::make_shared<Attempt>();
  attempt->repeat = repeat;
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
  if (node_->stopping) {
    RpcResponse stopped;
    stopped.code = Errc::kUnavailable;
    stopped.detail = "this node is stopping";
    return attempt->reply(std::move(stopped));
  }
  const NodeId candidate = NextCandidate();
  ++attempt->asked;
  Duration patience = attempt->deadline - node_->workers[0]->executor().Now();
  if (attempt->repeat == Repeat::kUnanswered) patience = std::min(patience, kOneTry);
  RpcRequest request = attempt->request;
  request.shard = kPlacementShard;
  request.timeout_ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::duration_cast<milliseconds>(patience).count()));
  node_->control->relay().Call(candidate, std::move(request),
                               [this, attempt, candidate](RpcResponse response) {
                                 OnAnswer(attempt, candidate, std::move(response));
                               });
}

void PlacementLink::OnAnswer(const std::shared_ptr<Attempt>& attempt, NodeId asked,
                             RpcResponse response) {
  const bool silence = response.code == Errc::kOutcomeUnknown;
  const bool not_done = response.code == Errc::kNotLeader || response.code == Errc::kStaleMap ||
                        response.code == Errc::kUnavailable;
  if (!silence && !not_done) {
    leader_ = asked;
    answered_at_ = node_->workers[0]->executor().Now();
    return attempt->reply(std::move(response));
  }
  Executor& executor = node_->workers[0]->executor();
  if (silence) SOMETIMES(placement_leader_silent);
  const bool hinted = response.leader && response.leader != asked;
  leader_ = hinted ? response.leader : NodeId{};
  if (silence && attempt->repeat == Repeat::kNotDone) return attempt->reply(std::move(response));
  if (executor.Now() + kPause > attempt->deadline) {
    SOMETIMES(placement_not_found_in_time);
    if (response.code != Errc::kOutcomeUnknown) response.code = Errc::kUnavailable;
    if (response.detail.empty()) response.detail = "no leader of the placement group answers";
    return attempt->reply(std::move(response));
  }
  if (hinted && attempt->asked % 4 != 0) return Try(attempt);
  executor.RunAt(executor.Now() + kPause, [this, attempt] { Try(attempt); });
}

}  // namespace decree::node
