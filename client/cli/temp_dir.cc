#include "client/cli/temp_dir.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>

namespace decree::cli {

Result<TempDir> TempDir::Make(const std::string& name) {
  std::error_code failed;
  const auto base = std::filesystem::temp_directory_path(failed);
  std::string path = (failed ? std::filesystem::path("/tmp") : base) / (name + ".XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return Error(Errc::kIo, "cannot make " + path + ": " + std::strerror(errno));
  }
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  std::error_code ignored;
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace decree::cli
