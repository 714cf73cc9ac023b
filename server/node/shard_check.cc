#include "server/node/shard_check.h"

#include <algorithm>
#include <utility>

#include "server/node/node_rpc.h"

namespace decree::node {
namespace {

constexpr Duration kPause = 20ms;
constexpr std::uint64_t kAttemptMs = 600;

}  // namespace

bool CheckedShard::equal() const {
  return std::all_of(replicas.begin(), replicas.end(), [this](const CheckedReplica& replica) {
    return !replica.digest.empty() && replica.digest == replicas.front().digest;
  });
}

ShardCheck::ShardCheck(PlacementPort& port, ShardId shard, Duration patience, Done done)
    : port_(&port), deadline_(port.executor().Now() + patience), done_(std::move(done)) {
  checked_.shard = shard;
}

void ShardCheck::Run(PlacementPort& port, ShardId shard, NodeId leader, Duration patience,
                     Done done) {
  const std::shared_ptr<ShardCheck> check(new ShardCheck(port, shard, patience, std::move(done)));
  for (const ReplicaPlace& place : port.state()->Shard(shard)->entry.replicas) {
    check->checked_.replicas.push_back({place, {}});
  }
  check->Mark(leader ? leader : check->NextNode());
}

std::uint64_t ShardCheck::MillisecondsLeft() const {
  const Duration left = deadline_ - port_->executor().Now();
  return left.count() > 0 ? static_cast<std::uint64_t>(left / milliseconds(1)) : 0;
}

void ShardCheck::After(Duration pause, std::function<void(ShardCheck&)> step) {
  Executor& executor = port_->executor();
  executor.RunAt(executor.Now() + pause,
                 [self = shared_from_this(), step = std::move(step)] { step(*self); });
}

NodeId ShardCheck::NextNode() {
  return checked_.replicas[next_++ % checked_.replicas.size()].place.node;
}

void ShardCheck::Mark(NodeId node) {
  const std::uint64_t left = MillisecondsLeft();
  if (left == 0) return done_(Error(Errc::kUnavailable, "the shard has no leader"));
  Command command;
  command.kind = CommandKind::kMark;
  RpcRequest request{Method::kWrite, checked_.shard, std::min(left, kAttemptMs), Encode(command)};
  port_->CallNode(node, std::move(request),
                  [self = shared_from_this()](RpcResponse response) { self->OnMarked(response); });
}

// A mark changes nothing, so one whose outcome is unknown may be written again.
void ShardCheck::OnMarked(const RpcResponse& response) {
  const auto result = Decode<CommandResult>(response.body);
  if (response.code == Errc::kOk && result && result->code == Errc::kOk) {
    checked_.slot = Slot{result->version};
    return Collect();
  }
  const NodeId next =
      response.code == Errc::kNotLeader && response.leader ? response.leader : NextNode();
  After(kPause, [next](ShardCheck& self) { self.Mark(next); });
}

void ShardCheck::Collect() {
  asked_ = 1;
  for (std::size_t i = 0; i < checked_.replicas.size(); ++i) {
    if (!checked_.replicas[i].digest.empty()) continue;
    ++asked_;
    Ask(i);
  }
  OnRound();
}

void ShardCheck::Ask(std::size_t index) {
  const ReplicaPlace& place = checked_.replicas[index].place;
  const StatusRequest status{{checked_.shard, place.replica}};
  RpcRequest request{Method::kReplicaStatus, checked_.shard, kAttemptMs, Encode(status)};
  port_->CallNode(place.node, std::move(request),
                  [self = shared_from_this(), index](RpcResponse response) {
                    const auto status = Decode<rebalance::ReplicaStatus>(response.body);
                    if (response.code == Errc::kOk && status) {
                      for (const rebalance::ReplicaDigest& entry : status->digests) {
                        if (entry.slot != self->checked_.slot) continue;
                        self->checked_.replicas[index].digest = entry.digest;
                      }
                    }
                    self->OnRound();
                  });
}

void ShardCheck::OnRound() {
  if (--asked_ > 0) return;
  const auto& replicas = checked_.replicas;
  const bool all = std::none_of(replicas.begin(), replicas.end(),
                                [](const CheckedReplica& one) { return one.digest.empty(); });
  if (all || MillisecondsLeft() == 0) return done_(std::move(checked_));
  After(kPause, [](ShardCheck& self) { self.Collect(); });
}

}  // namespace decree::node
