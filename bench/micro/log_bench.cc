// The shared log on a real disk: appends of one shard alone, and of many shards that share a sync.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>

#include "kv/store/file_disk.h"

namespace decree::store {
namespace {

// A disk in a fresh folder that is gone afterwards.
class FreshDisk {
 public:
  FreshDisk() {
    std::string name = (std::filesystem::temp_directory_path() / "decree-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) return;
    path_ = name;
    Result<std::unique_ptr<Disk>> disk = OpenFileDisk({.path = path_});
    if (disk) disk_ = std::move(*disk);
  }
  ~FreshDisk() {
    disk_.reset();
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  FreshDisk(const FreshDisk&) = delete;
  FreshDisk& operator=(const FreshDisk&) = delete;
  Disk* get() const { return disk_.get(); }

 private:
  std::string path_;
  std::unique_ptr<Disk> disk_;
};

// Counts completions down to zero; they come on the log's own thread.
class Countdown {
 public:
  explicit Countdown(std::int64_t count) : left_(count) {}
  void Done(const Status& status) {
    const std::lock_guard lock(mutex_);
    failed_ = failed_ || !status;
    if (--left_ == 0) all_done_.notify_one();
  }
  bool WaitForAll() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return left_ == 0; });
    return !failed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::int64_t left_;
  bool failed_ = false;
};

consensus::Persist VoteAt(std::uint64_t slot, const Blob& payload) {
  consensus::Vote vote;
  vote.slot = Slot{slot};
  vote.decree.kind = consensus::DecreeKind::kCommandBatch;
  vote.decree.payload = payload;
  consensus::Persist record;
  record.votes.push_back(std::move(vote));
  return record;
}

// One round: each of `shards` replicas appends one vote of 200 bytes; the round ends when all are
// durable. With one shard this is the price of a lone write, with many the gain of a shared sync.
void LogAppend(benchmark::State& state) {
  const FreshDisk disk;
  if (disk.get() == nullptr) return state.SkipWithError("no disk could be opened");
  const std::int64_t shards = state.range(0);
  const Blob payload = std::make_shared<const std::string>(std::string(200, 'v'));
  std::uint64_t slot = 0;
  for (auto _ : state) {
    ++slot;
    Countdown durable(shards);
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const ReplicaKey key{ShardId{static_cast<std::uint32_t>(shard)}, ReplicaId{1}};
      if (slot % 1024 == 0) disk.get()->log().Trim(key, Slot{slot - 1});
      disk.get()->log().Append(key, VoteAt(slot, payload),
                               [&durable](const Status& status) { durable.Done(status); });
    }
    if (!durable.WaitForAll()) return state.SkipWithError("an append failed");
  }
  state.SetItemsProcessed(state.iterations() * shards);
}
BENCHMARK(LogAppend)->ArgName("shards")->Arg(1)->Arg(8)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace decree::store
