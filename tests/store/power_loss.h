// What a power loss leaves of a directory tree: the bytes and names that were synced, and nothing
// else. The model watches the calls of the code under test through a FaultHook, pretends their
// syncs and remembers what each would have made durable. So a missing sync shows.
//
// Files that the code under test does not write itself are RocksDB's, which syncs its own files and
// their names: they survive as they are, where their directory's name does.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "tests/store/faulty_files.h"

namespace decree::store {

class PowerLoss {
 public:
  // The directory exists; everything in it is durable.
  explicit PowerLoss(std::string root);
  ~PowerLoss();
  PowerLoss(const PowerLoss&) = delete;
  PowerLoss& operator=(const PowerLoss&) = delete;

  // For a FaultHook: before each call that is to succeed. Any thread.
  int OnCall(FileOp op, const std::string& path);
  // A sync of the path failed: its pages are clean now, although they never reached the disk, so
  // that no later sync writes them unless they are written again.
  void OnFailedSync(const std::string& path);

  // Writes what a power loss would leave now into a directory that does not exist yet.
  void Survive(const std::string& to);
  // The same in place. Nobody uses the tree meanwhile.
  void Strike();

 private:
  using FileId = ino_t;
  struct Node {
    int fd = -1;  // holds the inode, so that its number is not used again
    bool directory = false;
    bool ours = false;                    // written by the code under test
    bool lost = false;                    // a sync failed, and it was not written since
    std::string bytes;                    // durable ones, of a file of ours
    std::map<std::string, FileId> names;  // durable ones, of a directory
  };

  std::optional<FileId> Know(const std::string& path);
  std::string Reach(FileId id) const;  // the inode's path, whatever became of its name
  std::map<std::string, FileId> NamesIn(FileId directory);
  void TakeAllAsDurable(const std::string& directory);
  void Write(FileId id, const std::string& to);
  void Forget();

  const std::string root_;
  std::mutex mutex_;
  std::map<FileId, Node> nodes_;
};

}  // namespace decree::store
