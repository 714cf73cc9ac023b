// A checkpoint of a RocksDB as files: hard links in a directory of its own, removed with the
// object.
#pragma once

#include <memory>
#include <string>

#include "kv/store/engine.h"
#include "kv/store/files.h"

namespace rocksdb {
class DB;
}

namespace decree::store {

// Freezes what is flushed of the database into the directory, which must not exist.
Result<std::shared_ptr<SnapshotSource>> FreezeRocks(rocksdb::DB& db, const std::string& directory,
                                                    std::shared_ptr<Files> files);

}  // namespace decree::store
