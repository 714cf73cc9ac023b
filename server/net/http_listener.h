// The REST door.
#pragma once

#include <functional>
#include <memory>

#include "server/net/acceptor.h"
#include "server/net/door.h"

namespace decree::net {

struct HttpTuning;

class HttpListener {
 public:
  // All of these outlive the listener.
  HttpListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door, LogSink log);
  // With other limits and times; for tests.
  HttpListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door, LogSink log,
               const HttpTuning& tuning);
  ~HttpListener();  // after the runtime stopped
  void Start();
  // Accepts no more; answers what has been asked, then closes. `done` runs on a worker once all are
  // closed, unless the workers stop before.
  void Stop(std::function<void()> done);
  const HostPort& bound() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
