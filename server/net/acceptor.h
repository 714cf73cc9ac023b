// A listening port: bound at once, so that its number is known; accepts when started and spreads
// the connections over the workers, up to a bound.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "decree/result.h"
#include "kv/base/log_sink.h"
#include "server/net/address.h"
#include "server/net/runtime.h"

namespace decree::net {

// How many connections a port takes in a process that may have so many descriptors: three
// quarters are the engine's, whose replicas would stop without; the rest is shared by two ports.
std::size_t ConnectionsPerPort(std::uint64_t descriptors);

class Acceptor {
 public:
  // kIo naming the address: in use, not this machine's; kInvalidArgument: no HOST:PORT.
  // `max_connections` 0: what this process's descriptor limit allows.
  static Result<std::unique_ptr<Acceptor>> Bind(Runtime& runtime, const std::string& address,
                                                LogSink log, std::size_t max_connections = 0);
  ~Acceptor();
  const HostPort& bound() const;  // with the real port, where 0 was asked for

  struct Accepted;                                      // acceptor_impl.h
  void Start(std::function<void(Accepted)> on_accept);  // which runs on the accepted's worker
  void Stop();                                          // any thread

 private:
  struct Impl;
  explicit Acceptor(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
