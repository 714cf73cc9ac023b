#include "kv/store/rocks_files.h"

#include <errno.h>

#include <cstring>

namespace decree::store {
namespace {

rocksdb::IOStatus Retryable(rocksdb::IOStatus status) {
  if (IsTooManyFiles(status)) status.SetRetryable(true);
  return status;
}

bool IsOptions(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;  // 0: there is no slash
  return path.compare(name, 8, "OPTIONS-") == 0;
}

class UnsyncedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
};

class Directory : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options,
                                        rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& why) override {
    const bool renamed = why.reason == rocksdb::DirFsyncOptions::kFileRenamed;
    if (renamed && IsOptions(why.renamed_new_name)) return rocksdb::IOStatus::OK();
    return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why);
  }
};

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
  rocksdb::IOStatus opened = Retryable(target()->NewWritableFile(path, options, file, debug));
  if (opened.ok() && IsOptions(path)) *file = std::make_unique<UnsyncedFile>(std::move(*file));
  return opened;
}

rocksdb::IOStatus RocksFiles::NewDirectory(const std::string& path,
                                           const rocksdb::IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* directory,
                                           rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus opened = Retryable(target()->NewDirectory(path, options, directory, debug));
  if (opened.ok()) *directory = std::make_unique<Directory>(std::move(*directory));
  return opened;
}

}  // namespace decree::store
