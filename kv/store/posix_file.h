// Files as the log and the disk need them: positioned, synced, and with errors that name the path.
// Tests put a FaultHook in between to make a call fail as the system would.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "decree/result.h"

namespace decree::store {

enum class FileOp { kOpen, kAllocate, kWrite, kSync, kRename, kSyncDirectory };

// Called before an operation; returns 0 to let it happen, the errno it shall fail with, or
// kPretend: a sync then reports success without being made (the test keeps what it would have made
// durable: tests/store/power_loss.h).
inline constexpr int kPretend = -1;
using FaultHook = std::function<int(FileOp op, const std::string& path)>;

// kNoSpace for a full disk or quota, kBusy for too many open files (of this process or the machine:
// no fault of the disk), else kIo; the detail names the operation and the path.
Error SystemError(const std::string& what, const std::string& path, int error_number);

// Owns a descriptor. One thread at a time writes; reads are safe beside it.
class File {
 public:
  enum class Mode { kRead, kReadWrite, kCreate };  // kCreate: empties what is there

  File() = default;
  File(File&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        path_(std::move(other.path_)),
        hook_(std::move(other.hook_)) {}
  File& operator=(File&& other) noexcept;
  ~File();
  static Result<File> Open(const std::string& path, Mode mode, FaultHook hook = {});

  Status WriteAt(std::uint64_t offset, std::string_view bytes);
  // Short only at the end of the file.
  Result<std::string> ReadAt(std::uint64_t offset, std::size_t size) const;
  Result<std::uint64_t> Size() const;
  // Reserves the blocks and writes zeros over [from, to), so that later writes change no metadata.
  Status ZeroFill(std::uint64_t from, std::uint64_t to);
  Status Sync();  // fdatasync
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  int Fault(FileOp op) const { return hook_ ? hook_(op, path_) : 0; }

  int fd_ = -1;
  std::string path_;
  FaultHook hook_;
};

Status SyncDirectory(const std::string& path, const FaultHook& hook = {});
// Not durable before the directory is synced.
Status RenameFile(const std::string& from, const std::string& to, const FaultHook& hook = {});
// Creates the directory if it is missing. Not durable before the directory above is synced.
Status MakeDirectory(const std::string& path);
Status MakeDirectories(const std::string& path);  // and the missing ones above it
// Makes the directory's name durable, and the names above it as far as they may be opened.
Status SyncNameOf(const std::string& directory, const FaultHook& hook = {});
// Writes, syncs and renames into place: after a crash the old file or the new one.
Status ReplaceFile(const std::string& path, std::string_view bytes, const FaultHook& hook = {});
Result<std::string> ReadWholeFile(const std::string& path);
std::uint64_t RandomSeed();  // from the operating system

}  // namespace decree::store
