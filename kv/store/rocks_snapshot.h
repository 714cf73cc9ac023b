// A checkpoint of a RocksDB as files: hard links in a directory of its own, removed with the
// object; and whether files that arrived from such a one are whole.
#pragma once

#include <memory>
#include <string>

#include "kv/store/engine.h"
#include "kv/store/files.h"
#include "kv/store/rocks_checksum.h"

namespace rocksdb {
class DB;
}

namespace decree::store {

class RocksShared;

// Freezes what is flushed of the database into the directory, which must not exist.
Result<std::shared_ptr<SnapshotSource>> FreezeRocks(rocksdb::DB& db, const std::string& directory,
                                                    std::shared_ptr<Files> files);

// Whether the files of a directory open as rows and all their bytes are those that the manifest has
// checksums of. `sums` holds what was computed as the bytes arrived; tables without one are read.
// Changes nothing.
Status CheckRocksFiles(const std::string& path, const RocksShared& shared,
                       const FileChecksums& sums);

}  // namespace decree::store
