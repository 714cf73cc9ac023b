// One event loop and its thread. A mailbox takes the posts: the loop is woken once for whatever
// came meanwhile. Timers are a heap under one asio timer.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "kv/base/executor.h"
#include "kv/base/random.h"
#include "server/net/asio.h"

namespace decree::net {

class Worker final : public Executor {
 public:
  Worker(std::size_t index, std::function<void(const std::string&)> fail);

  void Post(Task task) override;
  void RunAt(Instant when, Task task) override;
  Instant Now() override;
  WallMs WallNow() override;
  std::uint64_t RandomWord() override { return random_.Next(); }

  void Start();
  void RequestStop();  // any thread
  void Join();
  // After Join, on every worker the first before any the second: what is dropped may post, and wait
  // for the answer.
  void CloseMailbox();
  void DropTasks();

  std::size_t index() const { return index_; }
  asio::io_context& io() { return io_; }

 private:
  struct Timed {
    Instant when;
    std::uint64_t order;  // of equal instants: first come, first run
    Task task;
  };
  static bool Later(const Timed& a, const Timed& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }
  void Loop();
  void Drain();
  void RunDue();
  void ArmTimer();

  const std::size_t index_;
  const std::function<void(const std::string&)> fail_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;
  Instant armed_ = kNever;
  std::vector<Timed> timed_;  // a heap, earliest first
  std::uint64_t next_order_ = 0;
  Random random_;

  std::mutex mutex_;
  std::vector<Task> mailbox_;
  bool scheduled_ = false;
  bool closed_ = false;
  std::vector<Task> batch_;  // of the loop
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace decree::net
