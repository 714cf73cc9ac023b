// The forms of a shard's rows: one place that knows how keys and values of each kind are laid out
// (FORMATS.md). Numbers inside keys are big endian, so that bytewise order is numeric order.
//
//   "mfacts"                   format, MachineFacts
//   "d" key                    format, version, expires_at_ms (0: never), value bytes to the end
//   "e" expires_at_ms key      size of the value: which data rows expire, earliest first
//   "s" client                 session header
//   "r" client sequence        result of one command of a session
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "decree/result.h"
#include "kv/api/command.h"

namespace decree::store {

inline constexpr char kRowFormat = 1;
inline constexpr std::string_view kFactsKey = "mfacts";

struct DataRow {
  std::uint64_t version = 0;
  WallMs expires_at_ms = 0;
  std::string_view value;  // points into the row's bytes
};

std::string DataKey(std::string_view key);
std::string DataValue(const DataRow& row);
Result<DataRow> ParseDataValue(std::string_view bytes);  // kCorruption

struct ExpiryRow {
  WallMs expires_at_ms = 0;
  std::string_view key;  // points into the row's key
  std::uint64_t value_bytes = 0;
};
std::string ExpiryKey(WallMs expires_at_ms, std::string_view key);
std::string ExpiryValue(std::uint64_t value_bytes);
Result<ExpiryRow> ParseExpiryRow(std::string_view row_key, std::string_view row_value);

struct SessionHeader {
  Slot opened;
  std::uint64_t acked_below = 0;
  Slot used;  // last command; orders sessions by use, because replicated time never falls
  WallMs used_ms = 0;
  DECREE_FIELDS(opened, acked_below, used, used_ms)
};
std::string SessionKey(std::uint64_t client);
Result<std::uint64_t> ParseSessionKey(std::string_view row_key);
std::string ResultKey(std::uint64_t client, std::uint64_t sequence);
Result<std::pair<std::uint64_t, std::uint64_t>> ParseResultKey(std::string_view row_key);

// Whether a row that expires at `expires_at_ms` is gone at replicated time `now`.
inline bool HasExpired(WallMs expires_at_ms, WallMs now) {
  return expires_at_ms != 0 && expires_at_ms <= now;
}

}  // namespace decree::store
