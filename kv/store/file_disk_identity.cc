#include "kv/store/file_disk_identity.h"

#include <algorithm>
#include <array>
#include <cstdio>

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

Result<Incarnation> Parse(Files& files, const std::string& path) {
  const Result<std::string> text = ReadWholeFile(files, path);
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

// Empty but for what an operating system or the lock leaves in every directory.
Status CheckEmpty(Files& files, const std::string& directory) {
  constexpr std::array<std::string_view, 2> kHarmless = {"LOCK", "lost+found"};
  const Result<std::vector<std::string>> names = files.List(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end()) continue;
    return Error(Errc::kCorruption, directory + ": holds " + name +
                                        " but no IDENTITY: not a data directory of Decree");
  }
  return {};
}

Incarnation DrawIncarnation(Files& files) {
  Incarnation incarnation;
  while (!incarnation) incarnation.value = files.RandomSeed();
  return incarnation;
}

// A fresh directory whose furnishing was cut off: nothing in it was ever used, so it starts again.
Status ClearUnfinished(Files& files, const std::string& directory) {
  for (const char* part : {"log", "meta", "rows", "staging"}) {
    if (Status removed = files.RemoveTree(directory + "/" + part); !removed) return removed;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<FileLock>> LockDirectory(Files& files, const std::string& directory) {
  return files.Lock(directory + "/LOCK");
}

Result<DiskIdentity> ReadIdentity(Files& files, const std::string& directory) {
  const std::string path = directory + "/IDENTITY";
  const std::string unfinished = path + ".new";
  if (MayExist(files, path)) {  // in doubt reading it says what is wrong
    const Result<Incarnation> incarnation = Parse(files, path);
    if (!incarnation) return incarnation.error();
    // It may have got its name just before a process was killed; a power loss that took the name
    // back would make an unfinished directory of one that is in use.
    if (Status synced = files.SyncDirectory(directory); !synced) return synced.error();
    return DiskIdentity{*incarnation, false};
  }
  if (MayExist(files, unfinished)) {
    if (Status cleared = ClearUnfinished(files, directory); !cleared) return cleared.error();
  } else {
    [[maybe_unused]] const Status maybe = files.RemoveFile(unfinished + ".tmp");
    if (Status empty = CheckEmpty(files, directory); !empty) return empty.error();
  }
  const Incarnation incarnation = DrawIncarnation(files);
  if (Status written = ReplaceFile(files, unfinished, Render(incarnation)); !written) {
    return written.error();
  }
  return DiskIdentity{incarnation, true};
}

Status ConfirmIdentity(Files& files, const std::string& directory) {
  const std::string path = directory + "/IDENTITY";
  if (Status renamed = files.Rename(path + ".new", path); !renamed) return renamed;
  return files.SyncDirectory(directory);
}

}  // namespace decree::store
