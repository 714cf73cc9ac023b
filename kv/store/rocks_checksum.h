// A checksum over each whole table file, kept in the manifest. The checksums of a table's blocks do
// not cover its last bytes, which say how blocks are checksummed: one flipped bit there, and none
// of them is checked any more.
#pragma once

#include <memory>

namespace rocksdb {
class FileChecksumGenFactory;
}

namespace decree::store {

std::shared_ptr<rocksdb::FileChecksumGenFactory> WholeFileChecksums();  // XXH3-64

}  // namespace decree::store
