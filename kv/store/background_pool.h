// The few threads that run a disk's flushes, checkpoints and digests, and the record of whether a
// replica's rows are still in use by one of them. In a simulator there are none: each job is then a
// task of the one thread that there is.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "decree/result.h"
#include "kv/base/executor.h"

namespace decree::store {

// One opening of a replica's rows. The database may outlive its engine in views and running jobs;
// the directory must not be opened, replaced or removed before that ends. Thread-safe.
class RowsUse {
 public:
  void EngineGone();
  void DatabaseClosed();
  void JobQueued();
  void JobDone();
  bool engine_alive() const;
  bool busy() const;  // jobs keep the database
  // Waits for background jobs of a closed engine. kConflict if the engine or a view still holds on.
  Status AwaitClosed();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool engine_alive_ = true;
  bool database_open_ = true;
  std::size_t jobs_ = 0;
};

class BackgroundPool {
 public:
  explicit BackgroundPool(std::size_t threads);
  // Without threads: `later` runs a task later, on the caller's thread.
  explicit BackgroundPool(std::function<void(Task)> later);
  ~BackgroundPool() { Stop(); }
  // `use` is null for a job that touches no rows. False after Stop: the job was dropped and will
  // never run.
  bool Submit(std::shared_ptr<RowsUse> use, Task job);
  void Stop();  // runs what is queued, then ends the threads
  // Before waiting for the jobs of rows: without threads nobody else would run them, and from a job
  // they may stand behind this one. Runs what is queued until they have ended or run elsewhere.
  void Help(const RowsUse& use);

 private:
  struct Job {
    std::shared_ptr<RowsUse> use;
    Task run;
  };
  void Run();
  bool RunFirst();  // false: nothing is queued
  static void Finish(Job job);

  const std::function<void(Task)> later_;
  const std::shared_ptr<BackgroundPool*> self_;  // for tasks that may come after the end
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace decree::store
