#include "client/cli/demo_load.h"

#include <algorithm>
#include <memory>

#include "client/cli/http_client.h"
#include "client/cli/window.h"
#include "kv/base/random.h"

namespace decree::cli {
namespace {

constexpr std::uint64_t kMostUnderWay = 4096;
constexpr std::uint64_t kNativeKeys = 2000;
constexpr std::uint64_t kHttpKeys = 200;
constexpr std::size_t kHttpLanes = 2;
constexpr std::chrono::milliseconds kHttpTimeout{5000};
constexpr std::size_t kComplaints = 10;
constexpr std::size_t kReadbackInFlight = 256;

std::string ValueOf(std::uint64_t number) {
  return "value " + std::to_string(number) + std::string(100, '.');
}

// The outcome of an HTTP exchange in the common vocabulary.
Status OutcomeOf(const Result<HttpReply>& reply) {
  if (!reply) return reply.error();
  if (reply->status < 300) return {};
  const Errc code = reply->status == 504 ? Errc::kOutcomeUnknown : Errc::kUnavailable;
  return Error(code, "status " + std::to_string(reply->status) + ": " + reply->body);
}

}  // namespace

DemoLoad::DemoLoad(Client& db, const std::vector<Record>& records, LoadOptions options)
    : db_(db), records_(records), options_(std::move(options)) {}

void DemoLoad::Start() {
  phase_began_ = Clock::now();
  threads_.emplace_back([this] { RunNative(); });
  if (options_.http_rate <= 0) return;
  for (std::size_t lane = 0; lane < kHttpLanes; ++lane) {
    threads_.emplace_back([this, lane] { RunHttp(lane); });
  }
}

void DemoLoad::Enter(Phase next) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - phase_began_).count();
  native_[phase_].seconds += seconds;
  http_[phase_].seconds += seconds;
  phase_ = static_cast<std::size_t>(next);
  phase_began_ = now;
}

void DemoLoad::Stop() {
  if (stopping_.exchange(true)) return;
  for (std::thread& thread : threads_) thread.join();
  for (std::uint64_t left = under_way_; left != 0; left = under_way_) under_way_.wait(left);
  Enter(phase());
}

LoadFigures DemoLoad::native(Phase phase) const {
  const std::lock_guard lock(mutex_);
  return native_[static_cast<std::size_t>(phase)];
}

LoadFigures DemoLoad::http(Phase phase) const {
  const std::lock_guard lock(mutex_);
  return http_[static_cast<std::size_t>(phase)];
}

std::vector<std::string> DemoLoad::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

// ---- through the C++ client ----

void DemoLoad::RunNative() {
  const auto gap = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1 / options_.native_rate));
  auto due = Clock::now();
  for (std::uint64_t number = 0; !stopping_; ++number, due += gap) {
    std::this_thread::sleep_until(due);
    for (std::uint64_t now = under_way_; now >= kMostUnderWay; now = under_way_) {
      under_way_.wait(now);
    }
    OneNative(number, due);
  }
}

void DemoLoad::OneNative(std::uint64_t number, Clock::time_point due) {
  ++under_way_;
  if (number % 2 == 0 || records_.empty()) {
    NativeWrite(number, due);
  } else {
    NativeRead(number, due);
  }
}

void DemoLoad::Leave() {
  --under_way_;
  under_way_.notify_all();
}

void DemoLoad::NativeWrite(std::uint64_t number, Clock::time_point due) {
  const std::string key = "demo/native/" + std::to_string(Random(number).Below(kNativeKeys));
  if (!Claim(key)) {
    Leave();
    return;
  }
  const std::string value = ValueOf(number);
  db_.AsyncPut(key, value, [this, key, value, due, at = phase()](Result<Version> version) {
    const Status outcome = version ? Status() : Status(version.error());
    Settle(key, value, outcome);
    Count(native_, at, due, outcome);
    Leave();
  });
}

void DemoLoad::NativeRead(std::uint64_t number, Clock::time_point due) {
  const Record& record = records_[Random(number).Below(records_.size())];
  db_.AsyncGet(record.key, [this, &record, due, at = phase()](Result<Value> value) {
    const bool missing = !value && value.error() == Errc::kNotFound;
    if (missing || (value && value->value != record.value)) {
      Wrong("read of " + record.key + (missing ? " found nothing" : " gave another value"));
    }
    Count(native_, at, due, value || missing ? Status() : Status(value.error()));
    Leave();
  });
}

// ---- over HTTP ----

// A lane's connections, one a node, asked in turn.
class HttpNodes {
 public:
  // Keeps the connections to nodes that are still where they were.
  void Use(const std::vector<std::uint16_t>& ports) {
    if (ports == ports_) return;
    ports_ = ports;
    std::erase_if(clients_, [&ports](const auto& known) {
      return std::find(ports.begin(), ports.end(), known.first) == ports.end();
    });
  }

