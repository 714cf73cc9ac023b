// The small durable facts of a disk: a RocksDB whose every write is synced.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/store/rocks_shared.h"

namespace rocksdb {
class DB;
}

namespace decree::store {

class FileDiskFacts {
 public:
  // Without `create`, missing facts are kCorruption.
  static Result<std::unique_ptr<FileDiskFacts>> Open(const std::string& path, bool create,
                                                     std::shared_ptr<RocksShared> shared);
  ~FileDiskFacts();

  Result<std::optional<std::string>> Get(std::string_view key);
  Status Put(std::string_view key, std::string_view value);
  Status Delete(std::string_view key);
  Result<std::vector<std::pair<std::string, std::string>>> List(std::string_view prefix);

 private:
  FileDiskFacts(std::string path, std::unique_ptr<rocksdb::DB> db,
                std::shared_ptr<RocksShared> shared);

  const std::string path_;
  const std::shared_ptr<RocksShared> shared_;  // outlives db_
  const std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace decree::store
