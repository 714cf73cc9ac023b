#include "kv/api/key_scan.h"

#include <algorithm>

#include "kv/api/limits.h"
#include "kv/api/shard_map.h"
#include "kv/base/base64.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

constexpr std::uint32_t kPageSlack = 8;  // rows beyond a shard's fair share
constexpr char kCursorVersion = 1;
constexpr std::size_t kCursorCheckBytes = 4;

bool LowerKey(const ScanRow& a, const ScanRow& b) { return a.key < b.key; }
std::size_t SizeOf(const ScanRow& row) { return row.key.size() + row.value.size(); }

// With a whole tag in it, every key that starts so is in one shard.
bool NamesOneShard(const std::string& prefix) { return HashedPart(prefix).size() < prefix.size(); }

// One row more than wanted tells whether more follow. Several shards share the rows evenly, more or
// less; those that turn out to have more of the first ones are asked again.
std::uint32_t FirstPage(std::uint32_t limit, std::size_t shards) {
  if (shards == 1) return limit + 1;
  const auto fair = static_cast<std::uint32_t>(limit / shards);
  return std::min(limit + 1, fair + fair / 4 + kPageSlack);
}

std::string CheckOf(std::string_view bytes) {
  const std::uint64_t hash = Hash64(bytes);
  std::string check;
  for (std::size_t i = 0; i < kCursorCheckBytes; ++i) {
    check.push_back(static_cast<char>((hash >> (8 * i)) & 0xFF));
  }
  return check;
}

void Replace(std::string& text, std::string_view from, std::string_view to) {
  for (char& c : text) {
    const std::size_t at = from.find(c);
    if (at != std::string_view::npos) c = to[at];
  }
}

}  // namespace

Status CheckLimits(const KeyRange& range) {
  ScanRequest shard;
  shard.prefix = range.prefix;
  shard.after = range.after;
  if (Status limits = CheckLimits(shard); !limits) return limits;
  for (const std::string* bound : {&range.start, &range.end}) {
    if (bound->size() > kMaxKeyBytes) {
      return Error(Errc::kTooLarge, "start and end have up to " + std::to_string(kMaxKeyBytes) +
                                        " bytes, as keys do");
    }
  }
  if (range.limit >= 1 && range.limit <= kMaxScanRows) return {};
  return Error(Errc::kInvalidArgument,
               "the limit is from 1 to " + std::to_string(kMaxScanRows) + " rows");
}

KeyScan::KeyScan(KeyRange range, std::uint32_t shards) : range_(std::move(range)) {
  const std::string after = std::max(KeyBelow(range_.start), range_.after);
  if (!range_.end.empty()) cut_ = range_.end;
  if (NamesOneShard(range_.prefix)) {
    shards_.push_back({ShardOf(range_.prefix, shards), after});
  } else {
    for (std::uint32_t i = 0; i < shards; ++i) shards_.push_back({ShardId{i}, after});
  }
  for (Shard& shard : shards_) {
    shard.rows = FirstPage(range_.limit, shards_.size());
    waiting_.push_back(shard.id);
  }
}

std::optional<KeyScan::Page> KeyScan::Next() {
  while (!waiting_.empty() && under_way_ < kScanPagesAtOnce) {
    const Shard& shard = Find(waiting_.front());
    waiting_.pop_front();
    if (!Below(shard.after)) continue;
    ++under_way_;
    return Page{shard.id, {range_.prefix, shard.after, shard.rows, range_.consistency}};
  }
  return std::nullopt;
}

Status KeyScan::Take(ShardId id, ScanResult page) {
  --under_way_;
  Shard& shard = Find(id);
  const bool moved_on = !page.rows.empty() && page.rows.back().key > shard.after;
  if (!moved_on && !page.complete) {
    return Error(Errc::kCorruption, "shard " + ToString(id) + " answered a page without an end");
  }
  if (!page.rows.empty()) shard.after = page.rows.back().key;
  for (ScanRow& row : page.rows) {
    if (!Below(row.key)) break;
    Keep(std::move(row));
  }
  if (page.complete || !Below(shard.after)) return {};
  shard.rows = std::min(range_.limit + 1, 2 * shard.rows);
  waiting_.push_back(id);
  return {};
}

void KeyScan::Keep(ScanRow row) {
  if (range_.keys_only) row.value.clear();
  bytes_ += SizeOf(row);
  rows_.push_back(std::move(row));
  std::push_heap(rows_.begin(), rows_.end(), LowerKey);
  while (rows_.size() > range_.limit || (bytes_ > range_.max_bytes && rows_.size() > 1)) {
    LetGoOfGreatest();
  }
}

void KeyScan::LetGoOfGreatest() {
  std::pop_heap(rows_.begin(), rows_.end(), LowerKey);
  bytes_ -= SizeOf(rows_.back());
  cut_ = std::move(rows_.back().key);
  cut_short_ = true;
  rows_.pop_back();
}

ScanResult KeyScan::TakeResult() {
  std::sort_heap(rows_.begin(), rows_.end(), LowerKey);
  return {std::move(rows_), !cut_short_};
}

Operation ToOperation(KeyScan::Page page, Duration left) {
  Operation operation;
  operation.kind = OperationKind::kScan;
  operation.shard = page.shard;
  operation.consistency = page.request.consistency;
  operation.scan = std::move(page.request);
  operation.timeout = std::max<Duration>(left, 1ms);
  return operation;
}

// Among keys of up to kMaxKeyBytes bytes there is a next lower one.
std::string KeyBelow(std::string start) {
  if (start.empty()) return start;
  const auto last = static_cast<unsigned char>(start.back());
  start.pop_back();
  if (last == 0) return start;
  start.push_back(static_cast<char>(last - 1));
  start.resize(kMaxKeyBytes, '\xFF');
  return start;
}

std::string ToCursor(const std::string& key) {
  std::string bytes = kCursorVersion + key;
  std::string text = ToBase64(bytes + CheckOf(bytes));
  while (text.ends_with('=')) text.pop_back();
  Replace(text, "+/", "-_");
  return text;
}

std::optional<std::string> FromCursor(std::string_view cursor) {
  std::string text(cursor);
  if (text.find_first_of("+/=") != std::string::npos) return std::nullopt;
  Replace(text, "-_", "+/");
  text.append((4 - text.size() % 4) % 4, '=');
  auto bytes = FromBase64(text);
  if (!bytes || bytes->size() <= 1 + kCursorCheckBytes) return std::nullopt;
  const std::string check = bytes->substr(bytes->size() - kCursorCheckBytes);
  bytes->resize(bytes->size() - kCursorCheckBytes);
  if (bytes->front() != kCursorVersion || check != CheckOf(*bytes)) return std::nullopt;
  bytes->erase(0, 1);
  return bytes;
}

}  // namespace decree
