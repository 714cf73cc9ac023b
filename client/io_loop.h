// The client's one thread: an Asio io_context that is also the Executor of kv/api's Caller.
//
// The loop is shared: by its owner, and by the thread that runs it. So the last handler may destroy
// the client it belongs to.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <queue>
#include <thread>
#include <vector>

#include "kv/base/executor.h"
#include "kv/base/random.h"

namespace decree::client {

class IoLoop : public Executor, public std::enable_shared_from_this<IoLoop> {
 public:
  static std::shared_ptr<IoLoop> Start();
  ~IoLoop() override;

  void Post(Task task) override;
  void RunAt(Instant when, Task task) override;
  Instant Now() override;
  WallMs WallNow() override;
  std::uint64_t RandomWord() override { return random_.Next(); }

  boost::asio::io_context& io() { return io_; }
  bool OnThread() const { return std::this_thread::get_id() == thread_id_.load(); }
  // Ends the thread after the tasks that are queued; timers that are not due never run. Waits for
  // it, except on the thread itself, and unless somebody says that it would take long (`detach`).
  void Stop(const std::function<bool()>& detach);

 private:
  struct Timer {
    Instant when;
    std::uint64_t order = 0;
    std::shared_ptr<Task> task;
    bool operator<(const Timer& other) const {  // std::priority_queue keeps the largest on top
      return std::tie(other.when, other.order) < std::tie(when, order);
    }
  };

  IoLoop();
  void Arm();
  void RunDue();

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  Instant armed_ = kNever;
  bool stopping_ = false;
  std::uint64_t next_order_ = 0;
  std::priority_queue<Timer> timers_;
  Random random_;
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

}  // namespace decree::client