  // Sends to the next node; if that one has gone, or goes before it answers, to those after it.
  // `unanswered`: it may have been done more than once.
  Result<HttpReply> Send(std::string_view method, const std::string& target,
                         const std::string& body, bool* unanswered) {
    Result<HttpReply> reply = Error(Errc::kUnavailable, "no node");
    for (std::size_t tries = 0; tries < ports_.size(); ++tries) {
      const std::uint16_t port = ports_[next_++ % ports_.size()];
      auto& client = clients_[port];
      if (!client) client = std::make_unique<HttpClient>("127.0.0.1", port, kHttpTimeout);
      reply = client->Send(method, target, body);
      if (reply) break;
      *unanswered |= reply.error() == Errc::kOutcomeUnknown;
    }
    return reply;
  }

 private:
  std::vector<std::uint16_t> ports_;
  std::map<std::uint16_t, std::unique_ptr<HttpClient>> clients_;
  std::size_t next_ = 0;
};

void DemoLoad::UseHttp(std::vector<std::uint16_t> ports) {
  const std::lock_guard lock(mutex_);
  http_ports_ = std::move(ports);
}

void DemoLoad::RunHttp(std::size_t lane) {
  HttpNodes nodes;
  const auto gap = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(kHttpLanes / options_.http_rate));
  auto due = Clock::now() + gap * lane / kHttpLanes;
  for (std::uint64_t number = 0; !stopping_; ++number, due += gap) {
    std::this_thread::sleep_until(due);
    {
      const std::lock_guard lock(mutex_);
      nodes.Use(http_ports_);
    }
    const std::string key = "demo/http/" + std::to_string(lane) + "/" +
                            std::to_string(Random(number / 2).Below(kHttpKeys));
    OneHttp(nodes, key, number, due);
  }
}

void DemoLoad::OneHttp(HttpNodes& nodes, const std::string& key, std::uint64_t number,
                       Clock::time_point due) {
  const Phase at = phase();
  bool unanswered = false;
  if (number % 2 == 0) {
    const std::string value = ValueOf(number);
    Claim(key);
    const Status outcome = OutcomeOf(nodes.Send("PUT", KeyTarget(key), value, &unanswered));
    if (unanswered) Possible(key, value);
    Settle(key, value, outcome);
    return Count(http_, at, due, outcome);
  }
  const auto reply = nodes.Send("GET", KeyTarget(key), {}, &unanswered);
  Count(http_, at, due, OutcomeOf(reply));
  if (!reply || reply->status != 200) return;
  const std::lock_guard lock(mutex_);
  const Written& written = written_[key];
  if (reply->body != written.acknowledged && !written.possible.contains(reply->body)) {
    ++wrong_;
    complaints_.push_back("HTTP read of " + key + " gave another value");
  }
}

// ---- what was written, and how it went ----

bool DemoLoad::Claim(const std::string& key) {
  const std::lock_guard lock(mutex_);
  Written& written = written_[key];
  return !std::exchange(written.busy, true);
}

void DemoLoad::Settle(const std::string& key, const std::string& value, const Status& outcome) {
  const std::lock_guard lock(mutex_);
  Written& written = written_[key];
  written.busy = false;
  if (outcome) {
    written.acknowledged = value;
  } else if (MaybeApplied(outcome.error().code())) {
    written.possible.insert(value);
  }
}

// It may be written at any later time.
void DemoLoad::Possible(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  written_[key].possible.insert(value);
}

void DemoLoad::Count(std::array<LoadFigures, 3>& figures, Phase phase, Clock::time_point due,
                     const Status& outcome) {
  const auto took = Clock::now() - due;
  const std::lock_guard lock(mutex_);
  LoadFigures& mine = figures[static_cast<std::size_t>(phase)];
  if (outcome) {
    mine.latency.Record(took);
    return;
  }
  ++mine.failed;
  if (complaints_.size() < kComplaints) {
    complaints_.push_back("request failed: " + outcome.error().ToString());
  }
}

void DemoLoad::Wrong(const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++wrong_;
  if (complaints_.size() < kComplaints) complaints_.push_back(what);
}

DemoLoad::Readback DemoLoad::VerifyWrites() {
  Readback readback;
  Window window(kReadbackInFlight);
  std::mutex mutex;
  for (const auto& [key, written] : written_) {
    if (written.acknowledged.empty()) continue;
    ++readback.keys;
    window.Acquire();
    db_.AsyncGet(key, [&, key = key, written = &written](Result<Value> value) {
      const bool good = value && (value->value == written->acknowledged ||
                                  written->possible.contains(value->value));
      if (!good) {
        Wrong("the acknowledged write of " + key + " is not there");
        const std::lock_guard lock(mutex);
        ++readback.wrong;
      }
      window.Release();
    });
  }
  window.Drain();
  return readback;
}

}  // namespace decree::cli
