// The load of a benchmark: half reads, half writes of random keys through the C++ client. Closed
// (so many under way at any time) to find what the cluster can do, open (at a rate, whatever comes
// back) to measure: latency counts from the moment a request was due. Every answer is judged.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/bench_judge.h"
#include "decree/client.h"
#include "kv/base/histogram.h"

namespace decree::cli {

struct BenchLoadOptions {
  std::uint32_t shards = 64;
  std::uint64_t keys = 10'000;
  std::size_t value_bytes = 256;
  std::uint64_t seed = 1;
};

struct BenchPhase {
  std::string name;
  double seconds = 0;
  std::uint64_t completed = 0;  // with success, while the phase lasted, whenever they were due
  // Of the requests that were due in the phase; those that failed count with the time they took.
  Histogram reads;
  Histogram writes;
  std::uint64_t failed = 0;
  std::uint64_t unknown = 0;        // of the failed: the outcome is not known
  std::int64_t longest_gap_ns = 0;  // in which a shard answered nothing with success
};

class BenchLoad {
 public:
  BenchLoad(Client& db, BenchLoadOptions options);
  ~BenchLoad() { Stop(); }

  Status Fill();  // writes every key once
  // Operations a second with so many under way.
  double MeasureMost(std::size_t in_flight, std::chrono::duration<double> length);
  void Start(double rate, const std::string& phase);
  void Enter(const std::string& phase);  // requests due from now on count there
  void Stop();                           // waits for what is under way

  // After Stop.
  const std::vector<BenchPhase>& phases() const { return phases_; }
  const VersionJudge& judge() const { return judge_; }
  std::vector<std::string> complaints() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Request {
    std::uint64_t number = 0;
    std::size_t phase = 0;
    Clock::time_point due;
    std::string key;
    std::uint64_t floor = 0;
  };

  void Run(double rate);
  void Send(std::uint64_t number, std::size_t phase, Clock::time_point due);
  void OnWritten(const Request& request, const std::string& value, const Result<Version>& version);
  void OnRead(const Request& request, const Result<Value>& value);
  void Count(const Request& request, bool write, const Status& outcome);
  void CloseGaps(Clock::time_point now);
  std::size_t phase() const;
  void Leave();
  std::string ValueOf(std::uint64_t number) const;

  Client& db_;
  const BenchLoadOptions options_;
  VersionJudge judge_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> under_way_{0};
  std::atomic<std::size_t> closed_{0};  // requests to keep under way; 0: open
  std::atomic<std::uint64_t> next_{0};
  mutable std::mutex mutex_;
  std::size_t phase_ = 0;
  Clock::time_point phase_began_;
  std::vector<BenchPhase> phases_;
  std::vector<Clock::time_point> last_success_;  // by shard
  std::vector<std::string> complaints_;
  std::thread thread_;
};

}  // namespace decree::cli
