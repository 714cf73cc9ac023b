// RocksDB's environment in the simulator: its files are simulated, its clock is the world's, and
// its background jobs (flushes, compactions) are run on the simulator's thread, as events of their
// own. It starts no thread.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/system_clock.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "kv/base/executor.h"
#include "tests/sim/sim_fs.h"

namespace decree::sim {

struct RocksEnvOptions {
  std::shared_ptr<SimFs> fs;
  std::function<std::int64_t()> now_ns;
  std::function<void(Task)> later;  // runs a task later, on this thread
};

class RocksEnv : public rocksdb::EnvWrapper {
 public:
  explicit RocksEnv(RocksEnvOptions options);
  const char* Name() const override { return "DecreeSimEnv"; }

  // Runs the flushes that are scheduled, and those that they schedule: for a caller who is about to
  // wait for them on the only thread there is.
  void RunFlushes();

  void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                void (*unschedule)(void*)) override;
  int UnSchedule(void* tag, Priority priority) override;
  void StartThread(void (*function)(void*), void* argument) override;
  unsigned int GetThreadPoolQueueLen(Priority priority) const override;
  void SetBackgroundThreads(int /*number*/, Priority /*priority*/) override {}
  void IncBackgroundThreadsIfNeeded(int /*number*/, Priority /*priority*/) override {}
  int GetBackgroundThreads(Priority priority) override {
    return priority == HIGH || priority == LOW ? 1 : 0;
  }
  int ReserveThreads(int /*number*/, Priority /*priority*/) override { return 0; }
  int ReleaseThreads(int /*number*/, Priority /*priority*/) override { return 0; }
  void WaitForJoin() override {}
  std::uint64_t NowMicros() override { return GetSystemClock()->NowMicros(); }
  std::uint64_t NowNanos() override { return GetSystemClock()->NowNanos(); }
  void SleepForMicroseconds(int /*micros*/) override {}
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override {
    return GetSystemClock()->GetCurrentTime(seconds);
  }
  rocksdb::Status GetHostName(char* name, std::uint64_t size) override;
  std::string GenerateUniqueId() override;

 private:
  struct Job {
    void (*function)(void*);
    void* argument;
    Priority priority;
    void* tag;
    void (*unschedule)(void*);
  };
  void RunFirst(const std::function<bool(const Job&)>& which);

  const std::shared_ptr<SimFs> fs_;
  const std::function<void(Task)> later_;
  std::deque<Job> jobs_;
  const std::shared_ptr<RocksEnv*> self_;  // for tasks that may come after the end
};

}  // namespace decree::sim
