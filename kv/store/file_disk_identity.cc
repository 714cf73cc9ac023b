#include "kv/store/file_disk_identity.h"

#include <errno.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "kv/base/frame.h"

namespace decree::store {
namespace {

constexpr std::string_view kTitle = "decree data directory\nformat 1\n";

std::string Hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string Render(Incarnation incarnation) {
  std::string text(kTitle);
  text += "incarnation " + Hex(incarnation.value) + "\n";
  return text + "check " + Hex(Hash64(text)) + "\n";
}

Result<Incarnation> Parse(const std::string& path) {
  const Result<std::string> text = ReadWholeFile(path);
  if (!text) return text.error();
  constexpr std::string_view kLabel = "incarnation ";
  const std::size_t at = kTitle.size() + kLabel.size();
  Incarnation incarnation;
  if (text->size() > at + 16) {
    unsigned long long value = 0;
    if (std::sscanf(text->c_str() + at, "%16llx", &value) == 1) incarnation.value = value;
  }
  if (incarnation.value == 0 || Render(incarnation) != *text) {
    return Error(Errc::kCorruption, path + ": damaged, or of a format this version cannot read");
  }
  return incarnation;
}

bool Exists(const std::string& path) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  return exists || error;  // in doubt it is there, and reading it says what is wrong
}

// Empty but for what an operating system or the lock leaves in every directory.
Status CheckEmpty(const std::string& directory) {
  constexpr std::array<std::string_view, 2> kHarmless = {"LOCK", "lost+found"};
  std::error_code error;
  std::filesystem::directory_iterator it(directory, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end()) continue;
    return Error(Errc::kCorruption, directory + ": holds " + name +
                                        " but no IDENTITY: not a data directory of Decree");
  }
  if (error) return SystemError("list", directory, error.value());
  return {};
}

Incarnation DrawIncarnation() {
  Incarnation incarnation;
  while (!incarnation) incarnation.value = RandomSeed();
  return incarnation;
}

// A fresh directory whose furnishing was cut off: nothing in it was ever used, so it starts again.
Status ClearUnfinished(const std::string& directory) {
  for (const char* part : {"log", "meta", "rows", "staging"}) {
    std::error_code error;
    std::filesystem::remove_all(directory + "/" + part, error);
    if (error) return SystemError("remove", directory + "/" + part, error.value());
  }
  return {};
}

}  // namespace

Result<DirectoryLock> DirectoryLock::Take(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  Result<File> file = File::Open(path, File::Mode::kCreate);
  if (!file) return file.error();
  if (::flock(file->fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error(Errc::kLocked, directory + ": in use by another process");
    }
    return SystemError("flock", path, errno);
  }
  DirectoryLock lock;
  lock.file_ = *std::move(file);
  return lock;
}

Result<DiskIdentity> ReadIdentity(const std::string& directory, const FaultHook& hook) {
  const std::string path = directory + "/IDENTITY";
  const std::string unfinished = path + ".new";
  if (Exists(path)) {
    const Result<Incarnation> incarnation = Parse(path);
    if (!incarnation) return incarnation.error();
    // It may have got its name just before a process was killed; a power loss that took the name
    // back would make an unfinished directory of one that is in use.
    if (Status synced = SyncDirectory(directory, hook); !synced) return synced.error();
    return DiskIdentity{*incarnation, false};
  }
  if (Exists(unfinished)) {
    if (Status cleared = ClearUnfinished(directory); !cleared) return cleared.error();
  } else {
    std::error_code ignored;
    std::filesystem::remove(unfinished + ".tmp", ignored);
    if (Status empty = CheckEmpty(directory); !empty) return empty.error();
  }
  const Incarnation incarnation = DrawIncarnation();
  if (Status written = ReplaceFile(unfinished, Render(incarnation), hook); !written) {
    return written.error();
  }
  return DiskIdentity{incarnation, true};
}

Status ConfirmIdentity(const std::string& directory, const FaultHook& hook) {
  const std::string path = directory + "/IDENTITY";
  if (Status renamed = RenameFile(path + ".new", path, hook); !renamed) return renamed;
  return SyncDirectory(directory, hook);
}

}  // namespace decree::store
