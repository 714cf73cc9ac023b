// The mark of a disk that failed (P8): DIR/FAILED. The process that saw the failure takes the disk
// out and stops using it; the mark tells the next one, to which everything looks sound: what never
// reached the disk is in the page cache, and clean.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "decree/result.h"
#include "kv/store/files.h"

namespace decree::store {

class FailureMark {
 public:
  FailureMark(std::string directory, std::shared_ptr<Files> files)
      : path_(std::move(directory) + "/FAILED"), files_(std::move(files)) {}

  // kIo, naming the mark and saying what to do, if there is one.
  Status Check() const;
  // Leaves the mark if the error says that a call to the system failed; a full disk and too many
  // open files are no failures of the disk. Best effort: such a disk may refuse this too. Any
  // thread.
  void Leave(const Error& error);

 private:
  const std::string path_;
  const std::shared_ptr<Files> files_;
  std::atomic<bool> left_{false};
};

}  // namespace decree::store
