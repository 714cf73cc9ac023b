#include "kv/api/limits.h"

#include <string>

namespace decree {
namespace {

Status CheckSize(const char* what, const std::string& bytes, std::size_t limit) {
  if (bytes.size() <= limit) return {};
  return Error(Errc::kTooLarge, std::string("the ") + what + " has " +
                                    std::to_string(bytes.size()) + " bytes, the limit is " +
                                    std::to_string(limit));
}

bool NamesKey(CommandKind kind) {
  return kind == CommandKind::kPut || kind == CommandKind::kDelete;
}

}  // namespace

Status CheckKey(const std::string& key) {
  if (key.empty()) return Error(Errc::kInvalidArgument, "the key is empty");
  return CheckSize("key", key, kMaxKeyBytes);
}

Status CheckWriteLimits(CommandKind kind, const std::string& key, const std::string& value,
                        const Condition& condition, std::uint64_t ttl_ms) {
  const Status named = NamesKey(kind) ? CheckKey(key) : CheckSize("key", key, kMaxKeyBytes);
  if (!named) return named;
  if (Status size = CheckSize("value", value, kMaxValueBytes); !size) return size;
  // No value over the limit can be met by a condition, but it would travel through the log.
  const Status expected = CheckSize("expected value", condition.value, kMaxValueBytes);
  if (!expected) return expected;
  if (ttl_ms > kMaxTtlMs) {
    return Error(Errc::kInvalidArgument, "the time to live is over 100 years");
  }
  return {};
}

Status CheckLimits(const Command& command) {
  return CheckWriteLimits(command.kind, command.key, command.value, command.condition,
                          command.ttl_ms);
}

Status CheckLimits(const ReadRequest& request) { return CheckKey(request.key); }

Status CheckLimits(const ScanRequest& request) {
  if (Status prefix = CheckSize("prefix", request.prefix, kMaxKeyBytes); !prefix) return prefix;
  return CheckSize("key to go on after", request.after, kMaxKeyBytes);
}

}  // namespace decree
