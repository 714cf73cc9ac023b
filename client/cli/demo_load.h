// Steady load beside the demo: reads and writes at an intended rate through the C++ client and over
// HTTP. Latency counts from the moment a request was due, so that a stall shows in full. Every
// read is compared, and every acknowledged write is remembered for the end.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/rows.h"
#include "decree/client.h"
#include "kv/base/histogram.h"

namespace decree::cli {

enum class Phase : std::size_t { kBefore, kDuring, kAfter, kCount };

struct LoadFigures {
  Histogram latency;
  std::uint64_t failed = 0;
  double seconds = 0;
};

struct LoadOptions {
  double native_rate = 400;  // requests a second
  double http_rate = 100;
};

class HttpNodes;

class DemoLoad {
 public:
  // `records` are in the store already; they are read, never written.
  DemoLoad(Client& db, const std::vector<Record>& records, LoadOptions options);
  ~DemoLoad() { Stop(); }

  // Where HTTP requests go from now on, in turn; a node that cannot be reached is passed over.
  void UseHttp(std::vector<std::uint16_t> ports);
  void Start();
  void Enter(Phase phase);  // requests due from now on count there
  void Stop();              // waits for what is under way

  LoadFigures native(Phase phase) const;
  LoadFigures http(Phase phase) const;
  std::uint64_t wrong_reads() const { return wrong_; }
  std::vector<std::string> complaints() const;
  // Reads every written key back; the number of keys, and those that are wrong.
  struct Readback {
    std::uint64_t keys = 0;
    std::uint64_t wrong = 0;
  };
  Readback VerifyWrites();

 private:
  using Clock = std::chrono::steady_clock;
  struct Written {
    std::string acknowledged;
    std::set<std::string> possible;  // outcomes that are not known
    bool busy = false;               // a write is under way: writes of one key never overlap
  };

  void RunNative();
  void RunHttp(std::size_t lane);
  void OneHttp(HttpNodes& nodes, const std::string& key, std::uint64_t number,
               Clock::time_point due);
  void OneNative(std::uint64_t number, Clock::time_point due);
  void NativeWrite(std::uint64_t number, Clock::time_point due);
  void NativeRead(std::uint64_t number, Clock::time_point due);
  void Leave();
  bool Claim(const std::string& key);
  void Settle(const std::string& key, const std::string& value, const Status& outcome);
  void Possible(const std::string& key, const std::string& value);
  void Count(std::array<LoadFigures, 3>& figures, Phase phase, Clock::time_point due,
             const Status& outcome);
  void Wrong(const std::string& what);
  Phase phase() const { return static_cast<Phase>(phase_.load()); }

  Client& db_;
  const std::vector<Record>& records_;
  const LoadOptions options_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> phase_{0};
  std::atomic<std::uint64_t> under_way_{0};
  std::atomic<std::uint64_t> wrong_{0};
  mutable std::mutex mutex_;
  std::vector<std::uint16_t> http_ports_;
  std::array<LoadFigures, 3> native_;
  std::array<LoadFigures, 3> http_;
  Clock::time_point phase_began_;
  std::map<std::string, Written> written_;
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

}  // namespace decree::cli
