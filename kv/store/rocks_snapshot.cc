#include "kv/store/rocks_snapshot.h"

#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "kv/store/posix_file.h"
#include "kv/store/rocks_shared.h"

namespace decree::store {
namespace {

class RocksSnapshot : public SnapshotSource {
 public:
  explicit RocksSnapshot(std::string directory) : directory_(std::move(directory)) {}
  ~RocksSnapshot() override {
    std::error_code ignored;  // what stays is removed when the disk is opened next
    std::filesystem::remove_all(directory_, ignored);
  }

  Status ListFiles() {
    std::error_code error;
    std::filesystem::directory_iterator it(directory_, error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      const std::uint64_t bytes = it->file_size(error);
      if (error) break;
      files_.push_back({it->path().filename().string(), bytes});
    }
    if (error) return SystemError("list", directory_, error.value());
    return {};
  }

  const std::vector<SnapshotFile>& files() const override { return files_; }

  Result<std::string> Read(const std::string& file, std::uint64_t offset,
                           std::size_t size) const override {
    for (const SnapshotFile& known : files_) {
      if (known.name != file) continue;
      if (offset >= known.bytes) return std::string();
      const Result<File> opened = File::Open(directory_ + "/" + file, File::Mode::kRead);
      if (!opened) return opened.error();
      return opened->ReadAt(offset, std::min<std::uint64_t>(size, known.bytes - offset));
    }
    return Error(Errc::kNotFound, "no snapshot file " + file);
  }

 private:
  const std::string directory_;
  std::vector<SnapshotFile> files_;
};

}  // namespace

Result<std::shared_ptr<SnapshotSource>> FreezeRocks(rocksdb::DB& db, const std::string& directory) {
  rocksdb::Checkpoint* raw = nullptr;
  if (const auto status = rocksdb::Checkpoint::Create(&db, &raw); !status.ok()) {
    return RocksError(status, directory);
  }
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  auto snapshot = std::make_shared<RocksSnapshot>(directory);
  // With a limit of 0 the checkpoint flushes first, so it holds everything written before.
  if (const auto status = checkpoint->CreateCheckpoint(directory, 0); !status.ok()) {
    return RocksError(status, directory);
  }
  if (Status listed = snapshot->ListFiles(); !listed) return listed.error();
  return std::shared_ptr<SnapshotSource>(std::move(snapshot));
}

}  // namespace decree::store
