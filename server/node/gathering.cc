#include "server/node/gathering.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace decree::node {
namespace {

constexpr Duration kPause = 200ms;
constexpr std::uint64_t kAnswerMs = 1000;

bool Lower(const GatherAnswer& a, const GatherAnswer& b) {
  return std::tie(a.address, a.token) < std::tie(b.address, b.token);
}

}  // namespace

GatherAnswer DescribeGatherer(const NodeShared& node, ClusterId cluster) {
  GatherAnswer self;
  self.cluster = cluster;
  self.gathers = !cluster && node.config.bootstrap_expect > 0;
  self.token = node.disks.front()->incarnation();
  self.address = node.config.advertise_rpc;
  return self;
}

void Gathering::Run() {
  if (node_->stopping) return done_(Error(Errc::kShuttingDown, "stopped while gathering"));
  present_ = {DescribeGatherer(*node_, ClusterId{})};
  missing_ = node_->config.join.size();
  for (const std::string& address : node_->config.join) {
    node_->transport->CallAddress(
        node_->workers[0]->executor(), address,
        RpcRequest{Method::kGather, kPlacementShard, kAnswerMs, {}},
        [self = shared_from_this()](RpcResponse response) { self->OnAnswer(response); });
  }
}

void Gathering::OnAnswer(const RpcResponse& response) {
  Result<GatherAnswer> answer = Errc::kUnavailable;
  if (response.code == Errc::kOk) answer = Decode<GatherAnswer>(response.body);
  if (answer && answer->cluster) cluster_found_ = true;
  const auto same = [&](const GatherAnswer& known) { return known.token == answer->token; };
  if (answer && answer->gathers && std::none_of(present_.begin(), present_.end(), same)) {
    present_.push_back(std::move(*answer));
  }
  if (--missing_ == 0) OnRound();
}

void Gathering::OnRound() {
  if (node_->stopping) return Run();
  if (cluster_found_) return done_(Part::kJoiner);
  const bool enough = present_.size() >= node_->config.bootstrap_expect;
  const bool lowest = std::min_element(present_.begin(), present_.end(), Lower) == present_.begin();
  if (enough && lowest) return done_(Part::kFounder);
  LogProgress();
  Executor& executor = node_->workers[0]->executor();
  executor.RunAt(executor.Now() + kPause, [self = shared_from_this()] { self->Run(); });
}

void Gathering::LogProgress() {
  if (std::exchange(logged_, present_.size()) == present_.size()) return;
  node_->Log(LogLevel::kInfo, std::to_string(present_.size()) + " of " +
                                  std::to_string(node_->config.bootstrap_expect) +
                                  " nodes are here to form the new cluster");
}

}  // namespace decree::node
