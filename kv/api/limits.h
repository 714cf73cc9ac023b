// The limits of the data model, checked in one place: by the client before it sends, by the node
// before a command reaches a log, and by the state machine when it is applied.
//
// They are also what keeps every message within a frame (kMaxFramePayload). A batch holds one
// command, or several of at most kMaxBatchBytes together; a page of an Accept, a Promise or a
// Learned holds one decree, or several of at most Options::max_page_bytes together. So no page is
// larger than the largest command and what consensus adds to it, which is a few hundred bytes:
// without a limit on every field, a shard's leader would resend an Accept that no frame can carry
// for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "decree/result.h"
#include "decree/types.h"
#include "kv/api/command.h"
#include "kv/base/frame.h"

namespace decree {

inline constexpr std::uint64_t kMaxTtlMs = std::uint64_t{100} * 365 * 24 * 3600 * 1000;
// Numbers and lengths of an encoded command, at their longest, rounded up.
inline constexpr std::size_t kCommandOverhead = 96;
inline constexpr std::size_t kMaxCommandBytes =
    kMaxKeyBytes + 2 * kMaxValueBytes + kCommandOverhead;
static_assert(4 * kMaxCommandBytes <= kMaxFramePayload, "one command fits into a frame with room");

// kTooLarge or kInvalidArgument, naming the field; nothing over a limit may reach a log.
Status CheckLimits(const Command& command);
Status CheckWriteLimits(CommandKind kind, const std::string& key, const std::string& value,
                        const Condition& condition, std::uint64_t ttl_ms);
Status CheckLimits(const ReadRequest& request);
Status CheckLimits(const ScanRequest& request);
Status CheckKey(const std::string& key);

// What an encoded command takes at most.
inline std::size_t SizeBound(const Command& command) {
  return command.key.size() + command.value.size() + command.condition.value.size() +
         kCommandOverhead;
}

}  // namespace decree
