#include "server/node/shard_check.h"

#include <algorithm>
#include <utility>

#include "rebalance/stall_watch.h"
#include "server/node/node_rpc.h"

namespace decree::node {
namespace {

constexpr Duration kPause = 20ms;  // doubled from round to round
constexpr Duration kLongestPause = 500ms;
constexpr std::uint64_t kAttemptMs = 600;
// A replica that got the marked slot inside a snapshot, or restarted, never digests it: mark again.
constexpr Duration kMarkPatience = 5s;

}  // namespace

bool CheckedShard::equal() const {
  return std::all_of(replicas.begin(), replicas.end(), [this](const CheckedReplica& replica) {
    return !replica.digest.empty() && replica.digest == replicas.front().digest;
  });
}

void ShardCheck::Join(NodeId leader, Duration patience, Done done) {
  const Instant deadline = Now() + patience;
  waiters_.push_back({deadline, std::move(done)});
  port_->executor().RunAt(deadline, [self = shared_from_this()] {
    self->Answer([now = self->Now()](const Waiter& waiter) { return waiter.deadline <= now; });
  });
  if (running_) return;
  running_ = true;
  Begin(leader);
}

void ShardCheck::Answer(const std::function<bool(const Waiter&)>& whom) {
  Result<CheckedShard> verdict = Error(Errc::kUnavailable, "the shard has no leader");
  if (checked_.slot) verdict = checked_;
  std::vector<Waiter> answered;
  std::vector<Waiter> waiting;
  for (Waiter& waiter : waiters_) {
    (whom(waiter) ? answered : waiting).push_back(std::move(waiter));
  }
  waiters_ = std::move(waiting);
  for (const Waiter& waiter : answered) waiter.done(verdict);
}

// Goes on after a pause, as long as somebody waits.
void ShardCheck::After(Duration pause, std::function<void(ShardCheck&)> step) {
  port_->executor().RunAt(Now() + pause, [self = shared_from_this(), step = std::move(step)] {
    if (self->waiters_.empty()) {
      self->running_ = false;
    } else {
      step(*self);
    }
  });
}

void ShardCheck::Begin(NodeId leader) {
  const rebalance::PlacementState* state = port_->state();
  if (state) {
    checked_.replicas.clear();
    for (const ReplicaPlace& place : state->Shard(checked_.shard)->entry.replicas) {
      checked_.replicas.push_back({place, {}});
    }
  }
  checked_.slot = {};
  Mark(leader ? leader : NextNode());
}

NodeId ShardCheck::NextNode() {
  return checked_.replicas[next_++ % checked_.replicas.size()].place.node;
}

void ShardCheck::Mark(NodeId node) {
  Command command;
  command.kind = CommandKind::kMark;
  RpcRequest request{Method::kWrite, checked_.shard, kAttemptMs, Encode(command)};
  port_->CallNode(node, std::move(request),
                  [self = shared_from_this()](RpcResponse response) { self->OnMarked(response); });
}

// A mark changes nothing, so one whose outcome is unknown may be written again.
void ShardCheck::OnMarked(const RpcResponse& response) {
  const auto result = Decode<CommandResult>(response.body);
  if (response.code == Errc::kOk && result && result->code == Errc::kOk) {
    checked_.slot = Slot{result->version};
    marked_at_ = Now();
    pause_ = kPause;
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
                  [self = shared_from_this(), index](const RpcResponse& response) {
                    self->OnStatus(index, response);
                    self->OnRound();
                  });
}

void ShardCheck::OnStatus(std::size_t index, const RpcResponse& response) {
  const auto status = Decode<rebalance::ReplicaStatus>(response.body);
  if (response.code != Errc::kOk || !status) return;
  largest_bytes_ = std::max(largest_bytes_, status->data_bytes);
  for (const rebalance::ReplicaDigest& entry : status->digests) {
    if (entry.slot == checked_.slot) checked_.replicas[index].digest = entry.digest;
  }
}

bool ShardCheck::MarkIsOld() const {
  return Now() - marked_at_ > kMarkPatience + rebalance::DigestTime(largest_bytes_);
}

void ShardCheck::OnRound() {
  if (--asked_ > 0) return;
  const auto& replicas = checked_.replicas;
  const bool all = std::none_of(replicas.begin(), replicas.end(),
                                [](const CheckedReplica& one) { return one.digest.empty(); });
  if (all) {
    running_ = false;
    return Answer([](const Waiter&) { return true; });
  }
  if (!MarkIsOld()) {
    After(pause_, [](ShardCheck& self) { self.Collect(); });
    pause_ = std::min<Duration>(pause_ * 2, kLongestPause);
    return;
  }
  After(kPause, [](ShardCheck& self) { self.Begin(NodeId{}); });
}

void ShardChecks::Run(ShardId shard, NodeId leader, Duration patience, ShardCheck::Done done) {
  std::shared_ptr<ShardCheck>& check = checks_[shard];
  if (!check || !check->running()) check = std::make_shared<ShardCheck>(*port_, shard);
  check->Join(leader, patience, std::move(done));
}

}  // namespace decree::node
