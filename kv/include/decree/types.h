// The words of the public interface. No thread-safety concerns: plain values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace decree {

// Version of a key: strictly increasing within its shard and never used again, also after a delete,
// a move of the shard or an expiry. Zero means "absent".
struct Version {
  std::uint64_t value = 0;
  auto operator<=>(const Version&) const = default;
};

struct Value {
  std::string value;
  Version version;
  std::optional<std::chrono::system_clock::time_point> expires_at;
};

enum class Consistency : std::uint8_t {
  kLinearizable = 0,  // the read sees every write acknowledged before it began
  kStale = 1,         // any replica answers from what it has applied
};

// How long a call may take when neither it nor its client says otherwise.
inline constexpr std::chrono::milliseconds kDefaultTimeout{2000};

// Options of one call. A timeout of zero means the client's default, which is always finite.
struct ReadOptions {
  std::chrono::milliseconds timeout{0};
  Consistency consistency = Consistency::kLinearizable;
};

struct WriteOptions {
  std::chrono::milliseconds timeout{0};
  std::optional<Version> if_version;  // only if the key has this version
  bool if_absent = false;             // only if the key does not exist
  std::chrono::milliseconds ttl{0};   // gone this long after the write; zero: never
};

// Limits of the data model (contract: HTTP).
inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxValueBytes = std::size_t{1} << 20;

}  // namespace decree
