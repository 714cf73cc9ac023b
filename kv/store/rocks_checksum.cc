#include "kv/store/rocks_checksum.h"

#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>

#define XXH_STATIC_LINKING_ONLY  // the state in place, without an allocation of its own
#include <xxhash.h>

#include <cstdio>
#include <vector>

#include "kv/store/rocks_shared.h"

namespace decree::store {

struct FileChecksum::State {
  XXH3_state_t hash;
};

FileChecksum::FileChecksum() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(&state_->hash);
}
FileChecksum::FileChecksum(FileChecksum&&) noexcept = default;
FileChecksum& FileChecksum::operator=(FileChecksum&&) noexcept = default;
FileChecksum::~FileChecksum() = default;

void FileChecksum::Add(std::string_view bytes) {
  XXH3_64bits_update(&state_->hash, bytes.data(), bytes.size());
}

std::string FileChecksum::Get() const {
  XXH64_canonical_t bytes;
  XXH64_canonicalFromHash(&bytes, XXH3_64bits_digest(&state_->hash));
  return {reinterpret_cast<const char*>(bytes.digest), sizeof bytes.digest};
}

namespace {

constexpr char kName[] = "decree.xxh3-64";

class Generator : public rocksdb::FileChecksumGenerator {
 public:
  void Update(const char* data, std::size_t size) override { sum_.Add({data, size}); }
  void Finalize() override { checksum_ = sum_.Get(); }
  std::string GetChecksum() const override { return checksum_; }
  const char* Name() const override { return kName; }

 private:
  FileChecksum sum_;
  std::string checksum_;
};

class Factory : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(
      const rocksdb::FileChecksumGenContext& context) override {
    const std::string& wanted = context.requested_checksum_func_name;
    if (!wanted.empty() && wanted != kName) return nullptr;
    return std::make_unique<Generator>();
  }
  const char* Name() const override { return "decree.xxh3-64.factory"; }
};

std::string TableName(std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%06llu.sst", static_cast<unsigned long long>(number));
  return name;
}

}  // namespace

std::shared_ptr<rocksdb::FileChecksumGenFactory> WholeFileChecksums() {
  static const auto factory = std::make_shared<Factory>();
  return factory;
}

Result<FileChecksums> ChecksumsOf(rocksdb::DB& db, const std::string& path) {
  const std::unique_ptr<rocksdb::FileChecksumList> list(rocksdb::NewFileChecksumList());
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> sums;
  std::vector<std::string> functions;
  rocksdb::Status status = db.GetLiveFilesChecksumInfo(list.get());
  if (status.ok()) status = list->GetAllFileChecksums(&numbers, &sums, &functions);
  if (!status.ok()) return RocksError(status, path);
  FileChecksums found;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (functions[i] == kName) found.emplace(TableName(numbers[i]), std::move(sums[i]));
  }
  return found;
}

}  // namespace decree::store
