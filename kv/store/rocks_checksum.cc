#include "kv/store/rocks_checksum.h"

#include <rocksdb/file_checksum.h>
#include <xxhash.h>

#include <string>

namespace decree::store {
namespace {

constexpr char kName[] = "decree.xxh3-64";

class Generator : public rocksdb::FileChecksumGenerator {
 public:
  Generator() { XXH3_64bits_reset(state_.get()); }
  void Update(const char* data, std::size_t size) override {
    XXH3_64bits_update(state_.get(), data, size);
  }
  void Finalize() override {
    XXH64_canonical_t bytes;
    XXH64_canonicalFromHash(&bytes, XXH3_64bits_digest(state_.get()));
    checksum_.assign(reinterpret_cast<const char*>(bytes.digest), sizeof bytes.digest);
  }
  std::string GetChecksum() const override { return checksum_; }
  const char* Name() const override { return kName; }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  const std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
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

}  // namespace

std::shared_ptr<rocksdb::FileChecksumGenFactory> WholeFileChecksums() {
  static const auto factory = std::make_shared<Factory>();
  return factory;
}

}  // namespace decree::store
