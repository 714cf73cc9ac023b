// The whole node without its sockets: what decreed, the embedded node and the simulator run. Its
// surroundings come in through four seams: executors (time, order, chance), transport, disks, and
// the log callback.
//
// Worker 0 also runs the control part (identity, shard map, reports, placement). A shard lives on
// worker shard % workers. All waiting happens in callbacks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/replica.h"
#include "kv/api/caller.h"
#include "kv/api/rpc.h"
#include "kv/base/executor.h"
#include "kv/base/log_sink.h"
#include "kv/store/disk.h"
#include "kv/store/sessions.h"
#include "server/node/host_watch.h"
#include "server/node/transport.h"

namespace decree::node {

struct NodeConfig {
  std::string name;  // empty: "node-<id>"
  std::string zone;
  std::string advertise_rpc;  // what others dial; empty for a node that never talks to others
  std::string advertise_http;
  std::vector<std::string> join;  // addresses of other nodes; empty with empty data: a new cluster
  std::uint32_t bootstrap_expect = 0;
  std::uint32_t shards = 64;   // new cluster only; a power of two
  std::uint32_t replicas = 3;  // new cluster only
  consensus::Options consensus;
  Duration report_every = 500ms;
  Duration suspect_after = 3s;  // no report for this long: not up
  std::uint64_t flush_bytes = std::uint64_t{4}
                              << 20;  // unflushed rows of a shard that ask for a flush
  // Batches of a shard on their way at once. Two keep the disk busy while the network works; a few
  // more hide jitter; many would make batches small.
  std::size_t max_open_batches = 4;
  store::SessionLimits sessions;  // the same on every node of a cluster
  // A directory that was asked for and does not open; `disks` has the others. Only a node that
  // served before starts without it.
  std::optional<Error> lost_disk;
  // What all shards together keep in memory of their logs below durable rows, for members that lag
  // (half of it) and for snapshots on their way (P10).
  std::uint64_t kept_log_bytes = std::uint64_t{256} << 20;
  // How far behind its leader a replica is caught up (design.md section 4, step 5), and how long a
  // target rests that was told to and hears nothing more; the driver repeats it twice a second.
  std::uint64_t catch_up_gap = 128;
  Duration fetch_hold = 10s;
  // Rows of at most so many bytes go with the answer that names their files.
  std::uint64_t inline_snapshot_bytes = std::uint64_t{2} << 20;
  // A leader has its followers serve snapshots, where one is fit.
  bool snapshots_from_followers = true;
  LogSink log;
  HostWatch* watch = nullptr;                             // outlives the node
  std::function<void(const std::string&)> on_disks_lost;  // the last disk failed: end with an error
};

class NodeCore {
 public:
  // The seams outlive the node. Executors must be running (or be run) for anything to happen.
  NodeCore(NodeConfig config, std::vector<Executor*> workers, Transport& transport,
           std::vector<store::Disk*> disks);
  // Once no executor runs any more: Stop leaves timers behind that find nothing to do.
  ~NodeCore();

  // Opens the replicas on the disks, then bootstraps, joins or rejoins. `ready` runs on worker 0
  // when this node is registered and serves calls (a rejoin does not wait for a quorum), or with
  // the reason why it cannot: kWrongCluster, kCorruption, kUnavailable.
  void Start(std::function<void(Status)> ready);
  // Not ready any more; leads no shard that somebody else can lead, or the grace is over. Goes on
  // serving.
  void HandOver(Duration grace, std::function<void()> done);
  // The same; then finishes what its callers have under way until the grace is over, and closes the
  // replicas. What still comes in is not waited for: the doors are closed before. When `done` runs,
  // the node sends, writes and changes nothing any more.
  void Stop(Duration grace, std::function<void()> done);

  // From the transport. Any thread. A reply runs on some worker, exactly once.
  void OnEnvelopes(std::vector<consensus::Envelope> envelopes);
  void OnRequest(NodeId from, RpcRequest request, RpcReply reply);
  // A link to that node, over which something was sent, went down.
  void OnLinkDown(NodeId node);

  // ---- for the doors (HTTP, embedded client) ----
  // Use from that worker only. The caller's operations are answered through any leader in the
  // cluster.
  Caller& caller(std::size_t worker);
  // GET/POST/PATCH/DELETE under /v1/admin, any thread; the answer runs on worker 0.
  void Admin(AdminRequest request, Duration timeout, std::function<void(AdminResponse)> done);

  NodeId id() const;  // 0 before it is known
  ClusterId cluster() const;
  bool ready() const;  // serving and not stopping: /readyz. Any thread.
  std::size_t workers() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::node
