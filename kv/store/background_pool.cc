#include "kv/store/background_pool.h"

#include <algorithm>
#include <utility>

namespace decree::store {
namespace {

thread_local const BackgroundPool* running_here = nullptr;  // whose thread this is

}  // namespace

void RowsUse::EngineGone() {
  const std::lock_guard lock(mutex_);
  engine_alive_ = false;
}

void RowsUse::DatabaseClosed() {
  const std::lock_guard lock(mutex_);
  database_open_ = false;
  changed_.notify_all();
}

void RowsUse::JobQueued() {
  const std::lock_guard lock(mutex_);
  ++jobs_;
}

void RowsUse::JobDone() {
  const std::lock_guard lock(mutex_);
  --jobs_;
  changed_.notify_all();
}

bool RowsUse::engine_alive() const {
  const std::lock_guard lock(mutex_);
  return engine_alive_;
}

bool RowsUse::busy() const {
  const std::lock_guard lock(mutex_);
  return database_open_ && jobs_ > 0;
}

Status RowsUse::AwaitClosed() {
  std::unique_lock lock(mutex_);
  if (engine_alive_) return Error(Errc::kConflict, "they are open");
  changed_.wait(lock, [this] { return !database_open_ || jobs_ == 0; });
  if (database_open_) return Error(Errc::kConflict, "a view of them is still held");
  return {};
}

BackgroundPool::BackgroundPool(std::function<void(Task)> later)
    : later_(std::move(later)), self_(std::make_shared<BackgroundPool*>(this)) {}

BackgroundPool::BackgroundPool(std::size_t threads) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, threads); ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

bool BackgroundPool::Submit(std::shared_ptr<RowsUse> use, Task job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    if (use) use->JobQueued();
    jobs_.push_back({std::move(use), std::move(job)});
  }
  wake_.notify_one();
  if (later_) {
    later_([weak = std::weak_ptr<BackgroundPool*>(self_)] {
      if (const auto self = weak.lock()) (*self)->RunFirst();
    });
  }
  return true;
}

void BackgroundPool::Help(const RowsUse& use) {
  while ((later_ || running_here == this) && use.busy() && RunFirst()) continue;
}

void BackgroundPool::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  while (later_ && RunFirst()) continue;
}

void BackgroundPool::Finish(Job job) {
  job.run();
  job.run = nullptr;  // gives up the database before the job counts as done
  if (job.use) job.use->JobDone();
}

bool BackgroundPool::RunFirst() {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  Finish(std::move(job));
  return true;
}

void BackgroundPool::Run() {
  running_here = this;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
    }
    RunFirst();  // another thread may have been faster
  }
}

}  // namespace decree::store
