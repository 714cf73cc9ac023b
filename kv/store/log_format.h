// The bytes of a log segment (FORMATS.md, "Log segments"): a header, then records. A record is
// valid only at its own place in its own life of the segment, because its checksum is seeded with
// the segment's salt, its sequence and the record's offset: a recycled segment never replays an old
// life.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "decree/result.h"
#include "kv/base/ids.h"

namespace decree::store {

inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kRecordHeaderBytes = 32;
inline constexpr std::size_t kRecordAlignment = 8;

struct SegmentHeader {
  std::uint64_t sequence = 0;  // 1, 2, 3...: one more than the segment before
  std::uint64_t salt = 0;      // random for each life
  std::uint64_t bytes = 0;     // of the file
  std::uint64_t first = 0;     // oldest segment that was needed when this one began
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
std::optional<SegmentHeader> DecodeSegmentHeader(
    std::string_view bytes);  // none: not a valid header

enum class LogRecordType : std::uint16_t {
  kPersist = 1,  // a consensus::Persist of one replica
  kTrim = 2,     // votes and chosen values of one replica at or below a slot are not needed
  kForget = 3,   // nothing written before of one replica is needed
  kTail = 4,     // segments below a sequence are not needed
  kEnd = 5,      // the segment is complete, the next one follows
  kMark = 6,     // nothing: proves that what is before it was synced (written at a clean stop)
};

struct RecordHeader {
  ReplicaKey key;
  LogRecordType type = LogRecordType::kMark;
  std::uint32_t length = 0;  // of the payload, without padding
  std::uint32_t batch =
      0;  // offset of the first record of the same write: all before it was synced
};

// Reserves room for a record's header; the caller appends the payload; FinishRecord pads and fills
// the header in. `begin` is what BeginRecord returned; `offset` is where the record will stand in
// the file.
std::size_t BeginRecord(std::string& out);
void FinishRecord(std::string& out, std::size_t begin, const SegmentHeader& segment,
                  std::uint64_t offset, RecordHeader header);

struct LogRecord {
  RecordHeader header;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;   // with header and padding
  std::string_view payload;  // points into the buffer
};

// The record at the front of `bytes`, which stand at `offset` of the segment, if it is valid there.
std::optional<LogRecord> ParseRecord(const SegmentHeader& segment, std::string_view bytes,
                                     std::uint64_t offset);

struct SegmentScan {
  std::uint64_t end = 0;         // the valid records end here
  std::uint64_t last_write = 0;  // the last write that they are of begins here
  bool complete = false;         // a kEnd record was the last one
  bool damaged = false;          // a later record proves that the bytes at `end` had been synced
  bool clean_tail = false;       // only zeros follow
};

// Visits the valid records in order. The visitor ends the scan by returning an error.
Result<SegmentScan> ScanSegment(const SegmentHeader& segment, std::string_view bytes,
                                const std::function<Status(const LogRecord&)>& visit);

}  // namespace decree::store
