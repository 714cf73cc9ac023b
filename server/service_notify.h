// How a service manager hears of this process: sd_notify(3), datagrams to the socket that
// $NOTIFY_SOCKET names. Where nothing is set, nothing is sent. One thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "kv/base/time.h"
#include "server/config.h"
#include "server/net/server.h"

namespace decree {

class ServiceNotify {
 public:
  explicit ServiceNotify(const Environment& environment);
  ~ServiceNotify();
  ServiceNotify(const ServiceNotify&) = delete;
  ServiceNotify& operator=(const ServiceNotify&) = delete;

  void Ready(const std::string& status);
  void Stopping();
  void Alive();
  // The manager ends a process from which it has not heard Alive for so long. None: it does not
  // watch this one.
  std::optional<Duration> watchdog() const { return watchdog_; }

 private:
  void Send(const std::string& lines, int flags) const;

  int socket_ = -1;
  std::string address_;  // as in sockaddr_un::sun_path
  std::optional<Duration> watchdog_;
};

// Whether every worker of a server still gets to its work.
class WorkersPulse {
 public:
  explicit WorkersPulse(net::Server& server) : server_(server) {}
  // Asks all of them; false: one has not answered since they were asked last.
  bool Beat();

 private:
  net::Server& server_;
  std::shared_ptr<std::atomic<std::size_t>> unanswered_ =
      std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace decree
