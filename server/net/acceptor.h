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

class Acceptor {
 public:
  static constexpr std::size_t kMaxConnections = 10'000;

  // kIo naming the address: in use, not this machine's; kInvalidArgument: no HOST:PORT.
  static Result<std::unique_ptr<Acceptor>> Bind(Runtime& runtime, const std::string& address,
                                                LogSink log);
  ~Acceptor();
  const HostPort& bound() const;  // with the real port, where 0 was asked for

  struct Accepted;  // acceptor_impl.h: worker, socket, a ticket that counts the connection
  void Start(std::function<void(Accepted)> on_accept);  // which runs on the accepted's worker
  void Stop();                                          // any thread

 private:
  struct Impl;
  explicit Acceptor(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
