// What clients ask of a shard. Commands go through the shard's log and change it; reads do not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decree/result.h"
#include "decree/types.h"
#include "kv/base/codec.h"

namespace decree {

enum class CommandKind : std::uint8_t {
  kPut = 0,
  kDelete = 1,
  kOpenSession = 2,  // creates session.client in this shard; opening an open one is fine. Answers
                     // SessionRef::opened as its version
  kMark = 3,         // changes nothing; replicas digest their rows as of its slot
  kPlacement = 4,    // placement group only: `value` is an encoded placement command
  kMax = kPlacement
};

enum class ConditionKind : std::uint8_t {
  kNone = 0,
  kAbsent = 1,     // If-None-Match: *
  kPresent = 2,    // If-Match: *
  kVersionIs = 3,  // If-Match: "v"
  kValueIs = 4,    // cas KEY OLD NEW
  kMax = kValueIs
};

struct Condition {
  ConditionKind kind = ConditionKind::kNone;
  std::uint64_t version = 0;
  std::string value;
  DECREE_FIELDS(kind, version, value)
};

// Names one command of one client for exactly-once execution. Client 0: no session, may run twice.
struct SessionRef {
  std::uint64_t client = 0;
  std::uint64_t sequence = 0;     // 1, 2, 3... in each shard
  std::uint64_t acked_below = 0;  // the client has the answers of all sequences below
  // The version that kOpenSession answered; 0: do not compare. A late duplicate of kOpenSession may
  // bring a forgotten client id back, but then this differs, and late commands stay refused.
  std::uint64_t opened = 0;
  DECREE_FIELDS(client, sequence, acked_below, opened)
};

struct Command {
  CommandKind kind = CommandKind::kPut;
  SessionRef session;
  std::string key;
  std::string value;
  Condition condition;
  std::uint64_t ttl_ms = 0;  // 0: never expires
  DECREE_FIELDS(kind, session, key, value, condition, ttl_ms)
};

// What a CommandBatch decree carries. The replicated clock: never falls, see PROTOCOL.md.
struct CommandBatch {
  WallMs time_ms = 0;
  std::vector<Command> commands;
  DECREE_FIELDS(time_ms, commands)
};

struct CommandResult {
  Errc code = Errc::kOk;  // kOk, kPreconditionFailed, kSessionExpired, kImpossible, kConflict...
  std::uint64_t version =
      0;                 // after the command; when a condition failed, the current one (0: absent)
  bool created = false;  // a put made a new key; a delete removed one
  WallMs expires_at_ms = 0;  // 0: never
  std::string detail;        // placement: the answer; errors: the reason
  DECREE_FIELDS(code, version, created, expires_at_ms, detail)
};

struct ReadRequest {
  std::string key;
  Consistency consistency = Consistency::kLinearizable;
  DECREE_FIELDS(key, consistency)
};
template <>
inline constexpr Consistency kEnumMax<Consistency> = Consistency::kStale;

struct ReadResult {  // absent keys answer kNotFound instead
  std::string value;
  std::uint64_t version = 0;
  WallMs expires_at_ms = 0;
  DECREE_FIELDS(value, version, expires_at_ms)
};

// One page of a shard's rows in key order.
struct ScanRequest {
  std::string prefix;
  std::string after;           // exclusive; empty: from the start
  std::uint32_t limit = 1000;  // rows
  Consistency consistency = Consistency::kLinearizable;
  DECREE_FIELDS(prefix, after, limit, consistency)
};
struct ScanRow {
  std::string key;
  std::string value;
  std::uint64_t version = 0;
  DECREE_FIELDS(key, value, version)
};
struct ScanResult {
  std::vector<ScanRow> rows;
  bool complete = false;  // nothing follows in this shard
  DECREE_FIELDS(rows, complete)
};

}  // namespace decree
