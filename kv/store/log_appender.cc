#include "kv/store/log_appender.h"

#include <utility>

#include "kv/base/mark.h"

namespace decree::store {
namespace {

constexpr std::uint64_t kLargestRecord = std::uint64_t{1} << 30;

}  // namespace

LogAppender::LogAppender(LogSegments& segments, OpenSegment current, std::uint64_t end,
                         std::function<bool()> wait)
    : segments_(segments), wait_(std::move(wait)), current_(std::move(current)), end_(end) {}

// Room for the kEnd record is always kept.
bool LogAppender::Fits(std::uint64_t bytes) const {
  return end_ + bytes + kRecordHeaderBytes <= current_.header.bytes;
}

void LogAppender::Finish(std::size_t begin, LogRecordType type, ReplicaKey key) {
  RecordHeader header;
  header.key = key;
  header.type = type;
  header.batch = static_cast<std::uint32_t>(end_);
  FinishRecord(buffer_, begin, current_.header, end_ + begin, header);
}

Result<LogPlace> LogAppender::Add(LogRecordType type, ReplicaKey key, std::uint64_t first,
                                  const std::function<void(std::string&)>& encode) {
  std::size_t begin = BeginRecord(buffer_);
  encode(buffer_);
  const std::uint64_t size = buffer_.size() - begin;
  if (size > kLargestRecord) return Error(Errc::kTooLarge, "log record of over 1 GiB");
  if (!Fits(buffer_.size() + kRecordAlignment)) {
    std::string record = buffer_.substr(begin);
    buffer_.resize(begin);
    if (Status rolled = Roll(first, size + kRecordAlignment + kRecordHeaderBytes); !rolled) {
      return rolled.error();
    }
    buffer_ = std::move(record);
    begin = 0;
  }
  Finish(begin, type, key);
  return LogPlace{current_.header.sequence, end_ + begin, buffer_.size() - begin};
}

Status LogAppender::Sync() {
  if (buffer_.empty()) return {};
  if (Status written = current_.file->WriteAt(end_, buffer_); !written) return written;
  if (Status synced = current_.file->Sync(); !synced) return synced;
  end_ += buffer_.size();
  constexpr std::size_t kKeep = std::size_t{1} << 20;
  buffer_.clear();
  if (buffer_.capacity() > kKeep) buffer_.shrink_to_fit();
  return {};
}

// The old segment is complete and synced before the new one gets its name: recovery counts on it.
// Too many open files are no fault of the disk and no reason to retire it (P8): the log waits.
Status LogAppender::Roll(std::uint64_t first, std::uint64_t least_bytes) {
  SOMETIMES(log_segment_filled);
  Finish(BeginRecord(buffer_), LogRecordType::kEnd, {});
  if (Status synced = Sync(); !synced) return synced;
  const std::uint64_t sequence = current_.header.sequence + 1;
  Result<OpenSegment> next = segments_.Begin(sequence, first, least_bytes);
  while (!next && next.error() == Errc::kBusy && wait_()) {
    next = segments_.Begin(sequence, first, least_bytes);
  }
  if (!next) return next.error();
  current_ = *std::move(next);
  end_ = kSegmentHeaderBytes;
  return {};
}

}  // namespace decree::store
