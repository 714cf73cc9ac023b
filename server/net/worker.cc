#include "server/net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <random>
#include <utility>

#include "kv/base/own_thread.h"

namespace decree::net {
namespace {

std::uint64_t Seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::int64_t ReadClock(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

Worker::Worker(std::size_t index, std::function<void(const std::string&)> fail)
    : index_(index),
      fail_(std::move(fail)),
      work_(io_.get_executor()),
      timer_(io_),
      random_(Seed()) {}

void Worker::Post(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    mailbox_.push_back(std::move(task));
    if (scheduled_) return;
    scheduled_ = true;
  }
  asio::post(io_, [this] { Drain(); });
}

void Worker::Drain() {
  {
    std::lock_guard lock(mutex_);
    batch_.swap(mailbox_);
  }
  for (Task& task : batch_) {
    if (stopping_.load(std::memory_order_relaxed)) break;
    std::exchange(task, nullptr)();
  }
  batch_.clear();
  {
    std::lock_guard lock(mutex_);
    scheduled_ = !mailbox_.empty();
    if (!scheduled_) return;
  }
  asio::post(io_, [this] { Drain(); });  // sockets and timers get their turn in between
}

void Worker::RunAt(Instant when, Task task) {
  timed_.push_back({when, next_order_++, std::move(task)});
  std::push_heap(timed_.begin(), timed_.end(), Later);
  ArmTimer();
}

void Worker::ArmTimer() {
  if (timed_.empty() || timed_.front().when >= armed_) return;
  armed_ = timed_.front().when;
  const Duration wait = std::max(armed_ - Now(), Duration{0});
  timer_.expires_after(std::min<Duration>(wait, std::chrono::hours(1)));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) RunDue();
  });
}

void Worker::RunDue() {
  armed_ = kNever;
  const Instant now = Now();
  while (!timed_.empty() && timed_.front().when <= now) {
    if (stopping_.load(std::memory_order_relaxed)) return;
    std::pop_heap(timed_.begin(), timed_.end(), Later);
    Task task = std::move(timed_.back().task);
    timed_.pop_back();
    task();
  }
  ArmTimer();
}

// CLOCK_BOOTTIME counts suspend: a paused machine must notice how much time went by.
Instant Worker::Now() { return Instant{ReadClock(CLOCK_BOOTTIME)}; }

WallMs Worker::WallNow() { return static_cast<WallMs>(ReadClock(CLOCK_REALTIME) / 1'000'000); }

void Worker::Start() {
  // The threads inherit a full mask: signals belong to the program around us.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Loop(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), ("decree-w" + std::to_string(index_)).c_str());
}

void Worker::Loop() {
  on_own_thread = true;
  try {
    io_.run();
  } catch (const std::exception& failure) {
    fail_(failure.what());
  } catch (...) {
    fail_("an exception that is no std::exception");
  }
}

void Worker::RequestStop() {
  stopping_.store(true, std::memory_order_relaxed);
  io_.stop();
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::CloseMailbox() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

void Worker::DropTasks() {
  std::vector<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    dropped.swap(mailbox_);
  }
  // What a task holds may post from its destructor: that finds the mailbox closed.
  dropped.clear();
  batch_.clear();
  timed_.clear();
}

}  // namespace decree::net
