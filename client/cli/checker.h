// Compares the digests of a shard's replicas at one slot, shard by shard.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/cli/output.h"
#include "decree/client.h"

namespace decree::cli {

struct ShardCheck {
  std::uint32_t shard = 0;
  std::uint32_t status = 200;  // from 400 up: it could not be checked
  bool equal = false;
  std::string problem;  // why not equal, or why it could not be checked; empty if equal
  json::value answer;
};

Result<ShardCheck> CheckShard(Client& db, std::uint32_t shard, std::chrono::milliseconds timeout);

}  // namespace decree::cli
