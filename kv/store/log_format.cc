#include "kv/store/log_format.h"

#include <xxhash.h>

#include <cstring>

#include "kv/base/check.h"

namespace decree::store {
namespace {

constexpr std::string_view kMagic("DCRLOG1\0", 8);
constexpr std::size_t kHeaderChecksumAt = kSegmentHeaderBytes - 8;

template <class T>
void PutFixed(char* at, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    at[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
}

template <class T>
T GetFixed(const char* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return static_cast<T>(value);
}

// The seed names the life and the place, so that neither an old life nor a misplaced copy is valid.
std::uint64_t Seed(const SegmentHeader& segment, std::uint64_t offset) {
  return (segment.salt ^ (segment.sequence * 0x9E3779B97F4A7C15ull)) + offset;
}

std::uint64_t Padded(std::uint64_t length) {
  return (kRecordHeaderBytes + length + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

// A short checksum of the header alone, in its bytes 22 and 23. It spares the search for later
// records from hashing a long stretch for every few bytes that happen to look like a header.
std::uint16_t HeaderCheck(const char* at, std::uint64_t seed) {
  char header[kRecordHeaderBytes - 8];
  std::memcpy(header, at + 8, sizeof header);
  PutFixed(header + 14, std::uint16_t{0});
  return static_cast<std::uint16_t>(XXH3_64bits_withSeed(header, sizeof header, seed));
}

bool KnownType(std::uint16_t type) {
  return type >= static_cast<std::uint16_t>(LogRecordType::kPersist) &&
         type <= static_cast<std::uint16_t>(LogRecordType::kMark);
}

// Does any valid record behind `end` say that the bytes at `end` were synced before it was written?
bool EvidenceOfDamage(const SegmentHeader& segment, std::string_view bytes, std::uint64_t end) {
  for (std::uint64_t at = end + kRecordAlignment; at + kRecordHeaderBytes <= bytes.size();
       at += kRecordAlignment) {
    const auto batch = GetFixed<std::uint32_t>(bytes.data() + at + 12);
    if (batch <= end || batch > at) continue;
    if (ParseRecord(segment, bytes.substr(at), at)) return true;
  }
  return false;
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes(kSegmentHeaderBytes, '\0');
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  PutFixed(bytes.data() + 8, header.sequence);
  PutFixed(bytes.data() + 16, header.salt);
  PutFixed(bytes.data() + 24, header.bytes);
  PutFixed(bytes.data() + 32, header.first);
  PutFixed(bytes.data() + kHeaderChecksumAt, XXH3_64bits(bytes.data(), kHeaderChecksumAt));
  return bytes;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  const auto checksum = GetFixed<std::uint64_t>(bytes.data() + kHeaderChecksumAt);
  if (checksum != XXH3_64bits(bytes.data(), kHeaderChecksumAt)) return std::nullopt;
  SegmentHeader header;
  header.sequence = GetFixed<std::uint64_t>(bytes.data() + 8);
  header.salt = GetFixed<std::uint64_t>(bytes.data() + 16);
  header.bytes = GetFixed<std::uint64_t>(bytes.data() + 24);
  header.first = GetFixed<std::uint64_t>(bytes.data() + 32);
  return header;
}

std::size_t BeginRecord(std::string& out) {
  const std::size_t begin = out.size();
  out.append(kRecordHeaderBytes, '\0');
  return begin;
}

void FinishRecord(std::string& out, std::size_t begin, const SegmentHeader& segment,
                  std::uint64_t offset, RecordHeader header) {
  const std::size_t length = out.size() - begin - kRecordHeaderBytes;
  DECREE_CHECK(length <= UINT32_MAX);
  out.resize(begin + Padded(length), '\0');
  char* at = out.data() + begin;
  PutFixed(at + 8, static_cast<std::uint32_t>(length));
  PutFixed(at + 12, header.batch);
  PutFixed(at + 16, header.key.shard.value);
  PutFixed(at + 20, static_cast<std::uint16_t>(header.type));
  PutFixed(at + 24, header.key.replica.value);
  const std::uint64_t seed = Seed(segment, offset);
  PutFixed(at + 22, HeaderCheck(at, seed));
  PutFixed(at, XXH3_64bits_withSeed(at + 8, Padded(length) - 8, seed));
}

std::optional<LogRecord> ParseRecord(const SegmentHeader& segment, std::string_view bytes,
                                     std::uint64_t offset) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const char* at = bytes.data();
  const auto length = GetFixed<std::uint32_t>(at + 8);
  const auto type = GetFixed<std::uint16_t>(at + 20);
  if (!KnownType(type) || Padded(length) > bytes.size()) return std::nullopt;
  const std::uint64_t seed = Seed(segment, offset);
  if (GetFixed<std::uint16_t>(at + 22) != HeaderCheck(at, seed)) return std::nullopt;
  const std::uint64_t checksum = XXH3_64bits_withSeed(at + 8, Padded(length) - 8, seed);
  if (checksum != GetFixed<std::uint64_t>(at)) return std::nullopt;
  LogRecord record;
  record.header.key.shard.value = GetFixed<std::uint32_t>(at + 16);
  record.header.key.replica.value = GetFixed<std::uint64_t>(at + 24);
  record.header.type = static_cast<LogRecordType>(type);
  record.header.length = length;
  record.header.batch = GetFixed<std::uint32_t>(at + 12);
  record.offset = offset;
  record.bytes = Padded(length);
  record.payload = bytes.substr(kRecordHeaderBytes, length);
  return record;
}

Result<SegmentScan> ScanSegment(const SegmentHeader& segment, std::string_view bytes,
                                const std::function<Status(const LogRecord&)>& visit) {
  SegmentScan scan;
  scan.end = scan.last_write = kSegmentHeaderBytes;
  while (!scan.complete) {
    const std::optional<LogRecord> record = ParseRecord(segment, bytes.substr(scan.end), scan.end);
    if (!record) break;
    if (Status visited = visit(*record); !visited) return visited.error();
    scan.end += record->bytes;
    scan.last_write = record->header.batch;
    scan.complete = record->header.type == LogRecordType::kEnd;
  }
  if (scan.complete) return scan;
  scan.damaged = EvidenceOfDamage(segment, bytes, scan.end);
  scan.clean_tail = bytes.find_first_not_of('\0', scan.end) == std::string_view::npos;
  return scan;
}

}  // namespace decree::store
