#include "tests/sim/rocks_env.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "kv/base/check.h"
#include "kv/store/rocks_files.h"
#include "tests/sim/libc_ban.h"
#include "tests/sim/rocks_fs.h"

namespace decree::sim {
namespace {

class WorldClock : public rocksdb::SystemClock {
 public:
  explicit WorldClock(std::function<std::int64_t()> now_ns) : now_ns_(std::move(now_ns)) {}
  const char* Name() const override { return "DecreeSimClock"; }
  std::uint64_t NowMicros() override { return static_cast<std::uint64_t>(now_ns_()) / 1'000; }
  std::uint64_t NowNanos() override { return static_cast<std::uint64_t>(now_ns_()); }
  // Only RocksDB's pauses after a failed job: time belongs to the world.
  void SleepForMicroseconds(int /*micros*/) override {}
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override {
    constexpr std::int64_t kEpoch = 1'750'000'000;
    *seconds = kEpoch + now_ns_() / 1'000'000'000;
    return rocksdb::Status::OK();
  }
  std::string TimeToString(std::uint64_t seconds) override { return std::to_string(seconds); }

 private:
  const std::function<std::int64_t()> now_ns_;
};

}  // namespace

RocksEnv::RocksEnv(RocksEnvOptions options)
    : EnvWrapper(
          rocksdb::NewCompositeEnv(std::make_shared<store::RocksFiles>(MakeRocksFs(options.fs)))),
      fs_(std::move(options.fs)),
      later_(std::move(options.later)),
      self_(std::make_shared<RocksEnv*>(this)) {
  file_system_ = target()->GetFileSystem();
  system_clock_ = std::make_shared<WorldClock>(std::move(options.now_ns));
}

void RocksEnv::Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                        void (*unschedule)(void*)) {
  jobs_.push_back({function, argument, priority, tag, unschedule});
  later_([weak = std::weak_ptr<RocksEnv*>(self_)] {
    if (const auto self = weak.lock()) {
      (*self)->RunFirst([](const Job&) { return true; });
    }
  });
}

// One job an event, whichever is the first by then: some were run before or taken back.
void RocksEnv::RunFirst(const std::function<bool(const Job&)>& which) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), which);
  if (found == jobs_.end()) return;
  const Job job = *found;
  jobs_.erase(found);
  const LibcBanLifted lifted;
  job.function(job.argument);
}

void RocksEnv::RunFlushes() {
  const auto is_flush = [](const Job& job) { return job.priority == HIGH; };
  while (std::any_of(jobs_.begin(), jobs_.end(), is_flush)) RunFirst(is_flush);
}

int RocksEnv::UnSchedule(void* tag, Priority priority) {
  const auto taken_back = [&](const Job& job) {
    return job.tag == tag && job.priority == priority;
  };
  std::deque<Job> left;
  int count = 0;
  for (const Job& job : std::exchange(jobs_, {})) {
    if (!taken_back(job)) {
      left.push_back(job);
      continue;
    }
    ++count;
    if (job.unschedule != nullptr) job.unschedule(job.argument);
  }
  jobs_ = std::move(left);
  return count;
}

// RocksDB starts one only where the product asks for what it never does, and to recover from errors
// that a file system calls retryable: ours knows none.
void RocksEnv::StartThread(void (* /*function*/)(void*), void* /*argument*/) {
  DECREE_CHECK(!"a simulated RocksDB starts a thread");
}

unsigned int RocksEnv::GetThreadPoolQueueLen(Priority priority) const {
  return static_cast<unsigned int>(std::count_if(
      jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.priority == priority; }));
}

rocksdb::Status RocksEnv::GetHostName(char* name, std::uint64_t size) {
  std::snprintf(name, size, "simulated");
  return rocksdb::Status::OK();
}

std::string RocksEnv::GenerateUniqueId() {
  char text[40];
  const std::uint64_t a = fs_->RandomWord();
  const std::uint64_t b = fs_->RandomWord();
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(a >> 32),
                static_cast<unsigned>(a >> 16 & 0xFFFF), static_cast<unsigned>(a & 0xFFFF),
                static_cast<unsigned>(b >> 48),
                static_cast<unsigned long long>(b & 0xFFFFFFFFFFFF));
  return text;
}

}  // namespace decree::sim
