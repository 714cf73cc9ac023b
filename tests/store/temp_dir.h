// A fresh directory under /tmp that goes away with the object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace decree::store {

class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/decree-store-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string Sub(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace decree::store
