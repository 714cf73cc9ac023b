// The port of peers and native clients: frames in, answers out.
#pragma once

#include <functional>
#include <memory>

#include "server/net/acceptor.h"
#include "server/net/door.h"

namespace decree::net {

struct NativeTuning {
  Duration hello_timeout = 5s;  // from the connection to the other side's first Hello
};

class NativeListener {
 public:
  // All of these outlive the listener.
  NativeListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                 const LinkIdentity& identity, LogSink log, NativeTuning tuning = {});
  ~NativeListener();  // after the runtime stopped
  void Start();
  // Accepts no more and refuses new requests of clients; `done` runs on a worker once those under
  // way are answered. Nodes of the cluster go on as before.
  void Drain(std::function<void()> done);
  void Stop();  // accepts no more, closes all sessions
  const HostPort& bound() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
