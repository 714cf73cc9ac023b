// Rows of all shards in key order. A shard holds the keys of a range of hashes, so that each holds
// keys from everywhere in the order of keys: the first rows of the whole are found by asking every
// shard for its first rows, and for more of them where they may still be among the first of all.
//
// The state is small: the rows below a cut, which falls whenever there are more of them than were
// asked for. A shard is done with when its rows have passed the cut. So what is held is bounded by
// `limit` and `max_bytes` and by the pages on their way, however many shards there are.
//
// Each page of a shard is consistent in itself, pages are not with each other: a key written while
// the scan runs may or may not be seen; one that was there before and stays is seen.
//
// Pure, single-threaded: whoever uses it asks for Next() and carries the pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "decree/result.h"
#include "kv/api/caller.h"
#include "kv/base/ids.h"

namespace decree {

inline constexpr std::uint32_t kMaxScanRows = 10'000;               // of one KeyScan
inline constexpr std::size_t kMaxScanBytes = std::size_t{4} << 20;  // keys and values
inline constexpr std::size_t kScanPagesAtOnce = 16;                 // asked for at a time

struct KeyRange {
  std::string prefix;                     // only keys that start with it
  std::string start;                      // inclusive; empty: from the first
  std::string end;                        // exclusive; empty: to the last
  std::string after;                      // exclusive: where an earlier page ended; empty: nowhere
  std::uint32_t limit = 1000;             // rows, 1..kMaxScanRows
  std::size_t max_bytes = kMaxScanBytes;  // ends a page early, but never before its first row
  bool keys_only = false;
  Consistency consistency = Consistency::kLinearizable;
};
// kInvalidArgument or kTooLarge, naming the field.
Status CheckLimits(const KeyRange& range);

class KeyScan {
 public:
  // A range that CheckLimits has passed; `shards` as in the shard map.
  KeyScan(KeyRange range, std::uint32_t shards);

  struct Page {
    ShardId shard;
    ScanRequest request;
  };
  // What to ask for next. Nothing: pages that are on their way come first, or it is finished.
  std::optional<Page> Next();
  // The answer to one of them. kCorruption: no shard answers like that.
  Status Take(ShardId shard, ScanResult page);
  bool finished() const { return waiting_.empty() && under_way_ == 0; }

  // Once finished: rows in key order; complete: nothing follows in the range.
  ScanResult TakeResult();

 private:
  struct Shard {
    ShardId id;
    std::string after;
    std::uint32_t rows = 0;  // of its next page
  };
  bool Below(const std::string& key) const { return !cut_ || key < *cut_; }
  Shard& Find(ShardId id) { return shards_.size() == 1 ? shards_[0] : shards_[id.value]; }
  void Keep(ScanRow row);
  void LetGoOfGreatest();

  const KeyRange range_;
  std::vector<Shard> shards_;
  std::deque<ShardId> waiting_;  // to be asked, also those that have passed the cut meanwhile
  std::size_t under_way_ = 0;
  std::optional<std::string> cut_;  // keys at it and above are of no interest
  bool cut_short_ = false;          // rows of the range were left out
  std::vector<ScanRow> rows_;       // a heap, the greatest key first; all that are below the cut
  std::size_t bytes_ = 0;
};

// The operation that brings a page, within what is left of the scan's time.
Operation ToOperation(KeyScan::Page page, Duration left);

// The greatest key below `start`; empty if there is none: all keys are at or above it.
std::string KeyBelow(std::string start);

// A place in the order of keys as text that travels in URLs, and back. Nullopt: not made by
// ToCursor.
std::string ToCursor(const std::string& key);
std::optional<std::string> FromCursor(std::string_view cursor);

}  // namespace decree
