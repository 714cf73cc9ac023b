// A checksum over each whole table file, kept in the manifest. The checksums of a table's blocks do
// not cover its last bytes, which say how blocks are checksummed: one flipped bit there, and none
// of them is checked any more.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace rocksdb {
class DB;
class FileChecksumGenFactory;
}  // namespace rocksdb

namespace decree::store {

std::shared_ptr<rocksdb::FileChecksumGenFactory> WholeFileChecksums();  // XXH3-64

// The same of bytes that come one after the other.
class FileChecksum {
 public:
  FileChecksum();
  FileChecksum(FileChecksum&&) noexcept;
  FileChecksum& operator=(FileChecksum&&) noexcept;
  ~FileChecksum();
  void Add(std::string_view bytes);
  std::string Get() const;  // 8 bytes, big endian

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// File name -> checksum, of the tables that are live now, as the manifest has them.
using FileChecksums = std::map<std::string, std::string>;
Result<FileChecksums> ChecksumsOf(rocksdb::DB& db, const std::string& path);

}  // namespace decree::store
