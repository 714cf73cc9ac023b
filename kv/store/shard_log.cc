#include "kv/store/shard_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kv/base/codec.h"
#include "kv/base/mark.h"
#include "kv/store/log_merge.h"

namespace decree::store {

Result<std::unique_ptr<FileLog>> FileLog::Open(FileLogOptions options) {
  if (Status made = options.files->MakeDirectory(options.directory); !made) return made.error();
  auto segments =
      std::make_unique<LogSegments>(options.directory, options.segment_bytes, options.files);
  Result<RecoveredLog> recovered = RecoverLog(*segments, options.create);
  if (!recovered) return recovered.error();
  return std::unique_ptr<FileLog>(
      new FileLog(std::move(options), std::move(segments), *std::move(recovered)));
}

FileLog::FileLog(FileLogOptions options, std::unique_ptr<LogSegments> segments,
                 RecoveredLog recovered)
    : options_(std::move(options)),
      goal_segments_(std::max<std::uint64_t>(2, options_.goal_bytes / options_.segment_bytes)),
      segments_(std::move(segments)),
      book_(std::move(recovered.book)),
      live_(std::move(recovered.live)),
      appender_(*segments_, std::move(recovered.current), recovered.end,
                [this] { return WaitForFiles(); }),
      first_(recovered.first),
      self_(std::make_shared<FileLog*>(this)) {
  if (!options_.later) writer_ = std::thread([this] { Run(); });
}

FileLog::~FileLog() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (writer_.joinable()) {
    writer_.join();
    return;
  }
  for (Items items = TakeQueue(); !items.empty(); items = TakeQueue()) Turn(std::move(items));
  Mark();
}

void FileLog::Enqueue(Item item, bool wake) {
  bool turn = false;
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(item));
    turn = wake && !work_;
    work_ = work_ || wake;
  }
  if (wake) wake_.notify_one();
  if (turn && options_.later) TurnLater();
}

// What is queued until then becomes one write, as with the thread.
void FileLog::TurnLater() {
  options_.later([weak = std::weak_ptr<FileLog*>(self_)] {
    const auto self = weak.lock();
    if (!self) return;
    if (Items items = (*self)->TakeQueue(); !items.empty()) (*self)->Turn(std::move(items));
  });
}

void FileLog::Append(ReplicaKey key, consensus::Persist record, Done done) {
  Enqueue({LogRecordType::kPersist, key, std::move(record), 0, std::move(done)}, true);
}

// A trim is only advice: it travels with the next append and costs no fsync of its own.
void FileLog::Trim(ReplicaKey key, Slot slot) {
  Enqueue({LogRecordType::kTrim, key, {}, slot.value, {}}, false);
}

void FileLog::Forget(ReplicaKey key) { Enqueue({LogRecordType::kForget, key, {}, 0, {}}, true); }

std::vector<ReplicaKey> FileLog::Replicas() {
  const std::lock_guard lock(state_mutex_);
  return book_.Replicas();
}

std::optional<ReplicaKey> FileLog::OldestPin() {
  const std::lock_guard lock(state_mutex_);
  if (live_.size() <= goal_segments_) return std::nullopt;
  return book_.LargestShare(live_.front());
}

std::size_t FileLog::live_segments() {
  const std::lock_guard lock(state_mutex_);
  return live_.size();
}

// ---- recovery of one replica ----

// Where the records of a replica stand: remembered from opening, or found by reading its segments.
Result<FileLog::Places> FileLog::PlacesOf(ReplicaKey key) {
  if (const Places* places = book_.PlacesOf(key)) return *places;
  SOMETIMES(log_records_found_by_reading);
  Places places;
  for (const std::uint64_t sequence : book_.SegmentsOf(key)) {
    const Result<SegmentBytes> segment = segments_->Read(sequence);
    if (!segment) return segment.error();
    const auto note = [&](const LogRecord& record) -> Status {
      if (record.header.key == key && record.header.type == LogRecordType::kPersist) {
        places.push_back({sequence, record.offset, record.bytes});
      }
      return {};
    };
    const auto scan = ScanSegment(segment->header, segment->bytes, note);
    if (!scan) return scan.error();
  }
  return places;
}

Result<consensus::Persist> FileLog::ReadRecord(RecordReader& reader, const LogPlace& place) {
  const Result<std::string> bytes = reader.Read(place);
  if (!bytes) return bytes.error();
  const std::optional<LogRecord> record = ParseRecord(reader.header(), *bytes, place.offset);
  if (record) {
    Result<consensus::Persist> persist = Decode<consensus::Persist>(record->payload);
    if (persist) return persist;
  }
  return Error(Errc::kCorruption, segments_->Path(place.segment) + ": damaged record at byte " +
                                      std::to_string(place.offset));
}

