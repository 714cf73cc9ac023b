// Errors are values. Every call of Decree that can fail returns Result<T>: test it like a bool,
// read the value with * or ->, the reason with error(). The same codes travel on the wire and
// become HTTP statuses, so there is one vocabulary for calls, peers and users.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace decree {

// Why a call failed. Values are stable: they are written to the wire and to session rows.
enum class Errc : std::uint8_t {
  kOk = 0,
  kNotFound = 1,            // the key, shard, node or move does not exist
  kPreconditionFailed = 2,  // a condition was false; decided in the replicated log
  kUnavailable = 3,         // no quorum or no leader; certainly not applied; try again
  kOutcomeUnknown = 4,      // timed out after it was sent: applied or not, nobody can say
  kDeadlineExceeded = 5,    // timed out before it was sent: certainly not applied
  kTooLarge = 6,            // key, value or request over its limit
  kInvalidArgument = 7,     // the request makes no sense
  kSessionExpired = 8,      // the session is unknown; the command was not executed now
  kShuttingDown = 9,        // this node or client is stopping
  kConflict = 10,           // something of that kind is running already, or the epoch is stale
  kBusy = 11,               // overloaded; try again later
  kImpossible = 12,         // understood, but cannot be done; the detail says why
  kCorruption = 13,         // stored or received bytes fail their checksum or their grammar
  kIo = 14,                 // the operating system refused a read or write
  kNoSpace = 15,            // the disk is full
  kWrongCluster = 16,       // the data or the peer belongs to another cluster
  kLocked = 17,             // another process uses the directory
  kNotLeader = 18,          // ask the leader (internal: callers follow the hint)
  kStaleMap = 19,           // this node does not hold the shard (internal: callers refresh the map)
  kCancelled = 20,          // the caller gave up
  kUnauthorized = 21,       // token missing or wrong
};
inline constexpr Errc kMaxErrc = Errc::kUnauthorized;

std::string_view ErrcName(Errc code);  // "not_found": the `code` field of problem+json
bool IsRetryable(Errc code);           // the same call may succeed later
bool MaybeApplied(Errc code);          // the write may have happened

const boost::system::error_category& DecreeCategory();
boost::system::error_code make_error_code(Errc code);

// A code and, where there is more to say, a sentence that names the thing.
class Error {
 public:
  Error() = default;
  Error(Errc code) : code_(code) {}  // NOLINT: implicit on purpose, so that `return Errc::kBusy`
  Error(Errc code, std::string detail) : code_(code), detail_(std::move(detail)) {}

  Errc code() const { return code_; }
  const std::string& detail() const { return detail_; }
  std::string ToString() const;  // "not_found: no node 7"

  friend bool operator==(const Error& a, const Error& b) { return a.code_ == b.code_; }
  friend bool operator==(const Error& a, Errc b) { return a.code_ == b; }

 private:
  Errc code_ = Errc::kOk;
  std::string detail_;
};

[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

}  // namespace decree

template <>
struct boost::system::is_error_code_enum<decree::Errc> : std::true_type {};
