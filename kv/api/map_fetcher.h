// Fetches the shard map from any node: one fetch at a time however many ask, repeated with backoff
// until it succeeds or nobody waits any longer. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kv/api/caller.h"

namespace decree {

// A delay drawn from (0, first * 2^tries], capped at `max` ("full jitter": Brooker, AWS, 2015).
Duration FullJitter(Executor& executor, const CallerOptions& options, unsigned tries);

class MapFetcher : public std::enable_shared_from_this<MapFetcher> {
 public:
  using Arrived = std::function<void(std::shared_ptr<const ShardMap>)>;
  MapFetcher(Executor& executor, Courier& courier, const CallerOptions& options, Arrived arrived)
      : executor_(executor), courier_(courier), options_(options), arrived_(std::move(arrived)) {}

  // `done` (may be null) gets kOk once a map has arrived, or the reason when `until` has passed.
  // Never inside this call.
  void Fetch(Instant until, std::function<void(Errc)> done);
  // The same for nobody in particular; not more often than every 100 ms.
  void FetchInBackground();
  void Close();  // answers who waits with kCancelled; nothing is sent or answered afterwards

  const std::string& last_error() const { return last_error_; }

 private:
  struct Waiter {
    Instant until;
    std::function<void(Errc)> done;
  };
  void Attempt();
  void OnAnswer(std::uint64_t attempt, RpcResponse response);
  void OnSilence(std::uint64_t attempt);
  void Retry(Errc reason, std::string detail);
  bool DropExpired();  // false: nobody waits any longer
  void Succeed();
  void After(Duration delay, std::function<void(MapFetcher&)> task);

  Executor& executor_;
  Courier& courier_;
  const CallerOptions options_;
  Arrived arrived_;  // null after Close
  std::vector<Waiter> waiters_;
  bool active_ = false;
  std::uint64_t attempt_ = 0;  // only the latest one steers
  unsigned pauses_ = 0;
  Instant last_background_{INT64_MIN / 2};
  Errc last_code_ = Errc::kUnavailable;
  std::string last_error_;
};

}  // namespace decree
