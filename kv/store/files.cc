#include "kv/store/files.h"

#include <errno.h>

#include <cstring>
#include <utility>

namespace decree::store {

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

bool MayExist(Files& files, const std::string& path) {
  const Result<bool> exists = files.Exists(path);
  return !exists || *exists;
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status MakeDirectories(Files& files, const std::string& path) {
  const std::string above = DirectoryOf(path);
  if (!above.empty() && above != path) {
    if (!MayExist(files, above)) {
      if (Status made = MakeDirectories(files, above); !made) return made;
    }
  }
  return files.MakeDirectory(path);
}

Status ReplaceFile(Files& files, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  const auto file = files.Open(temporary, File::Mode::kCreate);
  if (!file) return file.error();
  if (Status written = (*file)->WriteAt(0, bytes); !written) return written;
  if (Status synced = (*file)->Sync(); !synced) return synced;
  if (Status renamed = files.Rename(temporary, path); !renamed) return renamed;
  return files.SyncDirectory(DirectoryOf(path));
}

Result<std::string> ReadWholeFile(Files& files, const std::string& path) {
  const auto file = files.Open(path, File::Mode::kRead);
  if (!file) return file.error();
  const Result<std::uint64_t> size = (*file)->Size();
  if (!size) return size.error();
  return (*file)->ReadAt(0, static_cast<std::size_t>(*size));
}

}  // namespace decree::store
