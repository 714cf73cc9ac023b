#include "kv/store/log_recovery.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kv/base/bug.h"
#include "kv/base/codec.h"
#include "kv/base/mark.h"

namespace decree::store {
namespace {

Error Damaged(const LogSegments& segments, std::uint64_t sequence, std::uint64_t offset,
              const std::string& what) {
  return Error(Errc::kCorruption,
               segments.Path(sequence) + ": " + what + " at byte " + std::to_string(offset));
}

// The newest segment knows the tail: its header has it as of its beginning, its records move it on.
Result<std::uint64_t> FindFirst(const LogSegments& segments, std::uint64_t newest) {
  const Result<SegmentBytes> segment = segments.Read(newest);
  if (!segment) return segment.error();
  std::uint64_t first = segment->header.first;
  const Result<SegmentScan> scan =
      ScanSegment(segment->header, segment->bytes, [&](const LogRecord& record) -> Status {
        if (record.header.type != LogRecordType::kTail) return {};
        const auto tail = Decode<std::uint64_t>(record.payload);
        if (!tail) return Damaged(segments, newest, record.offset, "malformed tail record");
        first = std::max(first, *tail);
        return {};
      });
  if (!scan) return scan.error();
  return first;
}

Status Replay(const LogSegments& segments, std::uint64_t sequence, const LogRecord& record,
              LogBook* book) {
  switch (record.header.type) {
    case LogRecordType::kPersist: {
      const auto persist = Decode<consensus::Persist>(record.payload);
      if (!persist) return Damaged(segments, sequence, record.offset, "malformed record");
      book->Add(record.header.key, {sequence, record.offset, record.bytes}, *persist);
      return {};
    }
    case LogRecordType::kTrim: {
      const auto slot = Decode<Slot>(record.payload);
      if (!slot) return Damaged(segments, sequence, record.offset, "malformed trim record");
      book->Trim(record.header.key, *slot, sequence);
      return {};
    }
    case LogRecordType::kForget:
      book->Forget(record.header.key);
      return {};
    case LogRecordType::kTail:
    case LogRecordType::kEnd:
    case LogRecordType::kMark:
      break;
  }
  return {};
}

Result<SegmentScan> ReplaySegment(const LogSegments& segments, std::uint64_t sequence, bool last,
                                  LogBook* book) {
  const Result<SegmentBytes> segment = segments.Read(sequence);
  if (!segment) return segment.error();
  book->AddSegment(sequence);
  Result<SegmentScan> scan = ScanSegment(
      segment->header, segment->bytes,
      [&](const LogRecord& record) { return Replay(segments, sequence, record, book); });
  if (!scan) return scan.error();
  // A segment was complete and synced before the next one began, so only the last one can be torn.
  if (DECREE_BUG_CORRUPT_IS_ABSENT) return scan;
  if (scan->damaged || (!last && !scan->complete)) {
    return Damaged(segments, sequence, scan->end, "damaged record");
  }
  return scan;
}

// What a killed process wrote last stands in the page cache, synced or not, and nobody can tell.
// From here on it is believed: a repeated Accept is answered from it without a new record (P7). So
// it must be durable first. Only the last write of the newest segment is in doubt: a write began
// after the fdatasync of the one before it, and a segment got its name after the fdatasync that
// completed the one before. That write is made again, not only synced: after an fdatasync that
// failed, the kernel takes its pages for clean although they never reached the disk (P8).
Status MakeDurable(File& file, const SegmentScan& scan, std::uint64_t bytes) {
  const Result<std::string> last =
      file.ReadAt(scan.last_write, static_cast<std::size_t>(scan.end - scan.last_write));
  if (!last) return last.error();
  if (Status written = file.WriteAt(scan.last_write, *last); !written) return written;
  // Zeros behind the last record: what a torn write left can never be taken for a record later.
  if (!scan.complete && !scan.clean_tail) {
    SOMETIMES(log_torn_tail_zeroed);
    if (Status filled = file.ZeroFill(scan.end, bytes); !filled) return filled;
  }
  return file.Sync();
}

Result<RecoveredLog> BeginEmpty(LogSegments& segments) {
  RecoveredLog log;
  Result<OpenSegment> current = segments.Begin(1, 1, 0);
  if (!current) return current.error();
  log.current = *std::move(current);
  log.live.push_back(1);
  log.book.AddSegment(1);
  log.end = kSegmentHeaderBytes;
  return log;
}

// Opens the last segment for appending, or begins the next one if it is complete.
Status OpenCurrent(LogSegments& segments, const SegmentScan& scan, RecoveredLog* log) {
  const std::uint64_t newest = log->live.back();
  Result<OpenSegment> current = segments.Open(newest);
  if (!current) return current.error();
  if (Status durable = MakeDurable(*current->file, scan, current->header.bytes); !durable) {
    return durable;
  }
  log->current = *std::move(current);
  log->end = scan.end;
  if (!scan.complete) return {};
  Result<OpenSegment> next = segments.Begin(newest + 1, log->first, 0);
  if (!next) return next.error();
  log->current = *std::move(next);
  log->live.push_back(newest + 1);
  log->book.AddSegment(newest + 1);
  log->end = kSegmentHeaderBytes;
  return {};
}

}  // namespace

Result<RecoveredLog> RecoverLog(LogSegments& segments, bool create) {
  // A segment may have got its name just before the process was killed: see MakeDurable.
  if (Status synced = segments.SyncNames(); !synced) return synced.error();
  const Result<std::vector<std::uint64_t>> found = segments.List();
  if (!found) return found.error();
  if (found->empty() && create) return BeginEmpty(segments);
  if (found->empty()) {
    return Error(Errc::kCorruption, segments.Path(1) + ": the log has no segments");
  }
  RecoveredLog log;
  const Result<std::uint64_t> first = FindFirst(segments, found->back());
  if (!first) return first.error();
  log.first = *first;
  for (const std::uint64_t sequence : *found) {
    if (sequence < log.first) {
      SOMETIMES(log_spare_found_at_start);
      segments.AddSpare(sequence);
    } else {
      log.live.push_back(sequence);
    }
  }
  if (log.live.empty()) {
    return Error(Errc::kCorruption,
                 segments.Path(found->back()) + ": says that a later segment is the oldest");
  }
  SegmentScan last;
  for (std::uint64_t sequence = log.first; sequence <= found->back(); ++sequence) {
    if (log.live[sequence - log.first] != sequence) {
      return Error(Errc::kCorruption, segments.Path(sequence) + ": log segment is missing");
    }
    const Result<SegmentScan> scan =
        ReplaySegment(segments, sequence, sequence == found->back(), &log.book);
    if (!scan) return scan.error();
    last = *scan;
  }
  if (Status opened = OpenCurrent(segments, last, &log); !opened) return opened.error();
  log.book.EndRecovery();
  return log;
}

}  // namespace decree::store