// Reads under the mutex, so that the writer recycles nothing meanwhile.
Result<consensus::Recovered> FileLog::Recover(ReplicaKey key) {
  const std::lock_guard lock(state_mutex_);
  if (failed_) return *failed_;
  const Result<Places> places = PlacesOf(key);
  if (!places) return places.error();
  LogMerge merged;
  RecordReader reader(*segments_);
  for (const LogPlace& place : *places) {
    const Result<consensus::Persist> record = ReadRecord(reader, place);
    if (!record) return record.error();
    merged.Add(*record);
  }
  merged.Trim(book_.TrimmedTo(key));
  return merged.ToRecovered();
}

// ---- the writer thread ----

void FileLog::Run() {
  for (;;) {
    {
      std::unique_lock lock(queue_mutex_);
      wake_.wait(lock, [this] { return work_ || stopping_; });
    }
    Items items = TakeQueue();
    if (items.empty()) break;  // stopping, and nothing is left
    Turn(std::move(items));
  }
  Mark();
}

FileLog::Items FileLog::TakeQueue() {
  const std::lock_guard lock(queue_mutex_);
  work_ = false;
  return std::exchange(queue_, {});
}

void FileLog::Turn(Items items) {
  Commit(items);
  if (check_tail_ && !failed_) RecycleOldest();
}

void FileLog::Mark() {
  if (marked_ || failed_) return;
  Items mark(1);
  mark.front().type = LogRecordType::kMark;
  Commit(mark);
}

// One write and one fdatasync for all items, or one for each segment they touch; then the reports.
void FileLog::Commit(Items& items) {
  std::size_t reported = 0;
  Places places;
  for (std::size_t i = 0; i < items.size() && !failed_; ++i) {
    const Result<LogPlace> place = Write(items[i]);
    if (!place) {
      Fail(place.error());
      break;
    }
    if (!places.empty() && places.back().segment != place->segment) {
      Publish(&items[reported], places);  // beginning a segment synced the one before
      reported = i;
      places.clear();
    }
    places.push_back(*place);
  }
  if (!failed_) {
    if (Status synced = appender_.Sync(); !synced) Fail(synced.error());
  }
  if (!failed_) return Publish(&items[reported], places);
  for (std::size_t i = reported; i < items.size(); ++i) {
    if (items[i].done) items[i].done(*failed_);
  }
}

Result<LogPlace> FileLog::Write(const Item& item) {
  marked_ = item.type == LogRecordType::kMark;
  return appender_.Add(item.type, item.key, first_, [&](std::string& out) {
    if (item.type == LogRecordType::kPersist) AppendEncoded(out, item.record);
    if (item.type == LogRecordType::kTrim || item.type == LogRecordType::kTail) {
      AppendEncoded(out, item.number);
    }
  });
}

// The items from `items` on are durable at their places.
void FileLog::Publish(const Item* items, const Places& places) {
  {
    const std::lock_guard lock(state_mutex_);
    for (std::size_t i = 0; i < places.size(); ++i) Note(items[i], places[i]);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (items[i].done) items[i].done(Status());
  }
}

void FileLog::Note(const Item& item, const LogPlace& place) {
  if (place.segment != live_.back()) {
    live_.push_back(place.segment);
    book_.AddSegment(place.segment);
    check_tail_ = true;
  }
  if (item.type == LogRecordType::kPersist) {
    if (!item.forwarded) book_.ForgetPlaces(item.key);
    book_.Add(item.key, place, item.record);
  } else if (item.type == LogRecordType::kTrim) {
    book_.Trim(item.key, Slot{item.number}, place.segment);
    if (!item.forwarded) check_tail_ = true;
  } else if (item.type == LogRecordType::kForget) {
    book_.Forget(item.key);
    check_tail_ = true;
  }
}

// Until somebody may have closed one; false when the log is closing.
bool FileLog::WaitForFiles() {
  constexpr auto kPause = std::chrono::milliseconds(20);
  if (options_.later) return false;  // whoever could close one waits for us
  std::unique_lock lock(queue_mutex_);
  return !wake_.wait_for(lock, kPause, [this] { return stopping_; });
}

// P8: a disk whose write or fdatasync failed once is out for good; nothing is retried.
void FileLog::Fail(const Error& error) {
  if (options_.on_failure) options_.on_failure(error);
  const std::lock_guard lock(state_mutex_);
  failed_ = error;
}

}  // namespace decree::store
