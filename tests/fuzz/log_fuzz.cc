// Log segments: whatever stands in the files of a log's directory, opening it gives a log or a
// kCorruption that names a file. An input is a script: records of up to three segments as a writer
// would have left them, then bytes that are damaged.
#include "consensus/output.h"
#include "kv/store/log_format.h"
#include "kv/store/log_recovery.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/sim/sim_files.h"

namespace decree::fuzz {
namespace {

using store::LogRecordType;
using store::LogSegments;
using store::RecoveredLog;
using store::SegmentHeader;

constexpr std::uint64_t kSegmentBytes = 2048;
constexpr std::uint64_t kSegments = 3;

// What a script's bytes mean, beside a record's type as its number.
constexpr std::uint8_t kEndOfSegment = 0;
constexpr std::uint8_t kMalformed = 7;   // a record of a known type with any payload
constexpr std::uint8_t kLaterBatch = 8;  // the next record belongs to the write before
constexpr std::uint8_t kOperations = 9;

consensus::Persist SomePersist(std::uint64_t slot) {
  consensus::Persist persist;
  persist.promised.emplace();
  persist.votes = {{Slot{slot}, {}, {}}};
  persist.watermark = Slot{slot / 2};
  return persist;
}

class Script {
 public:
  explicit Script(std::string_view input) : pieces_(input) {
    newest_ = 1 + pieces_.Byte() % kSegments;
    for (std::uint64_t sequence = 1; sequence <= newest_; ++sequence) WriteSegment(sequence);
    for (std::uint64_t at = 0; !pieces_.empty(); sound_ = false) {
      std::string& segment = segments_[pieces_.Byte() % segments_.size()];
      at = pieces_.Number(2) % segment.size();
      segment[at] = static_cast<char>(segment[at] ^ pieces_.Byte());
    }
  }
  const std::vector<std::string>& segments() const { return segments_; }
  // Nothing is wrong with it: it has to be recovered.
  bool sound() const { return sound_; }

 private:
  void WriteSegment(std::uint64_t sequence) {
    const SegmentHeader header{sequence, 7 * sequence, kSegmentBytes, 1};
    std::string bytes = store::EncodeSegmentHeader(header);
    bool complete = false;
    for (batch_ = bytes.size(); !complete;) {
      const std::uint8_t operation = pieces_.Byte() % kOperations;
      if (operation == kEndOfSegment) break;
      if (operation == kLaterBatch) continue;
      complete = AddRecord(operation, header, &bytes);
      if (pieces_.Byte() % kOperations != kLaterBatch) batch_ = bytes.size();
    }
    sound_ = sound_ && (complete || sequence == newest_);
    bytes.resize(kSegmentBytes, '\0');
    segments_.push_back(std::move(bytes));
  }

  // Whether the segment ends with it.
  bool AddRecord(std::uint8_t operation, const SegmentHeader& header, std::string* bytes) {
    const std::size_t before = bytes->size();
    store::RecordHeader record;
    record.key = {ShardId{pieces_.Byte()}, ReplicaId{pieces_.Byte()}};
    record.batch = static_cast<std::uint32_t>(batch_);
    const std::size_t begin = store::BeginRecord(*bytes);
    if (operation == kMalformed) {
      record.type = static_cast<LogRecordType>(1 + pieces_.Byte() % 6);
      bytes->append(pieces_.Piece());
      sound_ = false;
    } else {
      record.type = static_cast<LogRecordType>(operation);
      *bytes += Payload(record.type);
    }
    store::FinishRecord(*bytes, begin, header, before, record);
    if (bytes->size() <= kSegmentBytes) return record.type == LogRecordType::kEnd;
    bytes->resize(before);
    return true;  // full, and never said to be complete
  }

  std::string Payload(LogRecordType type) {
    if (type == LogRecordType::kPersist) return Encode(SomePersist(pieces_.Number(2)));
    if (type == LogRecordType::kTrim) return Encode(Slot{pieces_.Number(2)});
    if (type != LogRecordType::kTail) return {};
    return Encode(1 + pieces_.Number(1) % newest_);
  }

  Pieces pieces_;
  std::uint64_t newest_ = 1;
  std::uint64_t batch_ = 0;
  bool sound_ = true;
  std::vector<std::string> segments_;
};

// In memory: what the calls write counts here, not the disk.
class LogDirectory {
 public:
  explicit LogDirectory(const std::vector<std::string>& segments) {
    DECREE_CHECK(files_->MakeDirectory(path_));
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const auto file = files_->Open(Open().Path(i + 1), store::File::Mode::kCreate);
      DECREE_CHECK(file && (*file)->WriteAt(0, segments[i]));
    }
  }
  LogSegments Open() const { return LogSegments(path_, kSegmentBytes, files_); }
  Result<RecoveredLog> Recover() const {
    LogSegments segments = Open();
    return RecoverLog(segments, false);
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_ = "/log";
  const std::shared_ptr<store::Files> files_ = sim::MakeSimFiles(std::make_shared<sim::SimFs>(1));
};

// Recovery changes nothing that it would find another time.
void CheckAgain(const RecoveredLog& first, const LogDirectory& directory) {
  const Result<RecoveredLog> second = directory.Recover();
  DECREE_CHECK_MSG(second.has_value(), second ? "" : second.error().ToString());
  DECREE_CHECK(second->live == first.live);
  DECREE_CHECK(second->end == first.end);
  DECREE_CHECK(second->book.Replicas() == first.book.Replicas());
  for (const ReplicaKey key : first.book.Replicas()) {
    DECREE_CHECK(second->book.TrimmedTo(key) == first.book.TrimmedTo(key));
  }
}

void Run(std::string_view input) {
  const Script script(input);
  const LogDirectory directory(script.segments());
  const Result<RecoveredLog> recovered = directory.Recover();
  if (recovered) {
    DECREE_CHECK(recovered->end >= store::kSegmentHeaderBytes && recovered->end <= kSegmentBytes);
    return CheckAgain(*recovered, directory);
  }
  DECREE_CHECK_MSG(!script.sound(), recovered.error().ToString());
  DECREE_CHECK(recovered.error() == Errc::kCorruption);
  DECREE_CHECK(recovered.error().detail().find(directory.path()) != std::string::npos);
}

std::string Record(LogRecordType type, const std::string& payload = {}) {
  return Number(static_cast<std::uint64_t>(type), 1) + Number(1, 1) + Number(1, 1) + payload +
         Number(0, 1);
}

std::vector<std::string> Seeds() {
  const std::string persist = Record(LogRecordType::kPersist, Number(9, 2));
  const std::string trim = Record(LogRecordType::kTrim, Number(4, 2));
  const std::string forget = Record(LogRecordType::kForget);
  const std::string mark = Record(LogRecordType::kMark);
  const std::string tail = Record(LogRecordType::kTail, Number(1, 1));
  const std::string end = Record(LogRecordType::kEnd);
  const std::string stop(1, '\0');
  const std::string malformed = Number(kMalformed, 1) + Number(0, 3) + Piece("\xff\xff") + stop;
  const std::string damage = Number(0, 1) + Number(70, 2) + Number(1, 1);
  return {Number(0, 1) + persist + trim + forget + mark + stop,
          Number(1, 1) + persist + persist + end + persist + tail + stop,
          Number(2, 1) + persist + end + trim + end + tail + end,
          Number(0, 1) + persist + malformed + persist + stop,
          Number(1, 1) + persist + persist + end + persist + stop + damage};
}

const Registration kLog{{"log", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz
