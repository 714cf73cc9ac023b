// What the parts of one node share: configuration, seams, workers, and the few facts that more than
// one thread reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kv/api/shard_map.h"
#include "server/node/catalog.h"
#include "server/node/node_core.h"
#include "server/node/worker.h"

namespace decree::node {

class Control;

struct NodeShared {
  NodeConfig config;
  Transport* transport = nullptr;
  std::vector<store::Disk*> disks;
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Control> control;  // worker 0

  // Written by worker 0, read by all.
  std::atomic<std::uint32_t> node_id{0};
  std::atomic<std::uint64_t> cluster_id{0};
  std::atomic<std::uint64_t> map_version{0};
  std::atomic<bool> serving{false};
  std::atomic<bool> stopping{false};
  KeptLog kept_log;  // any thread
  // One a disk; they themselves: any thread.
  std::map<const store::Disk*, MoveGate> move_gates;
  std::map<const store::Disk*, std::shared_ptr<SpaceLedger>> space_ledgers;

  NodeId node() const { return NodeId{node_id.load(std::memory_order_acquire)}; }
  ClusterId cluster() const { return ClusterId{cluster_id.load(std::memory_order_acquire)}; }
  Worker& WorkerOf(ShardId shard) {
    // The placement group lives with the control part, which reads its state.
    return shard == kPlacementShard ? *workers[0] : *workers[shard.value % workers.size()];
  }
  // Any thread.
  void WakeSleepersOf(NodeId leader) const {
    for (const auto& worker : workers) {
      worker->executor().Post([worker = worker.get(), leader] { worker->WakeSleepersOf(leader); });
    }
  }
  void Log(LogLevel level, std::string_view line) const {
    if (config.log) config.log(level, line);
  }
};

}  // namespace decree::node
