// The file system as the log and the disk need it, with errors that name the path. The product has
// the system's (SystemFiles, posix_file.h); tests and the simulator put their own in its place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decree/result.h"

namespace decree::store {

struct DiskSpace {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;  // by everybody, as df says
};

// An open file. One thread at a time writes; reads are safe beside it.
class File {
 public:
  enum class Mode { kRead, kReadWrite, kCreate };  // kCreate: empties what is there

  virtual ~File() = default;
  virtual Status WriteAt(std::uint64_t offset, std::string_view bytes) = 0;
  // Short only at the end of the file.
  virtual Result<std::string> ReadAt(std::uint64_t offset, std::size_t size) const = 0;
  virtual Result<std::uint64_t> Size() const = 0;
  // Reserves the blocks and writes zeros over [from, to), so that later writes change no metadata.
  virtual Status ZeroFill(std::uint64_t from, std::uint64_t to) = 0;
  // Begins to write out what was written there, so that a later Sync has less to wait for.
  virtual void WriteOut(std::uint64_t /*offset*/, std::uint64_t /*size*/) {}
  virtual Status Sync() = 0;  // fdatasync
  virtual const std::string& path() const = 0;
};

// Held until it is destroyed, or the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Thread-safe.
class Files {
 public:
  virtual ~Files() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, File::Mode mode) = 0;
  // Creates the file if it is missing. kLocked: somebody else holds it.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // Names are durable when the directory they stand in is synced, and not before.
  // One more name for a file. kImpossible: not between these two places, or there is no
  // such file.
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // One that exists already is fine.
  virtual Status MakeDirectory(const std::string& path) = 0;
  virtual Status RemoveFile(const std::string& path) = 0;
  // With everything in it. One that is missing is fine.
  virtual Status RemoveTree(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Makes the directory's name durable, and the names above it as far as they may be opened.
  virtual Status SyncNameOf(const std::string& directory) = 0;

  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;  // sorted
  virtual DiskSpace Space(const std::string& path) = 0;
  virtual std::uint64_t RandomSeed() = 0;  // from the operating system
};

// kNoSpace for a full disk or quota, kBusy for too many open files (of this process or the machine:
// no fault of the disk), else kIo; the detail names the operation and the path.
Error SystemError(const std::string& what, const std::string& path, int error_number);

bool MayExist(Files& files, const std::string& path);  // in doubt it does
std::string DirectoryOf(const std::string& path);
// Creates the directory and the missing ones above it.
Status MakeDirectories(Files& files, const std::string& path);
// Writes, syncs and renames into place: after a crash the old file or the new one.
Status ReplaceFile(Files& files, const std::string& path, std::string_view bytes);
Result<std::string> ReadWholeFile(Files& files, const std::string& path);

}  // namespace decree::store
