#include "server/net/runtime.h"

#include <atomic>
#include <thread>

#include "server/net/worker.h"

namespace decree::net {

struct Runtime::Impl {
  RuntimeOptions options;
  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<bool> failed{false};
  bool stopped = false;
};

Runtime::Runtime(RuntimeOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  std::size_t count = impl_->options.workers;
  if (count == 0) count = std::thread::hardware_concurrency();
  if (count == 0) count = 1;
  for (std::size_t i = 0; i < count; ++i) {
    impl_->workers.push_back(
        std::make_unique<Worker>(i, [this](const std::string& reason) { Fail(reason); }));
  }
}

Runtime::~Runtime() { Stop(); }

void Runtime::Start() {
  for (auto& worker : impl_->workers) worker->Start();
}

void Runtime::Stop() {
  if (std::exchange(impl_->stopped, true)) return;
  for (auto& worker : impl_->workers) worker->RequestStop();
  for (auto& worker : impl_->workers) worker->Join();
  for (auto& worker : impl_->workers) worker->CloseMailbox();
  for (auto& worker : impl_->workers) worker->DropTasks();
}

void Runtime::Fail(const std::string& reason) { Fail(reason, impl_->options.on_fatal); }

void Runtime::Fail(const std::string& reason, const std::function<void(const std::string&)>& tell) {
  if (impl_->failed.exchange(true)) return;
  for (auto& worker : impl_->workers) worker->RequestStop();
  if (tell) tell(reason);
}

bool Runtime::failed() const { return impl_->failed.load(); }

std::size_t Runtime::size() const { return impl_->workers.size(); }

Executor& Runtime::executor(std::size_t index) { return *impl_->workers[index]; }

std::vector<Executor*> Runtime::executors() {
  std::vector<Executor*> all;
  for (auto& worker : impl_->workers) all.push_back(worker.get());
  return all;
}

Worker& Runtime::worker(std::size_t index) { return *impl_->workers[index]; }

}  // namespace decree::net
