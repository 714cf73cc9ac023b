#include "kv/store/file_disk_facts.h"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>

namespace decree::store {
namespace {

rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

}  // namespace

Result<std::unique_ptr<FileDiskFacts>> FileDiskFacts::Open(const std::string& path, bool create,
                                                           std::shared_ptr<RocksShared> shared) {
  rocksdb::Options options = shared->FactOptions();
  options.create_if_missing = create;
  rocksdb::DB* db = nullptr;
  if (const auto status = rocksdb::DB::Open(options, path, &db); !status.ok()) {
    return RocksError(status, path);
  }
  return std::unique_ptr<FileDiskFacts>(
      new FileDiskFacts(path, std::unique_ptr<rocksdb::DB>(db), std::move(shared)));
}

FileDiskFacts::FileDiskFacts(std::string path, std::unique_ptr<rocksdb::DB> db,
                             std::shared_ptr<RocksShared> shared)
    : path_(std::move(path)), shared_(std::move(shared)), db_(std::move(db)) {}

FileDiskFacts::~FileDiskFacts() = default;

Result<std::optional<std::string>> FileDiskFacts::Get(std::string_view key) {
  std::string value;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return RocksError(status, path_);
  return std::optional<std::string>(std::move(value));
}

Status FileDiskFacts::Put(std::string_view key, std::string_view value) {
  return shared_->Written(db_->Put(Synced(), Slice(key), Slice(value)), path_);
}

Status FileDiskFacts::Delete(std::string_view key) {
  return shared_->Written(db_->Delete(Synced(), Slice(key)), path_);
}

Result<std::vector<std::pair<std::string, std::string>>> FileDiskFacts::List(
    std::string_view prefix) {
  std::vector<std::pair<std::string, std::string>> facts;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(Slice(prefix)); it->Valid() && it->key().starts_with(Slice(prefix)); it->Next()) {
    facts.emplace_back(it->key().ToString(), it->value().ToString());
  }
  if (!it->status().ok()) return RocksError(it->status(), path_);
  return facts;
}

}  // namespace decree::store
