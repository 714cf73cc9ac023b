// Bounds how many calls are under way: Acquire waits for a free place, Release (from any thread)
// gives one back, Drain waits until all are.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace decree::cli {

class Window {
 public:
  explicit Window(std::size_t places) : free_(places), places_(places) {}

  void Acquire() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return free_ > 0; });
    --free_;
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_all();
  }
  void Drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return free_ == places_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t free_;
  const std::size_t places_;
};

}  // namespace decree::cli
