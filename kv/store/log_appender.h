// Puts records into the current segment, and begins the next one when a record does not fit. One
// write and one fdatasync for everything added since the last. Used by the writer thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kv/store/log_segments.h"

namespace decree::store {

class LogAppender {
 public:
  // `wait` is called when too many files are open to begin a segment, which then is tried again;
  // false: give up.
  LogAppender(LogSegments& segments, OpenSegment current, std::uint64_t end,
              std::function<bool()> wait);

  // Buffers one record; `encode` appends its payload. If it begins a new segment (see the place),
  // then everything added before is synced. `first` is noted in the header of a segment begun here.
  // After an error the appender must not be used again (P8).
  Result<LogPlace> Add(LogRecordType type, ReplicaKey key, std::uint64_t first,
                       const std::function<void(std::string&)>& encode);
  Status Sync();

 private:
  bool Fits(std::uint64_t bytes) const;
  Status Roll(std::uint64_t first, std::uint64_t least_bytes);
  void Finish(std::size_t begin, LogRecordType type, ReplicaKey key);

  LogSegments& segments_;
  const std::function<bool()> wait_;
  OpenSegment current_;
  std::uint64_t end_;   // of what is synced
  std::string buffer_;  // stands at end_
};

}  // namespace decree::store
