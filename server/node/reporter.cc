#include "server/node/reporter.h"

#include <algorithm>
#include <utility>

#include "server/node/boot.h"
#include "server/node/control.h"

namespace decree::node {

struct Reporter::Collection {
  NodeReport report;
  Histogram latencies;
  std::size_t missing = 0;
};

void Reporter::Start() {
  for (const auto& worker : node_->workers) counts_[worker.get()];
  Tick(++generation_);
}

void Reporter::Tick(std::uint64_t generation) {
  if (generation != generation_ || node_->stopping) return;
  Collect(generation);
  Executor& executor = node_->workers[0]->executor();
  executor.RunAt(executor.Now() + node_->config.report_every,
                 [this, generation] { Tick(generation); });
}

void Reporter::Collect(std::uint64_t generation) {
  auto collection = std::make_shared<Collection>();
  collection->missing = node_->workers.size();
  collection->report.node = DescribeNode(*node_, node_->node());
  for (const store::Disk* disk : node_->disks) {
    const store::DiskSpace space = disk->space();
    collection->report.disks.push_back({disk->incarnation(), space.capacity_bytes, space.used_bytes,
                                        node_->control->DiskFailed(*disk)});
  }
  for (const auto& worker : node_->workers) {
    worker->executor().Post([this, generation, collection, worker = worker.get()] {
      auto replicas = std::make_shared<std::vector<ReplicaReport>>(DescribeReplicas(*worker));
      auto latencies = std::make_shared<Histogram>(worker->TakeLatencies());
      node_->workers[0]->executor().Post([this, generation, collection, replicas, latencies] {
        auto& all = collection->report.replicas;
        all.insert(all.end(), replicas->begin(), replicas->end());
        collection->latencies.Merge(*latencies);
        if (--collection->missing > 0) return;
        Pace(collection->latencies);
        Submit(generation, std::move(collection->report));
      });
    });
  }
}

void Reporter::Pace(const Histogram& latencies) {
  std::uint64_t moved = 0;
  for (const auto& [disk, gate] : node_->move_gates) moved += gate.taken();
  const Duration p99(latencies.Percentile(99));
  const double share =
      pace_.Observe({latencies.count(), p99, moved - std::exchange(moved_bytes_, moved)});
  for (auto& [disk, gate] : node_->move_gates) gate.SetShare(move_rate_, share);
}

std::vector<ReplicaReport> Reporter::DescribeReplicas(Worker& worker) {
  std::vector<ReplicaReport> reports;
  std::map<ReplicaKey, Count>& counts = counts_.find(&worker)->second;
  std::map<ReplicaKey, Count> next;
  const Instant now = worker.executor().Now();
  worker.ForEach([&](ShardHost& host) {
    ReplicaReport report;
    report.key = host.key();
    report.disk = host.disk().incarnation();
    report.leader = host.leading();
    report.voter = host.replica().config().IsVoter(host.key().replica);
    report.epoch = host.replica().config().epoch;
    report.applied = host.facts().applied;
    report.keys = host.facts().keys;
    report.bytes = host.facts().data_bytes;
    const auto former = counts.find(host.key());
    if (former != counts.end() && now > former->second.at) {
      const double seconds = std::chrono::duration<double>(now - former->second.at).count();
      report.ops_per_s =
          static_cast<double>(host.operations() - former->second.operations) / seconds;
    }
    next[host.key()] = {host.operations(), now};
    reports.push_back(std::move(report));
  });
  counts = std::move(next);
  return reports;
}

void Reporter::Submit(std::uint64_t generation, NodeReport&& report) {
  if (generation != generation_ || node_->stopping) return;
  report.map_version = node_->map_version;
  const auto timeout = static_cast<std::uint64_t>(node_->config.report_every / milliseconds(1));
  RpcRequest request{Method::kReport, kPlacementShard, timeout, Encode(report)};
  const auto on_answer = [this](const RpcResponse& response) {
    if (response.code != Errc::kOk || node_->stopping) return;
    Result<ReportAnswer> answer = Decode<ReportAnswer>(response.body);
    if (answer && answer->map) node_->control->OfferMap(std::move(*answer->map));
    if (!answer) return;
    move_rate_ = answer->move_rate_bytes_per_s;
    for (const NodeId node : answer->silent) node_->WakeSleepersOf(node);
  };
  node_->control->link().Call(std::move(request), Repeat::kUnanswered, on_answer);
}

}  // namespace decree::node
