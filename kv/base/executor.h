// One worker's event loop, as the node sees it: the seam for time and order. Real ones are Asio
// io_contexts with a thread each (server/net, client); the simulator has its own.
#pragma once

#include <functional>

#include "kv/base/time.h"

namespace decree {

using Task = std::function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs the task on this worker, later, in the order of the posts of one poster. Any thread may
  // call.
  virtual void Post(Task task) = 0;
  // Runs the task on this worker at or after the instant. Call from this worker. There is no
  // cancellation: a task that came too late finds out by itself.
  virtual void RunAt(Instant when, Task task) = 0;
  // Read from the clock at each call, never cached: a process that was stopped must notice.
  virtual Instant Now() = 0;
  virtual WallMs WallNow() = 0;
  // From this worker's seeded stream. Call from this worker.
  virtual std::uint64_t RandomWord() = 0;
};

}  // namespace decree
