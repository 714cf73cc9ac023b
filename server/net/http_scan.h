// GET /v1/kv: rows of all shards in key order. One object a request, on its worker.
#pragma once

#include <memory>
#include <optional>

#include "kv/api/key_scan.h"
#include "kv/base/executor.h"
#include "server/net/door.h"
#include "server/net/http_message.h"
#include "server/net/http_target.h"

namespace decree::net {

inline constexpr std::string_view kScanPath = "/v1/kv";

struct ScanQuery {
  KeyRange range;
  Duration timeout = 2s;
};
// kInvalidArgument or kTooLarge names the parameter that is wrong.
Result<ScanQuery> ParseScanQuery(const Target& target);

// {"items":[..],"cursor":..,"complete":..}
std::string ToJson(ScanResult result, bool keys_only);

class HttpScan : public std::enable_shared_from_this<HttpScan> {
 public:
  HttpScan(NodeDoor& door, std::size_t worker, Executor& executor, ScanQuery query, HttpDone done);
  void Run();

 private:
  void AskForPages();
  void OnPage(ShardId shard, OperationResult result);
  void Refuse(Errc code, std::string detail);
  void Finish(HttpResponse response);

  NodeDoor& door_;
  const std::size_t worker_;
  Executor& executor_;
  const ScanQuery query_;
  const Instant deadline_;
  std::optional<KeyScan> scan_;  // once the number of shards is known
  HttpDone done_;                // null once it is answered
};

}  // namespace decree::net
