// One scan over all shards: asks for their pages, several at a time, and answers once. Pages come
// on the backend's threads, of which an embedded node has several.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "decree/client.h"
#include "decree/client_backend.h"
#include "kv/api/caller.h"
#include "kv/api/key_scan.h"

namespace decree::detail {

class ScanRun : public std::enable_shared_from_this<ScanRun> {
 public:
  // A range that CheckLimits has passed.
  ScanRun(std::shared_ptr<ClientBackend> backend, KeyRange range, std::chrono::milliseconds timeout,
          Done<ScanPage> done);
  void Start();
  void Cancel();  // answers kCancelled soon

 private:
  void AskForPages();
  void OnPage(std::uint64_t call, ShardId shard, OperationResult result);
  // Answers, unless it has answered before.
  void Finish(Result<ScanPage> result);

  const std::shared_ptr<ClientBackend> backend_;
  const KeyRange range_;
  const std::chrono::steady_clock::time_point deadline_;
  std::mutex mutex_;  // guards what follows
  std::optional<KeyScan> scan_;
  std::set<std::uint64_t> calls_;  // under way
  Done<ScanPage> done_;            // null once it is answered
};

}  // namespace decree::detail
