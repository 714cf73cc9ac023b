// The workers: one thread, one event loop each. The only place of a node where threads begin.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kv/base/executor.h"

namespace decree::net {

class Worker;  // worker.h; seen only inside server/net

struct RuntimeOptions {
  std::size_t workers = 0;  // 0: one a core
  // Once, on the failing worker's thread, after all workers were told to stop. Must not call Stop.
  std::function<void(const std::string&)> on_fatal;
};

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options);
  ~Runtime();  // Stop, then drops what never ran
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void Start();
  // Ends the loops after the task each is in, joins the threads and drops the tasks that never ran.
  // Not from a worker. Posting afterwards is allowed and does nothing.
  void Stop();
  // Stops all loops and calls on_fatal, once: what an exception in a task does. Any thread.
  void Fail(const std::string& reason);
  // The same, with something else to call than on_fatal.
  void Fail(const std::string& reason, const std::function<void(const std::string&)>& tell);
  bool failed() const;  // any thread

  std::size_t size() const;
  Executor& executor(std::size_t index);
  std::vector<Executor*> executors();
  Worker& worker(std::size_t index);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace decree::net
