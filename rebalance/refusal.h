// How a placement command answers, and under which keys the state's rows are stored.
#pragma once

#include <string>
#include <utility>

#include "kv/api/command.h"
#include "rebalance/placement.h"

namespace decree::rebalance {

inline CommandResult Refuse(Errc code, std::string reason) {
  CommandResult result;
  result.code = code;
  result.detail = std::move(reason);
  return result;
}
inline CommandResult Refuse(const Error& error) { return Refuse(error.code(), error.detail()); }

inline CommandResult Accept(std::uint64_t version = 0, std::string detail = {}) {
  CommandResult result;
  result.version = version;
  result.detail = std::move(detail);
  return result;
}

// Row keys: "p", a letter for the kind, the id big-endian, so that rows lie in the order of their
// ids.
std::string HeadRowKey();
std::string RowKey(NodeId id);
std::string RowKey(ShardId id);
std::string RowKey(MoveId id);
std::string RowKey(const DecreeKey& key);

}  // namespace decree::rebalance
