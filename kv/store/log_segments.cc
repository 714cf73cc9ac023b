#include "kv/store/log_segments.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "kv/base/mark.h"

namespace decree::store {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kDigits = 16;

std::optional<std::uint64_t> SequenceOf(const std::string& name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t sequence = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + kDigits, sequence, 16);
  if (parsed.ptr != name.data() + kDigits) return std::nullopt;
  return sequence;
}

Status WriteHeader(File& file, const SegmentHeader& header) {
  if (Status written = file.WriteAt(0, EncodeSegmentHeader(header)); !written) return written;
  return file.Sync();
}

}  // namespace

LogSegments::LogSegments(std::string directory, std::uint64_t segment_bytes,
                         std::shared_ptr<Files> files)
    : directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      files_(std::move(files)),
      salts_(files_->RandomSeed()) {}

std::string LogSegments::Path(std::uint64_t sequence) const {
  char name[kDigits + 1];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(sequence));
  return directory_ + "/" + name + std::string(kSuffix);
}

Result<std::vector<std::uint64_t>> LogSegments::List() {
  Unneeded(directory_ + "/prepare.tmp");
  const Result<std::vector<std::string>> names = files_->List(directory_);
  if (!names) return names.error();
  std::vector<std::uint64_t> sequences;
  for (const std::string& name : *names) {
    if (const auto sequence = SequenceOf(name)) sequences.push_back(*sequence);
  }
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

Error LogSegments::DamagedHeader(std::uint64_t sequence) const {
  return Error(Errc::kCorruption, Path(sequence) + ": damaged header of a log segment");
}

Result<SegmentBytes> LogSegments::Read(std::uint64_t sequence) const {
  Result<std::string> bytes = ReadWholeFile(*files_, Path(sequence));
  if (!bytes) return bytes.error();
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(*bytes);
  if (!header || header->sequence != sequence) {
    return DamagedHeader(sequence);
  }
  if (header->bytes != bytes->size()) {
    return Error(Errc::kCorruption, Path(sequence) + ": " + std::to_string(bytes->size()) +
                                        " bytes long, but made with " +
                                        std::to_string(header->bytes));
  }
  return SegmentBytes{*header, *std::move(bytes)};
}

Result<OpenSegment> LogSegments::Open(std::uint64_t sequence) const {
  Result<SegmentBytes> segment = Read(sequence);
  if (!segment) return segment.error();
  auto file = files_->Open(Path(sequence), File::Mode::kReadWrite);
  if (!file) return file.error();
  return OpenSegment{segment->header, *std::move(file)};
}

Result<OpenSegment> LogSegments::Begin(std::uint64_t sequence, std::uint64_t first,
                                       std::uint64_t least_bytes) {
  SegmentHeader header;
  header.sequence = sequence;
  header.salt = salts_.Next();
  header.first = first;
  // One record larger than a segment gets a segment of its own.
  header.bytes = std::max(segment_bytes_, kSegmentHeaderBytes + least_bytes);
  if (spares_.empty() || header.bytes != segment_bytes_) return Create(header);
  return Recycle(header);
}

Result<OpenSegment> LogSegments::Recycle(const SegmentHeader& header) {
  SOMETIMES(log_segment_recycled);
  const std::uint64_t spare = spares_.back();
  const auto opened = files_->Open(Path(spare), File::Mode::kReadWrite);
  if (!opened) return opened.error();
  spares_.pop_back();
  const Result<std::uint64_t> size = (*opened)->Size();
  if (!size || *size != header.bytes) {
    Unneeded(Path(spare));  // made with another segment size
    return Create(header);
  }
  // Until the rename the file is still named as a spare: a crash in between leaves a spare.
  if (Status written = WriteHeader(**opened, header); !written) return written.error();
  return Name(Path(spare), header);
}

Result<OpenSegment> LogSegments::Create(const SegmentHeader& header) {
  const std::string temporary = directory_ + "/prepare.tmp";
  const auto fresh = files_->Open(temporary, File::Mode::kCreate);
  if (!fresh) return fresh.error();
  if (Status filled = (*fresh)->ZeroFill(0, header.bytes); !filled) {
    Unneeded(temporary);  // a full disk gets its bytes back
    return filled.error();
  }
  if (Status written = WriteHeader(**fresh, header); !written) return written.error();
  return Name(temporary, header);
}

Result<OpenSegment> LogSegments::Name(const std::string& prepared, const SegmentHeader& header) {
  if (Status renamed = files_->Rename(prepared, Path(header.sequence)); !renamed) {
    return renamed.error();
  }
  if (Status synced = SyncNames(); !synced) return synced.error();
  auto file = files_->Open(Path(header.sequence), File::Mode::kReadWrite);
  if (!file) return file.error();
  return OpenSegment{header, *std::move(file)};
}

void LogSegments::Unneeded(const std::string& path) const {
  [[maybe_unused]] const Status best_effort = files_->RemoveFile(path);
}

void LogSegments::LimitSpares(std::size_t keep) {
  while (spares_.size() > keep) {
    Unneeded(Path(spares_.front()));
    spares_.erase(spares_.begin());
  }
}

Status RecordReader::Use(std::uint64_t sequence) {
  if (header_.sequence == sequence) return {};
  header_ = SegmentHeader();
  auto file = segments_.files().Open(segments_.Path(sequence), File::Mode::kRead);
  if (!file) return file.error();
  const Result<std::string> head = (*file)->ReadAt(0, kSegmentHeaderBytes);
  if (!head) return head.error();
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(*head);
  if (!header || header->sequence != sequence) return segments_.DamagedHeader(sequence);
  header_ = *header;
  file_ = *std::move(file);
  return {};
}

Result<std::string> RecordReader::Read(const LogPlace& place) {
  if (Status used = Use(place.segment); !used) return used.error();
  return file_->ReadAt(place.offset, static_cast<std::size_t>(place.bytes));
}

}  // namespace decree::store
