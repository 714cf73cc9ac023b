// The port of peers and native clients: frames in, answers out.
#pragma once

#include <memory>

#include "server/net/acceptor.h"
#include "server/net/door.h"

namespace decree::net {

class NativeListener {
 public:
  // All of these outlive the listener.
  NativeListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                 const LinkIdentity& identity, LogSink log);
  ~NativeListener();  // after the runtime stopped
  void Start();
  void Stop();  // accepts no more, closes all sessions
  const HostPort& bound() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
