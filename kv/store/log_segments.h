// The directory of a log: segment files named by their sequence, of which the oldest may be spare.
//
//   <sequence, 16 hex digits>.log   a segment; below the tail: spare, to be recycled
//   prepare.tmp                     a new segment on its way; removed at start
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kv/base/random.h"
#include "kv/store/files.h"
#include "kv/store/log_book.h"
#include "kv/store/log_format.h"

namespace decree::store {

struct OpenSegment {
  SegmentHeader header;
  std::unique_ptr<File> file;
};

struct SegmentBytes {
  SegmentHeader header;
  std::string bytes;
};

// Reading is thread-safe beside one writing thread, as long as that does not recycle what is read.
class LogSegments {
 public:
  LogSegments(std::string directory, std::uint64_t segment_bytes, std::shared_ptr<Files> files);

  // Makes the names of the segments durable that are there.
  Status SyncNames() const { return files_->SyncDirectory(directory_); }
  // Sequences found, ascending. Removes an unfinished new segment.
  Result<std::vector<std::uint64_t>> List();
  // kCorruption, naming the file, unless it is the segment of this sequence in its full length.
  Result<SegmentBytes> Read(std::uint64_t sequence) const;
  Result<OpenSegment> Open(std::uint64_t sequence) const;
  // A segment that holds at least `least_bytes` of records: a spare one, or a new one of zeros. Its
  // header and its name are durable when this returns. After kBusy it may be tried again: whatever
  // stands under the name by then is replaced.
  Result<OpenSegment> Begin(std::uint64_t sequence, std::uint64_t first, std::uint64_t least_bytes);

  void AddSpare(std::uint64_t sequence) { spares_.push_back(sequence); }
  // Removes spares until at most `keep` are left.
  void LimitSpares(std::size_t keep);
  std::string Path(std::uint64_t sequence) const;
  Error DamagedHeader(std::uint64_t sequence) const;
  Files& files() const { return *files_; }

 private:
  Result<OpenSegment> Recycle(const SegmentHeader& header);
  Result<OpenSegment> Create(const SegmentHeader& header);
  Result<OpenSegment> Name(const std::string& prepared, const SegmentHeader& header);
  void Unneeded(const std::string& path) const;  // removed if the disk lets us

  const std::string directory_;
  const std::uint64_t segment_bytes_;
  const std::shared_ptr<Files> files_;
  Random salts_;
  std::vector<std::uint64_t> spares_;
};

// Reads single records, one segment after the other: it keeps the last one open.
class RecordReader {
 public:
  explicit RecordReader(const LogSegments& segments) : segments_(segments) {}
  // The bytes at the place, and the header of their segment. kCorruption as LogSegments::Read.
  Result<std::string> Read(const LogPlace& place);
  const SegmentHeader& header() const { return header_; }

 private:
  Status Use(std::uint64_t sequence);

  const LogSegments& segments_;
  SegmentHeader header_;  // sequence 0: none is open
  std::unique_ptr<File> file_;
};

}  // namespace decree::store
