#include "kv/store/rocks_snapshot.h"

#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kv/store/rocks_shared.h"

namespace decree::store {
namespace {

class RocksSnapshot : public SnapshotSource {
 public:
  RocksSnapshot(std::string directory, std::shared_ptr<Files> files)
      : directory_(std::move(directory)), filesystem_(std::move(files)) {}
  ~RocksSnapshot() override {
    // What stays is removed when the disk is opened next.
    [[maybe_unused]] const Status best_effort = filesystem_->RemoveTree(directory_);
  }

  Status ListFiles() {
    const Result<std::vector<std::string>> names = filesystem_->List(directory_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const auto file = filesystem_->Open(directory_ + "/" + name, File::Mode::kRead);
      if (!file) return file.error();
      const Result<std::uint64_t> bytes = (*file)->Size();
      if (!bytes) return bytes.error();
      files_.push_back({name, *bytes});
    }
    return {};
  }

  const std::vector<SnapshotFile>& files() const override { return files_; }

  Result<std::string> Read(const std::string& file, std::uint64_t offset,
                           std::size_t size) const override {
    for (const SnapshotFile& known : files_) {
      if (known.name != file) continue;
      if (offset >= known.bytes) return std::string();
      const auto opened = filesystem_->Open(directory_ + "/" + file, File::Mode::kRead);
      if (!opened) return opened.error();
      return (*opened)->ReadAt(offset, std::min<std::uint64_t>(size, known.bytes - offset));
    }
    return Error(Errc::kNotFound, "no snapshot file " + file);
  }

 private:
  const std::string directory_;
  const std::shared_ptr<Files> filesystem_;
  std::vector<SnapshotFile> files_;
};

}  // namespace

Result<std::shared_ptr<SnapshotSource>> FreezeRocks(rocksdb::DB& db, const std::string& directory,
                                                    std::shared_ptr<Files> files) {
  rocksdb::Checkpoint* raw = nullptr;
  if (const auto status = rocksdb::Checkpoint::Create(&db, &raw); !status.ok()) {
    return RocksError(status, directory);
  }
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  auto snapshot = std::make_shared<RocksSnapshot>(directory, std::move(files));
  constexpr std::uint64_t kNoFlush = UINT64_MAX;
  if (const auto status = checkpoint->CreateCheckpoint(directory, kNoFlush); !status.ok()) {
    return RocksError(status, directory);
  }
  if (Status listed = snapshot->ListFiles(); !listed) return listed.error();
  return std::shared_ptr<SnapshotSource>(std::move(snapshot));
}

}  // namespace decree::store
