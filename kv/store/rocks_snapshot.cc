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

  Status ListFiles(const FileChecksums& sums) {
    const Result<std::vector<std::string>> names = filesystem_->List(directory_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const auto file = filesystem_->Open(directory_ + "/" + name, File::Mode::kRead);
      if (!file) return file.error();
      const Result<std::uint64_t> bytes = (*file)->Size();
      if (!bytes) return bytes.error();
      const auto sum = sums.find(name);
      files_.push_back({name, *bytes, sum == sums.end() ? std::string() : sum->second});
    }
    return {};
  }

  const std::vector<SnapshotFile>& files() const override { return files_; }
  std::string directory() const override { return directory_; }

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
  // Before the files are frozen: a table that is made in between has no checksum here, one that
  // goes is not among the files.
  const Result<FileChecksums> sums = ChecksumsOf(db, directory);
  if (!sums) return sums.error();
  auto snapshot = std::make_shared<RocksSnapshot>(directory, std::move(files));
  constexpr std::uint64_t kNoFlush = UINT64_MAX;
  if (const auto status = checkpoint->CreateCheckpoint(directory, kNoFlush); !status.ok()) {
    return RocksError(status, directory);
  }
  if (Status listed = snapshot->ListFiles(*sums); !listed) return listed.error();
  return std::shared_ptr<SnapshotSource>(std::move(snapshot));
}

namespace {

rocksdb::Status CompareTables(rocksdb::DB& db, const std::string& path,
                              const FileChecksums& arrived) {
  const Result<FileChecksums> wanted = ChecksumsOf(db, path);
  if (!wanted) return rocksdb::Status::Corruption(wanted.error().detail());
  for (const auto& [name, sum] : *wanted) {
    const auto found = arrived.find(name);
    if (found == arrived.end()) return db.VerifyFileChecksums(rocksdb::ReadOptions());
    if (found->second != sum) {
      return rocksdb::Status::Corruption(name + " is not what the manifest has a checksum of");
    }
  }
  return rocksdb::Status::OK();
}

}  // namespace

Status CheckRocksFiles(const std::string& path, const RocksShared& shared,
                       const FileChecksums& sums) {
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(shared.RowOptions(), path, &raw);
  const std::unique_ptr<rocksdb::DB> db(raw);
  // Opening reads no row. What was damaged at its source must not be met for the first time when it
  // is in use here: then it would be this disk that is damaged.
  if (status.ok()) status = CompareTables(*db, path, sums);
  if (status.ok()) return {};
  const Error error = RocksError(status, path);
  // Not the checksums themselves: tables of equal rows differ in bytes, what is said of them must
  // not.
  const std::string detail = error.detail().substr(0, error.detail().find(", expecting"));
  return Error(error == Errc::kNoSpace ? Errc::kNoSpace : Errc::kCorruption, detail);
}

}  // namespace decree::store
