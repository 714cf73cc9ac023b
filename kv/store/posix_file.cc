#include "kv/store/posix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "kv/base/check.h"

namespace decree::store {
namespace {

int Flags(File::Mode mode) {
  switch (mode) {
    case File::Mode::kRead:
      return O_RDONLY | O_CLOEXEC;
    case File::Mode::kReadWrite:
      return O_RDWR | O_CLOEXEC;
    case File::Mode::kCreate:
      break;
  }
  return O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
}

}  // namespace

Error SystemError(const std::string& what, const std::string& path, int error_number) {
  std::string detail = what + " " + path + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Error(Errc::kNoSpace, std::move(detail));
    case EMFILE:
    case ENFILE:
      return Error(Errc::kBusy, std::move(detail));
    default:
      return Error(Errc::kIo, std::move(detail));
  }
}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(hook_, other.hook_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<File> File::Open(const std::string& path, Mode mode, FaultHook hook) {
  File file;
  file.path_ = path;
  file.hook_ = std::move(hook);
  if (const int fault = file.Fault(FileOp::kOpen)) return SystemError("open", path, fault);
  file.fd_ = ::open(path.c_str(), Flags(mode), 0644);
  if (file.fd_ < 0) return SystemError("open", path, errno);
  return file;
}

Status File::WriteAt(std::uint64_t offset, std::string_view bytes) {
  if (const int fault = Fault(FileOp::kWrite)) return SystemError("write", path_, fault);
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<std::string> File::ReadAt(std::uint64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n =
        ::pread(fd_, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read", path_, errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

Result<std::uint64_t> File::Size() const {
  struct stat info;
  if (::fstat(fd_, &info) != 0) return SystemError("stat", path_, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Status File::ZeroFill(std::uint64_t from, std::uint64_t to) {
  if (const int fault = Fault(FileOp::kAllocate)) return SystemError("allocate", path_, fault);
  const int error = ::posix_fallocate(fd_, static_cast<off_t>(from), static_cast<off_t>(to - from));
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL) {
    return SystemError("allocate", path_, error);
  }
  constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;
  const std::string zeros(std::min(kChunk, to - from), '\0');
  for (std::uint64_t at = from; at < to;) {
    const std::uint64_t n = std::min<std::uint64_t>(zeros.size(), to - at);
    if (Status written = WriteAt(at, std::string_view(zeros).substr(0, n)); !written) {
      return written;
    }
    at += n;
  }
  return {};
}

Status File::Sync() {
  const int fault = Fault(FileOp::kSync);
  if (fault == kPretend) return {};
  if (fault != 0) return SystemError("fdatasync", path_, fault);
  if (::fdatasync(fd_) != 0) return SystemError("fdatasync", path_, errno);
  return {};
}

Status SyncDirectory(const std::string& path, const FaultHook& hook) {
  const int fault = hook ? hook(FileOp::kSyncDirectory, path) : 0;
  if (fault == kPretend) return {};
  if (fault != 0) return SystemError("fsync", path, fault);
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", path, errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return SystemError("fsync", path, error);
  return {};
}

Status RenameFile(const std::string& from, const std::string& to, const FaultHook& hook) {
  if (const int fault = hook ? hook(FileOp::kRename, to) : 0) {
    return SystemError("rename to", to, fault);
  }
  if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("rename to", to, errno);
  return {};
}

Status MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return {};
  if (errno != EEXIST) return SystemError("mkdir", path, errno);
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return SystemError("mkdir", path, ENOTDIR);
  return {};
}

Status MakeDirectories(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (!parent.empty() && !std::filesystem::exists(parent, ignored)) {
    if (Status made = MakeDirectories(parent.string()); !made) return made;
  }
  return MakeDirectory(path);
}

Status SyncNameOf(const std::string& directory, const FaultHook& hook) {
  std::error_code error;
  std::filesystem::path above = std::filesystem::canonical(directory, error).parent_path();
  if (error) return SystemError("resolve", directory, error.value());
  // A directory that may not be read cannot be synced; whoever made ours in it saw to that.
  if (::access(above.c_str(), R_OK) != 0) return {};
  if (Status synced = SyncDirectory(above.string(), hook); !synced) return synced;
  while (above.has_relative_path()) {
    above = above.parent_path();
    if (!SyncDirectory(above.string(), hook)) break;
  }
  return {};
}

Status ReplaceFile(const std::string& path, std::string_view bytes, const FaultHook& hook) {
  const std::string temporary = path + ".tmp";
  Result<File> file = File::Open(temporary, File::Mode::kCreate, hook);
  if (!file) return file.error();
  if (Status written = file->WriteAt(0, bytes); !written) return written;
  if (Status synced = file->Sync(); !synced) return synced;
  if (Status renamed = RenameFile(temporary, path, hook); !renamed) return renamed;
  return SyncDirectory(std::filesystem::path(path).parent_path().string(), hook);
}

Result<std::string> ReadWholeFile(const std::string& path) {
  Result<File> file = File::Open(path, File::Mode::kRead);
  if (!file) return file.error();
  const Result<std::uint64_t> size = file->Size();
  if (!size) return size.error();
  return file->ReadAt(0, static_cast<std::size_t>(*size));
}

std::uint64_t RandomSeed() {
  std::uint64_t seed = 0;
  DECREE_CHECK(::getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace decree::store
