// A node of a Decree store inside this process: alone it is a complete store in a directory, with
// others it is a member of a cluster, the same as the daemon `decreed` (a thin wrapper around it).
//
//   decree::NodeOptions options;
//   options.dirs = {"/var/lib/app/data"};
//   auto node = decree::Node::Open(options);
//   decree::Client db = (*node)->client();
//
// Opens no socket unless `listen` or `http` is set, takes no signals, keeps no globals, and never
// exits or aborts the process: what cannot go on is reported to `on_fatal`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decree/client.h"
#include "decree/log.h"
#include "decree/result.h"

namespace decree {

struct NodeOptions {
  // One directory a disk, created if absent; at least one. A directory belongs to one node of one
  // cluster and to one process at a time.
  std::vector<std::string> dirs;

  // host:port for other nodes and native clients (contract: 127.0.0.1:4740). Needed by a node that
  // joins or is to be joined. Port 0: the kernel chooses, see Node::rpc_port.
  std::optional<std::string> listen;
  // host:port of the REST door. Unset: none.
  std::optional<std::string> http;
  // What others dial, if that is not the bound address.
  std::string advertise;
  std::string advertise_http;
  // Addresses other than loopback are refused unless this is set: there is no encryption here.
  bool insecure = false;
  // Linearizable reads from the leader alone while a majority lets it. They stay linearizable as
  // long as no two nodes' monotonic clocks differ in rate by more than 1 %, and none stops while
  // the others run (a virtual machine that is frozen or restored): where that cannot be promised,
  // turn it off, on every node; reads then ask a majority each time.
  bool leases = true;
  // How soon a dead leader is replaced, and how long a lease is; the same on every node. The
  // defaults are for one site; wide-area values are in consensus/PROTOCOL.md. Wanted: 2 x heartbeat
  // <= election_min <= election_max, and lease < election_min. A shorter lease than the running
  // cluster's needs leases off first, on every node.
  std::chrono::milliseconds heartbeat{50};
  std::chrono::milliseconds election_min{250};
  std::chrono::milliseconds election_max{500};
  std::chrono::milliseconds lease{200};
  // A shard that nobody used for so long sends nothing any more until somebody does; 0: never. Then
  // a leader whose machine is lost without a word is missed when a client asks, or after some
  // seconds. One node that says never keeps its shards awake.
  std::chrono::milliseconds sleep_after{10'000};

  // `listen` addresses of other nodes. Empty with empty directories: a new cluster of one node.
  std::vector<std::string> join;
  // New cluster only: number of shards (a power of two, 1..4096) and wanted copies of each. A shard
  // holds about ten files open; a node takes up to three quarters of the process's limit (ulimit
  // -n) and answers kImpossible where that is not enough. Raise it before Open for many shards.
  std::uint32_t shards = 64;
  std::uint32_t replicas = 3;

  std::string name;  // empty: "node-<id>"
  std::string zone;
  std::size_t workers = 0;  // threads that hold the shards; 0: one a core

  // Bytes, a disk: RocksDB's block cache, and what may be unflushed in memory.
  std::uint64_t block_cache_bytes = std::uint64_t{128} << 20;
  std::uint64_t write_buffer_bytes = std::uint64_t{256} << 20;

  LogSink log;  // from any thread; empty: nothing is logged
  // At most once, from any thread, with the reason: the node has stopped by itself because going on
  // could lose data (its last disk failed, or a check of its own found a bug). Calls fail from then
  // on. Do not destroy the node inside the callback.
  std::function<void(const std::string& reason)> on_fatal;
};

// Thread-safe, except that Stop and the destructor must not run at the same time as anything else.
class Node {
 public:
  // Opens, or creates, the store and waits until it serves. Milliseconds for a small store; a node
  // that joins waits for the cluster. kLocked: another process has the directory. kWrongCluster: it
  // belongs to another cluster. kCorruption, kIo, kNoSpace name the file; kInvalidArgument the
  // option.
  static Result<std::unique_ptr<Node>> Open(NodeOptions options);

  ~Node();  // stops at once if Stop was not called
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // A client with no network between it and this node; other nodes' shards are reached all the
  // same. It may outlive the node: its calls then answer kShuttingDown, at once.
  Client client();

  // This node's number in its cluster, from 1.
  std::uint32_t id() const;
  // The bound ports; 0: not listening.
  std::uint16_t rpc_port() const;
  std::uint16_t http_port() const;

  // ---- placement (contract: Administration); any node of the cluster answers ----
  // Each fails with kConflict (something of that kind is running), kImpossible or kInvalidArgument
  // (the detail says why), kNotFound (no such shard or node), kUnavailable (no quorum).

  // Starts moving a replica of the shard from one node to another, live. Returns the move's id.
  Result<std::uint64_t> MoveShard(std::uint32_t shard, std::uint32_t from_node,
                                  std::uint32_t to_node);
  // Moves everything off a node, and lets it take replicas again. Returns once that is decided.
  Status Drain(std::uint32_t node);
  Status Undrain(std::uint32_t node);
  // GET /v1/admin/cluster as JSON. Moves, nodes and shards: client().Admin("GET",
  // "/v1/admin/moves").
  Result<std::string> StatusJson();

  // Hands over leaderships, finishes what is under way until the grace is over, closes the store.
  // Calls made later answer kShuttingDown. Again: nothing. Not inside a completion handler.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace decree
