// A node of a cluster, put together: runtime, disks, transport, NodeCore and its two doors. What
// decreed and the embedded decree::Node both are. Reads no environment, takes no signals, ends no
// process; its threads are the workers and the engine's own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decree/result.h"
#include "kv/base/executor.h"
#include "kv/base/log_sink.h"
#include "server/node/node_core.h"

namespace decree::net {

struct ServerOptions {
  std::vector<std::string> dirs;      // one directory a disk; created if absent
  std::optional<std::string> listen;  // host:port for peers and native clients; unset: no such port
  std::optional<std::string> http;    // host:port for REST; unset: none
  std::string advertise;              // what others dial; empty: the bound address of `listen`
  std::string advertise_http;
  std::vector<std::string> join;
  std::string name;
  std::string zone;
  std::uint32_t shards = 64;   // new cluster only
  std::uint32_t replicas = 3;  // new cluster only
  std::uint32_t bootstrap_expect = 0;
  std::size_t workers = 0;       // 0: one a core
  bool insecure = false;         // allows addresses other than loopback
  consensus::Options consensus;  // its times, leases, sleep; the same on every node
  std::uint64_t block_cache_bytes = std::uint64_t{128} << 20;   // a disk
  std::uint64_t write_buffer_bytes = std::uint64_t{256} << 20;  // a disk
  LogSink log;
  // Once, from some thread, when the node had to give up (a CHECK failed, the last disk is gone).
  // Nothing is sent or persisted any more; Stop and the destructor may be called from elsewhere.
  std::function<void(const std::string&)> on_fatal;
  // Instead of on_fatal, when the reason is the last disk and no mistake of ours. Unset: on_fatal.
  std::function<void(const std::string&)> on_disks_lost;
};

// kInvalidArgument naming the option that makes no sense. What Create checks first.
Status CheckOptions(const ServerOptions& options);

struct ServerPorts {
  std::uint16_t rpc = 0;  // 0: not listening
  std::uint16_t http = 0;
};

class Server {
 public:
  // Create, Start, and waits until the node is registered and serves. Errors name the thing: the
  // directory (kLocked, kCorruption, kIo), the port (kIo: in use), the cluster (kWrongCluster).
  static Result<std::unique_ptr<Server>> Open(ServerOptions options);

  // Opens the disks and binds the ports; nothing runs yet.
  static Result<std::unique_ptr<Server>> Create(ServerOptions options);
  // Starts workers, doors and node. `ready` runs once, on worker 0.
  void Start(std::function<void(Status)> ready);

  ~Server();  // Stop(0) and Close, unless they were called
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Hands over leaderships, finishes requests in flight until `grace` is over, closes the ports,
  // ends the workers. Not from a worker. Doing it again does nothing.
  void Stop(Duration grace);
  // After Stop, once nobody uses core() any more: closes the disks, so that they can be opened
  // again.
  void Close();

  ServerPorts ports() const;
  bool rejoins() const;    // the directories belong to a node already
  node::NodeCore& core();  // after Stop it does nothing any more; gone after Close
  std::size_t workers() const;
  Executor& executor(std::size_t worker);  // for core().caller(worker)

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace decree::net
