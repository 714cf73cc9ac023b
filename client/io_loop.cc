#include "client/io_loop.h"

#include <signal.h>
#include <time.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <random>

#include "kv/base/own_thread.h"

namespace decree::client {

std::shared_ptr<IoLoop> IoLoop::Start() {
  std::shared_ptr<IoLoop> loop(new IoLoop);
  loop->thread_ = std::thread([loop] {
    sigset_t all;  // signals are the program's business, never this thread's
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    on_own_thread = true;
    loop->thread_id_ = std::this_thread::get_id();
    loop->io_.run();
  });
  return loop;
}

IoLoop::IoLoop() : work_(io_.get_executor()), timer_(io_) {
  std::random_device device;
  random_ = Random((static_cast<std::uint64_t>(device()) << 32) ^ device());
}

// Runs on the loop's own thread if that outlived the owner.
IoLoop::~IoLoop() {
  if (thread_.joinable()) thread_.detach();
}

void IoLoop::Post(Task task) { boost::asio::post(io_, std::move(task)); }

void IoLoop::RunAt(Instant when, Task task) {
  if (stopping_) return;
  timers_.push({when, next_order_++, std::make_shared<Task>(std::move(task))});
  if (when < armed_) Arm();
}

void IoLoop::Arm() {
  armed_ = timers_.empty() ? kNever : timers_.top().when;
  if (timers_.empty()) return;
  // Re-arming aborts the wait before; the timer counts no suspend, so RunDue looks at the clock
  // again.
  timer_.expires_after(std::max(armed_ - Now(), Duration::zero()));
  timer_.async_wait([this](const boost::system::error_code& code) {
    if (!code) RunDue();
  });
}

void IoLoop::RunDue() {
  const Instant now = Now();
  while (!timers_.empty() && timers_.top().when <= now) {
    const std::shared_ptr<Task> task = timers_.top().task;
    timers_.pop();
    (*task)();
  }
  Arm();
}

Instant IoLoop::Now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant{static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

WallMs IoLoop::WallNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<WallMs>(std::chrono::duration_cast<milliseconds>(now).count());
}

void IoLoop::Stop(const std::function<bool()>& detach) {
  auto stop = [self = shared_from_this()] {
    self->stopping_ = true;
    self->timers_ = {};
    self->timer_.cancel();
    self->work_.reset();
  };
  if (OnThread()) {
    stop();
    thread_.detach();
    return;
  }
  Post(stop);
  if (detach()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

}  // namespace decree::client
