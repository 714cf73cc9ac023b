// A fresh directory that goes away with its owner, unless it is kept.
#pragma once

#include <filesystem>
#include <string>

#include "decree/result.h"

namespace decree::cli {

class TempDir {
 public:
  // Under $TMPDIR or /tmp.
  static Result<TempDir> Make(const std::string& name);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }
  void Keep() { keep_ = true; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
  bool keep_ = false;
};

}  // namespace decree::cli
