#include "client/cli/importer.h"

namespace decree::cli {
namespace {

constexpr std::size_t kErrorsKept = 10;
// A record is written again after an unknown outcome: writing the same value twice is writing it
// once.
constexpr int kTries = 3;

// The cluster's fault, not the record's.
bool NotTheRecords(const Error& error) {
  return IsRetryable(error.code()) || error == Errc::kOutcomeUnknown ||
         error == Errc::kDeadlineExceeded;
}

}  // namespace

void Importer::Put(std::uint64_t line, Record record) {
  window_.Acquire();
  {
    const std::lock_guard lock(mutex_);
    open_.insert(line);
    last_line_ = line;
  }
  Start(line, std::move(record), kTries - 1);
}

void Importer::Start(std::uint64_t line, Record record, int tries_left) {
  auto shared = std::make_shared<Record>(std::move(record));
  WriteOptions options;
  options.timeout = timeout_;
  db_.AsyncPut(shared->key, shared->value, options,
               [this, line, shared, tries_left](Result<Version> result) {
                 const bool again =
                     !result && tries_left > 0 && !cut_off_ && NotTheRecords(result.error());
                 if (again) return Start(line, std::move(*shared), tries_left - 1);
                 Done(line, result);
               });
}

void Importer::Done(std::uint64_t line, const Result<Version>& result) {
  if (result) {
    ++written_;
    const std::lock_guard lock(mutex_);
    open_.erase(line);
  } else {
    if (NotTheRecords(result.error())) cut_off_ = true;
    Reject(line, result.error());
  }
  window_.Release();
}

void Importer::Reject(std::uint64_t line, const Error& error) {
  ++failed_;
  const std::lock_guard lock(mutex_);
  open_.insert(line);
  last_line_ = std::max(last_line_, line);
  if (errors_.size() < kErrorsKept) {
    errors_.push_back("line " + std::to_string(line) + ": " + error.ToString());
  }
}

std::uint64_t Importer::done_up_to() const {
  const std::lock_guard lock(mutex_);
  return open_.empty() ? last_line_ : *open_.begin() - 1;
}

std::vector<std::string> Importer::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

}  // namespace decree::cli
