// How old segments of a FileLog become free: what is still needed of the oldest ones is written
// again at the head, a tail record makes them superfluous, and their files wait to be recycled. So
// a cold shard with its one promise never pins the log. Replay is order-free, which makes the
// copies harmless.
#include <algorithm>
#include <utility>

#include "kv/base/bug.h"
#include "kv/base/codec.h"
#include "kv/base/mark.h"
#include "kv/store/shard_log.h"

namespace decree::store {

// A segment without live votes costs a few promises to free. One with a few live votes is worth
// copying once half of the goal is used up; one with many waits until their owner flushes
// (OldestPin).
bool FileLog::Recyclable(std::uint64_t sequence) const {
  const std::uint64_t live = book_.LiveBytes(sequence);
  if (live == 0) return true;
  return live_.size() > goal_segments_ / 2 && live <= options_.segment_bytes / 8;
}

void FileLog::RecycleOldest() {
  check_tail_ = false;
  Items items;
  std::uint64_t first = first_;
  const std::size_t few = 4;  // segments in one go, so that appends do not wait long
  while (first != live_.back() && first < first_ + few && Recyclable(first)) {
    if (Status collected = CollectLive(first, &items); !collected) {
      if (collected.error() != Errc::kBusy) return Fail(collected.error());
      check_tail_ = true;  // too many open files: after the next write
      return;
    }
    ++first;
  }
  if (first == first_) return;
  Item tail;
  tail.type = LogRecordType::kTail;
  tail.number = first;
  items.push_back(std::move(tail));
  Commit(items);
  if (failed_) return;
  SOMETIMES(log_segments_freed);
  check_tail_ = check_tail_ || first == first_ + few;
  Release(first);
}

// What later segments do not have: promises, watermarks and trims from memory, votes from the file.
Status FileLog::CollectLive(std::uint64_t sequence, Items* items) {
  for (LogBook::State& state : book_.States(sequence)) {
    if (state.trimmed) {
      items->push_back({LogRecordType::kTrim, state.key, {}, state.trimmed.value, {}, true});
    }
    items->push_back({LogRecordType::kPersist, state.key, std::move(state.record), 0, {}, true});
  }
  if (book_.LiveBytes(sequence) == 0 || DECREE_BUG_SEGMENT_RECYCLED_EARLY) return {};
  const Result<SegmentBytes> segment = segments_->Read(sequence);
  if (!segment) return segment.error();
  const auto collect = [&](const LogRecord& record) -> Status {
    const ReplicaKey key = record.header.key;
    if (record.header.type != LogRecordType::kPersist) return {};
    if (!book_.NeedsSlots(sequence, key)) return {};
    Result<consensus::Persist> persist = Decode<consensus::Persist>(record.payload);
    if (!persist) return Error(Errc::kCorruption, segments_->Path(sequence) + ": malformed record");
    const Slot trimmed = book_.TrimmedTo(key);
    consensus::Persist live;
    const auto needed = [&](const auto& each) { return each.slot > trimmed; };
    std::copy_if(persist->votes.begin(), persist->votes.end(), std::back_inserter(live.votes),
                 needed);
    std::copy_if(persist->chosen.begin(), persist->chosen.end(), std::back_inserter(live.chosen),
                 needed);
    if (live.votes.empty() && live.chosen.empty()) return {};
    SOMETIMES(log_live_votes_forwarded);
    items->push_back({LogRecordType::kPersist, key, std::move(live), 0, {}, true});
    return {};
  };
  const Result<SegmentScan> scan = ScanSegment(segment->header, segment->bytes, collect);
  if (!scan) return scan.error();
  if (!scan->complete) {
    return Error(Errc::kCorruption, segments_->Path(sequence) + ": damaged record at byte " +
                                        std::to_string(scan->end));
  }
  return {};
}

// The tail record is durable: the files below are spare. Readers are kept out by the mutex.
void FileLog::Release(std::uint64_t first) {
  const std::lock_guard lock(state_mutex_);
  for (; first_ < first; ++first_) {
    book_.Drop(first_);
    live_.pop_front();
    segments_->AddSpare(first_);
  }
  const std::uint64_t goal = goal_segments_;
  segments_->LimitSpares(goal > live_.size() ? goal - live_.size() : 1);
}

}  // namespace decree::store
