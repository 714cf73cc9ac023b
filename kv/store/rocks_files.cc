#include "kv/store/rocks_files.h"

#include <errno.h>

#include <cstring>

namespace decree::store {
namespace {

rocksdb::IOStatus Retryable(rocksdb::IOStatus status) {
  if (IsTooManyFiles(status)) status.SetRetryable(true);
  return status;
}

}  // namespace

// RocksDB keeps the number of an error only as its text.
bool IsTooManyFiles(const rocksdb::Status& status) {
  if (!status.IsIOError() || status.getState() == nullptr) return false;
  return std::strstr(status.getState(), std::strerror(EMFILE)) != nullptr ||
         std::strstr(status.getState(), std::strerror(ENFILE)) != nullptr;
}

rocksdb::IOStatus RocksFiles::NewSequentialFile(const std::string& path,
                                                const rocksdb::FileOptions& options,
                                                std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                                rocksdb::IODebugContext* debug) {
  return Retryable(target()->NewSequentialFile(path, options, file, debug));
}

rocksdb::IOStatus RocksFiles::NewRandomAccessFile(
    const std::string& path, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomAccessFile>* file, rocksdb::IODebugContext* debug) {
  return Retryable(target()->NewRandomAccessFile(path, options, file, debug));
}

rocksdb::IOStatus RocksFiles::NewWritableFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                                              rocksdb::IODebugContext* debug) {
  return Retryable(target()->NewWritableFile(path, options, file, debug));
}

rocksdb::IOStatus RocksFiles::NewDirectory(const std::string& path,
                                           const rocksdb::IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* directory,
                                           rocksdb::IODebugContext* debug) {
  return Retryable(target()->NewDirectory(path, options, directory, debug));
}

}  // namespace decree::store
