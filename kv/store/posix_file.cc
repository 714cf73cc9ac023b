#include "kv/store/posix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "kv/base/check.h"

namespace decree::store {
namespace {

namespace fs = std::filesystem;

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

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(fd_); }

  const std::string& path() const override { return path_; }

  Status WriteAt(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SystemError("write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<std::string> ReadAt(std::uint64_t offset, std::size_t size) const override {
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

  Result<std::uint64_t> Size() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return SystemError("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Status ZeroFill(std::uint64_t from, std::uint64_t to) override {
    const int error =
        ::posix_fallocate(fd_, static_cast<off_t>(from), static_cast<off_t>(to - from));
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

  void WriteOut(std::uint64_t offset, std::uint64_t size) override {
    ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size),
                      SYNC_FILE_RANGE_WRITE);
  }

  Status Sync() override {
    if (::fdatasync(fd_) != 0) return SystemError("fdatasync", path_, errno);
    return {};
  }

 private:
  const int fd_;
  const std::string path_;
};

class PosixLock : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;
  ~PosixLock() override { ::close(fd_); }

 private:
  const int fd_;
};

Status Sync(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("open", directory, errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return SystemError("fsync", directory, error);
  return {};
}

class PosixFiles : public Files {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, File::Mode mode) override {
    const int fd = ::open(path.c_str(), Flags(mode), 0644);
    if (fd < 0) return SystemError("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    const int fd = ::open(path.c_str(), Flags(File::Mode::kCreate), 0644);
    if (fd < 0) return SystemError("open", path, errno);
    auto lock = std::make_unique<PosixLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return std::unique_ptr<FileLock>(std::move(lock));
    if (errno != EWOULDBLOCK) return SystemError("flock", path, errno);
    return Error(Errc::kLocked, DirectoryOf(path) + ": in use by another process");
  }

  Status Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    const bool impossible = errno == ENOENT || errno == EXDEV || errno == EPERM ||
                            errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS;
    const Error error = SystemError("link to", to, errno);
    return impossible ? Error(Errc::kImpossible, error.detail()) : error;
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("rename to", to, errno);
    return {};
  }

  Status MakeDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return {};
    if (errno != EEXIST) return SystemError("mkdir", path, errno);
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return SystemError("mkdir", path, ENOTDIR);
    return {};
  }

  Status RemoveFile(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return SystemError("remove", path, errno);
    return {};
  }

  Status RemoveTree(const std::string& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) return SystemError("remove", path, error.value());
    return {};
  }

  Status SyncDirectory(const std::string& path) override { return Sync(path); }

  Status SyncNameOf(const std::string& directory) override {
    std::error_code error;
    fs::path above = fs::canonical(directory, error).parent_path();
    if (error) return SystemError("resolve", directory, error.value());
    // A directory that may not be read cannot be synced; whoever made ours in it saw to that.
    if (::access(above.c_str(), R_OK) != 0) return {};
    if (Status synced = Sync(above.string()); !synced) return synced;
    while (above.has_relative_path()) {
      above = above.parent_path();
      if (!Sync(above.string())) break;
    }
    return {};
  }

  Result<bool> Exists(const std::string& path) override {
    std::error_code error;
    const bool exists = fs::exists(path, error);
    if (error) return SystemError("stat", path, error.value());
    return exists;
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    std::vector<std::string> names;
    std::error_code error;
    fs::directory_iterator it(directory, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return SystemError("list", directory, error.value());
    std::sort(names.begin(), names.end());
    return names;
  }

  DiskSpace Space(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) return {};
    const std::uint64_t block = info.f_frsize;
    return {info.f_blocks * block, (info.f_blocks - info.f_bfree) * block};
  }

  std::uint64_t RandomSeed() override {
    std::uint64_t seed = 0;
    DECREE_CHECK(::getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
    return seed;
  }
};

}  // namespace

std::shared_ptr<Files> SystemFiles() {
  static const auto files = std::make_shared<PosixFiles>();
  return files;
}

}  // namespace decree::store
