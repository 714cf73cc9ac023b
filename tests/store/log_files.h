// Opens file logs in a temporary directory and damages their files, for the tests of recovery.
#pragma once

#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "kv/store/shard_log.h"
#include "tests/store/power_loss.h"
#include "tests/store/temp_dir.h"
#include "tests/store/test_disk.h"

namespace decree::store {

class LogFiles {
 public:
  explicit LogFiles(std::uint64_t segment_bytes = 16384, std::uint64_t goal_bytes = 8 * 16384) {
    options_.directory = dir_.Sub("log");
    options_.segment_bytes = segment_bytes;
    options_.goal_bytes = goal_bytes;
    std::filesystem::create_directory(options_.directory);
    power_ = std::make_unique<PowerLoss>(options_.directory);
    SetHook(nullptr);
  }

  // The hook may fail calls with an errno; the others happen, their syncs as PowerLoss has them.
  void SetHook(FaultHook hook) {
    options_.files =
        FaultyFiles([this, hook = std::move(hook)](FileOp op, const std::string& path) {
          if (calls_left_ == 0) dead_ = true;
          if (calls_left_ > 0) --calls_left_;
          const int fault = dead_ ? EIO : hook ? hook(op, path) : 0;
          if (fault == 0) return power_->OnCall(op, path);
          if (op == FileOp::kSync && !dead_) power_->OnFailedSync(path);
          return fault;
        });
  }

  FileLogOptions& options() { return options_; }
  Result<std::unique_ptr<FileLog>> TryOpen() { return FileLog::Open(options_); }
  std::unique_ptr<FileLog> Open() {
    auto log = TryOpen();
    if (!log) throw std::runtime_error(log.error().ToString());
    return *std::move(log);
  }
  // A kill -9: from now on no call changes the files, then the log goes away. What was written
  // stays, synced or not: it is in the page cache.
  void Kill(std::unique_ptr<FileLog>& log) {
    dead_ = true;
    log.reset();
    dead_ = false;
    calls_left_ = -1;
  }
  // A power loss: what was not synced, bytes and names, is gone as well.
  void Crash(std::unique_ptr<FileLog>& log) {
    Kill(log);
    power_->Strike();
  }
  // The end comes after this many calls to the system.
  void EndAfter(int calls) { calls_left_ = calls; }

  // Segment files in order of their sequence, spare ones too.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
      files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  TempDir dir_;
  std::unique_ptr<PowerLoss> power_;
  std::atomic<bool> dead_{false};
  std::atomic<int> calls_left_{-1};
  FileLogOptions options_;
};

}  // namespace decree::store
