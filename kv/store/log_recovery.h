// Opening a log: which segments count, where the last one ends, and what is still needed of them.
#pragma once

#include <cstdint>
#include <deque>

#include "kv/store/log_book.h"
#include "kv/store/log_segments.h"

namespace decree::store {

struct RecoveredLog {
  LogBook book;
  std::deque<std::uint64_t> live;  // sequences, ascending; the last one is `current`
  std::uint64_t first = 1;         // the tail: segments below are spare
  OpenSegment current;
  std::uint64_t end = 0;  // append here
};

// A torn tail is cut (only records whose write never finished), and the bytes behind it become
// zeros. Everything else that is wrong is kCorruption, naming the file and the offset: see
// FORMATS.md, "Torn or corrupt". What is handed out is durable, whoever wrote it last. An empty
// directory becomes a log only if `create` is set.
Result<RecoveredLog> RecoverLog(LogSegments& segments, bool create);

}  // namespace decree::store
