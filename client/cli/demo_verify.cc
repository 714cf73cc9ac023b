#include "client/cli/demo_verify.h"

#include <mutex>

#include "client/cli/checker.h"
#include "client/cli/http_client.h"
#include "client/cli/interrupt.h"
#include "client/cli/window.h"

namespace decree::cli {
namespace {

constexpr std::size_t kComplaints = 10;
constexpr std::size_t kInFlight = 256;
constexpr std::chrono::milliseconds kPatience{15'000};

std::string WrongIn(const Record& record, const Result<Value>& value) {
  if (!value) return record.key + ": " + value.error().ToString();
  if (value->value != record.value) return record.key + ": another value";
  return {};
}

}  // namespace

void Verdict::Complain(const std::string& what) {
  ++wrong;
  if (complaints.size() < kComplaints) complaints.push_back(what);
}

Verdict VerifyRecords(Client& db, const std::vector<Record>& records, Progress& progress) {
  Verdict verdict;
  std::mutex mutex;
  Window window(kInFlight);
  ReadOptions options;
  options.timeout = kPatience;
  for (const Record& record : records) {
    if (Interrupted()) break;
    window.Acquire();
    db.AsyncGet(record.key, options, [&](Result<Value> value) {
      const std::string wrong = WrongIn(record, value);
      {
        const std::lock_guard lock(mutex);
        ++verdict.compared;
        if (!wrong.empty()) verdict.Complain(wrong);
      }
      window.Release();
    });
    progress.Update(static_cast<std::uint64_t>(&record - records.data()) + 1);
  }
  window.Drain();
  return verdict;
}

Verdict VerifyOverHttp(const std::vector<DemoNode>& nodes, const std::vector<Record>& records,
                       std::size_t sample, Progress& progress) {
  Verdict verdict;
  sample = std::min(sample, records.size());
  for (const DemoNode& node : nodes) {
    HttpClient http("127.0.0.1", node.http, kPatience);
    for (std::size_t i = 0; i < sample && !Interrupted(); ++i) {
      const Record& record = records[i * records.size() / sample];
      const auto reply = http.Send("GET", KeyTarget(record.key));
      ++verdict.compared;
      progress.Update(verdict.compared);
      if (reply && reply->status == 200 && reply->body == record.value) continue;
      const std::string why = !reply                 ? reply.error().ToString()
                              : reply->status != 200 ? "status " + std::to_string(reply->status)
                                                     : "another value";
      verdict.Complain("node " + std::to_string(node.id) + ", " + record.key + ": " + why);
    }
  }
  return verdict;
}

Verdict VerifyDigests(Client& db, std::uint32_t shards, Progress& progress) {
  Verdict verdict;
  for (std::uint32_t shard = 0; shard < shards && !Interrupted(); ++shard) {
    const auto check = CheckShard(db, shard, kPatience);
    ++verdict.compared;
    progress.Update(verdict.compared);
    if (check && check->equal) continue;
    verdict.Complain("shard " + std::to_string(shard) + ": " +
                     (check ? check->problem : check.error().ToString()));
  }
  return verdict;
}

}  // namespace decree::cli
