#include "client/cli/bench_load.h"

#include <algorithm>

#include "client/cli/window.h"
#include "kv/api/shard_map.h"
#include "kv/base/random.h"

namespace decree::cli {
namespace {

constexpr std::uint64_t kMostUnderWay = 8192;
constexpr std::size_t kFillInFlight = 256;
constexpr std::size_t kComplaints = 10;

}  // namespace

BenchLoad::BenchLoad(Client& db, BenchLoadOptions options)
    : db_(db), options_(options), last_success_(options.shards, Clock::now()) {
  phases_.push_back({.name = "most"});
}

// Different for every request, and no easier to compress than most values.
std::string BenchLoad::ValueOf(std::uint64_t number) const {
  std::string value;
  Random random(options_.seed + number);
  while (value.size() < options_.value_bytes) {
    const std::uint64_t word = random.Next();
    value.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  value.resize(options_.value_bytes);
  return value;
}

Status BenchLoad::Fill() {
  Window window(kFillInFlight);
  std::mutex mutex;
  Status first;
  for (std::uint64_t i = 0; i < options_.keys; ++i) {
    window.Acquire();
    const std::string key = "bench/" + std::to_string(i);
    const std::uint64_t floor = judge_.Begin(key);
    const std::string value = ValueOf(i);
    db_.AsyncPut(key, value, [&, key, value, floor](Result<Version> version) {
      if (version) {
        judge_.Wrote(key, floor, version->value, value);
      } else {
        const std::lock_guard lock(mutex);
        if (first) first = version.error();
      }
      window.Release();
    });
  }
  window.Drain();
  return first;
}

double BenchLoad::MeasureMost(std::size_t in_flight, std::chrono::duration<double> length) {
  const auto began = Clock::now();
  closed_ = in_flight;
  for (std::size_t i = 0; i < in_flight; ++i) Send(next_++, 0, Clock::now());
  std::this_thread::sleep_for(length);
  closed_ = 0;
  for (std::uint64_t left = under_way_; left != 0; left = under_way_) under_way_.wait(left);
  const std::lock_guard lock(mutex_);
  phases_[0].seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return static_cast<double>(phases_[0].completed) / phases_[0].seconds;
}

void BenchLoad::Start(double rate, const std::string& phase) {
  Enter(phase);
  thread_ = std::thread([this, rate] { Run(rate); });
}

void BenchLoad::Run(double rate) {
  const auto gap =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  for (auto due = Clock::now(); !stopping_; due += gap) {
    std::this_thread::sleep_until(due);
    const std::size_t at = phase();
    for (std::uint64_t now = under_way_; now >= kMostUnderWay; now = under_way_) {
      under_way_.wait(now);
    }
    Send(next_++, at, due);
  }
}

void BenchLoad::Enter(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (phase_ != 0) {
    phases_[phase_].seconds = std::chrono::duration<double>(now - phase_began_).count();
    CloseGaps(now);
  }
  phases_.push_back({.name = name});
  phase_ = phases_.size() - 1;
  phase_began_ = now;
  // What a shard waited for before is a gap of the phase before.
  std::fill(last_success_.begin(), last_success_.end(), now);
}

void BenchLoad::CloseGaps(Clock::time_point now) {
  for (const Clock::time_point last : last_success_) {
    phases_[phase_].longest_gap_ns =
        std::max<std::int64_t>(phases_[phase_].longest_gap_ns, (now - last).count());
  }
}

std::size_t BenchLoad::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

void BenchLoad::Stop() {
  if (stopping_.exchange(true)) return;
  if (thread_.joinable()) thread_.join();
  for (std::uint64_t left = under_way_; left != 0; left = under_way_) under_way_.wait(left);
  const std::lock_guard lock(mutex_);
  if (phase_ == 0) return;
  const auto now = Clock::now();
  phases_[phase_].seconds = std::chrono::duration<double>(now - phase_began_).count();
  CloseGaps(now);
}

void BenchLoad::Send(std::uint64_t number, std::size_t phase, Clock::time_point due) {
  ++under_way_;
  Random random(options_.seed * 0x9E3779B97F4A7C15ull + number);
  Request request{number, phase, due, "bench/" + std::to_string(random.Below(options_.keys)), 0};
  request.floor = judge_.Begin(request.key);
  const std::string key = request.key;
  if (random.Chance(0.5)) {
    db_.AsyncGet(
        key, [this, request = std::move(request)](Result<Value> value) { OnRead(request, value); });
    return;
  }
  std::string value = ValueOf(options_.keys + number);
  db_.AsyncPut(key, value, [this, request = std::move(request), value](Result<Version> version) {
    OnWritten(request, value, version);
  });
}

void BenchLoad::OnWritten(const Request& request, const std::string& value,
                          const Result<Version>& version) {
  if (version) judge_.Wrote(request.key, request.floor, version->value, value);
  Count(request, true, version ? Status() : Status(version.error()));
}

void BenchLoad::OnRead(const Request& request, const Result<Value>& value) {
  const bool missing = !value && value.error() == Errc::kNotFound;
  if (missing) judge_.FoundNothing(request.key, request.floor);
  if (value) judge_.Read(request.key, request.floor, value->version.value, value->value);
  Count(request, false, value || missing ? Status() : Status(value.error()));
}

void BenchLoad::Count(const Request& request, bool write, const Status& outcome) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    BenchPhase& due_in = phases_[request.phase];
    (write ? due_in.writes : due_in.reads).Record(now - request.due);
    if (outcome) {
      Clock::time_point& last = last_success_[ShardOf(request.key, options_.shards).value];
      BenchPhase& present = phases_[phase_];
      present.longest_gap_ns = std::max<std::int64_t>(present.longest_gap_ns, (now - last).count());
      ++present.completed;
      last = now;
    } else {
      ++due_in.failed;
      due_in.unknown += MaybeApplied(outcome.error().code());
      if (complaints_.size() < kComplaints) {
        complaints_.push_back(due_in.name + ": " + outcome.error().ToString());
      }
    }
  }
  if (closed_ != 0) Send(next_++, request.phase, now);
  Leave();
}

void BenchLoad::Leave() {
  --under_way_;
  under_way_.notify_all();
}

std::vector<std::string> BenchLoad::complaints() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all = complaints_;
  for (const std::string& complaint : judge_.complaints()) all.push_back(complaint);
  return all;
}

}  // namespace decree::cli
