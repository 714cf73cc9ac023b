// The file system as RocksDB sees it. OPTIONS files, which it writes whenever a database is opened
// and nobody here reads, wait for no disk: half of what an opening waits for. Too many open files
// say nothing about the disk: RocksDB is told that such a call can be made again, so it keeps the
// rows open and tries a flush or compaction later instead of giving the database up.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <utility>

namespace decree::store {

class RocksFiles : public rocksdb::FileSystemWrapper {
 public:
  explicit RocksFiles(std::shared_ptr<rocksdb::FileSystem> target = rocksdb::FileSystem::Default())
      : rocksdb::FileSystemWrapper(std::move(target)) {}
  const char* Name() const override { return "DecreeFiles"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
};

// EMFILE or ENFILE, of this process or of the machine.
bool IsTooManyFiles(const rocksdb::Status& status);

}  // namespace decree::store
