#include "kv/store/file_disk_failure.h"

namespace decree::store {

Status FailureMark::Check() const {
  if (!MayExist(*files_, path_)) return {};
  const Result<std::string> reason = ReadWholeFile(*files_, path_);
  std::string detail = path_ + ": this disk failed and is out for good";
  if (reason && !reason->empty()) detail += " (" + reason->substr(0, reason->find('\n')) + ")";
  return Error(Errc::kIo,
               detail +
                   ". Start without this directory: its replicas are replaced on other "
                   "disks. A directory on a sound disk has to be empty to be used again");
}

void FailureMark::Leave(const Error& error) {
  if (error != Errc::kIo || left_.exchange(true)) return;
  [[maybe_unused]] const Status best_effort = ReplaceFile(*files_, path_, error.detail() + "\n");
}

}  // namespace decree::store
