#include "kv/api/map_fetcher.h"

#include <algorithm>
#include <utility>

#include "kv/base/mark.h"

namespace decree {
namespace {

constexpr Duration kBackgroundEvery = 100ms;
constexpr Duration kBackgroundPatience = 2s;
constexpr unsigned kMaxDoublings = 16;

}  // namespace

Duration FullJitter(Executor& executor, const CallerOptions& options, unsigned tries) {
  const std::int64_t doubled = options.backoff_first.count() << std::min(tries, kMaxDoublings);
  const std::int64_t limit = std::clamp<std::int64_t>(doubled, 1, options.backoff_max.count());
  return Duration(
      1 + static_cast<std::int64_t>(executor.RandomWord() % static_cast<std::uint64_t>(limit)));
}

void MapFetcher::Fetch(Instant until, std::function<void(Errc)> done) {
  waiters_.push_back({until, std::move(done)});
  if (active_) return;
  active_ = true;
  pauses_ = 0;
  Attempt();
}

void MapFetcher::FetchInBackground() {
  const Instant now = executor_.Now();
  if (active_ || now - last_background_ < kBackgroundEvery) return;
  last_background_ = now;
  Fetch(now + kBackgroundPatience, nullptr);
}

void MapFetcher::Close() {
  arrived_ = nullptr;
  active_ = false;
  ++attempt_;
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    if (waiter.done) waiter.done(Errc::kCancelled);
  }
}

void MapFetcher::Attempt() {
  const std::uint64_t attempt = ++attempt_;
  RpcRequest request;
  request.method = Method::kGetMap;
  request.timeout_ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, std::chrono::ceil<milliseconds>(options_.attempt_timeout).count()));
  courier_.Call(NodeId{}, std::move(request),
                [weak = weak_from_this(), attempt](RpcResponse response) {
                  if (const auto self = weak.lock()) self->OnAnswer(attempt, std::move(response));
                });
  Instant until = executor_.Now() + options_.attempt_timeout;
  for (const Waiter& waiter : waiters_) until = std::min(until, waiter.until);
  const Duration patience = std::max<Duration>(until - executor_.Now(), 1ms);
  After(patience, [attempt](MapFetcher& self) { self.OnSilence(attempt); });
}

void MapFetcher::OnAnswer(std::uint64_t attempt, RpcResponse response) {
  if (!arrived_) return;
  if (response.code == Errc::kOk) {
    Result<ShardMap> map = Decode<ShardMap>(response.body);
    // A late answer of an earlier attempt is as good as any.
    if (map && !map->shards.empty()) {
      arrived_(std::make_shared<const ShardMap>(std::move(*map)));
      return Succeed();
    }
    response.code = map ? Errc::kUnavailable : Errc::kCorruption;
    response.detail = map ? "that node has no shard map yet" : "malformed shard map";
  }
  if (attempt == attempt_) Retry(response.code, std::move(response.detail));
}

void MapFetcher::OnSilence(std::uint64_t attempt) {
  if (attempt == attempt_ && active_) {
    SOMETIMES(map_fetch_silent);
    Retry(Errc::kUnavailable, "no answer to a map request");
  }
}

void MapFetcher::Retry(Errc reason, std::string detail) {
  // What cannot get better by asking again is told as it is; the rest means "nobody answers".
  const bool final = reason == Errc::kWrongCluster || reason == Errc::kUnauthorized;
  last_code_ = final ? reason : Errc::kUnavailable;
  last_error_ = Error(reason, std::move(detail)).ToString();
  const std::uint64_t attempt = ++attempt_;
  if (!DropExpired()) return;
  After(FullJitter(executor_, options_, pauses_++), [attempt](MapFetcher& self) {
    if (attempt == self.attempt_ && self.DropExpired()) self.Attempt();
  });
}

bool MapFetcher::DropExpired() {
  const Instant now = executor_.Now();
  std::vector<Waiter> late;
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    (waiter.until > now ? waiters_ : late).push_back(std::move(waiter));
  }
  active_ = !waiters_.empty();
  const bool goes_on = active_;
  if (!late.empty()) SOMETIMES(map_waiter_gave_up);
  for (Waiter& waiter : late) {
    if (waiter.done) waiter.done(last_code_);
  }
  return goes_on && active_;
}

void MapFetcher::Succeed() {
  active_ = false;
  ++attempt_;
  last_error_.clear();
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    if (waiter.done) waiter.done(Errc::kOk);
  }
}

void MapFetcher::After(Duration delay, std::function<void(MapFetcher&)> task) {
  executor_.RunAt(executor_.Now() + delay, [weak = weak_from_this(), task = std::move(task)] {
    const auto self = weak.lock();
    if (self && self->arrived_) task(*self);
  });
}

}  // namespace decree
