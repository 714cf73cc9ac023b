// The rows of one shard replica: an ordered map with atomic batches, consistent views, file-based
// snapshots and an explicit moment of durability. Two implementations with one contract:
// RocksEngine (a RocksDB of its own, WAL off) and MemEngine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decree/result.h"
#include "kv/base/codec.h"
#include "kv/base/ids.h"

namespace decree::store {

struct RowWrite {
  std::string key;
  std::optional<std::string> value;  // none: delete
};
using RowBatch = std::vector<RowWrite>;  // later entries win over earlier ones of the same key

// A cursor over rows in bytewise key order.
class RowCursor {
 public:
  virtual ~RowCursor() = default;
  virtual void Seek(std::string_view key) = 0;  // to the first row >= key
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual std::string_view key() const = 0;  // valid until the cursor moves
  virtual std::string_view value() const = 0;
  virtual Status status() const = 0;  // an error ends the iteration: Valid() is false
};

// The rows as of one moment. May be used and destroyed on any one thread, also after later writes,
// but before the engine closes.
class RowView {
 public:
  virtual ~RowView() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual std::unique_ptr<RowCursor> NewCursor() const = 0;
};

struct SnapshotFile {
  std::string name;
  std::uint64_t bytes = 0;
  // Of the content, XXH3-64: what one snapshot has under that name is in another one if name, size
  // and checksum are equal. Empty: nothing is known.
  std::string checksum;
  DECREE_FIELDS(name, bytes, checksum)
};

// A frozen copy of the rows as files (hard links). Any thread. Destroying it removes the links.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  virtual const std::vector<SnapshotFile>& files() const = 0;
  // Where the files are, for whoever shares this machine's file system. Empty: nowhere.
  virtual std::string directory() const { return {}; }
  virtual Result<std::string> Read(const std::string& file, std::uint64_t offset,
                                   std::size_t size) const = 0;
};

class Engine {
 public:
  using Done = std::function<void(Status)>;
  using SnapshotDone = std::function<void(Result<std::shared_ptr<SnapshotSource>>)>;

  virtual ~Engine() = default;

  // Atomic and visible at once; durable only after a flush. One writer thread at a time.
  virtual Status Write(const RowBatch& batch) = 0;
  // Writes come faster than the disk takes them. They succeed all the same and never wait, because
  // what is chosen has to be applied: turn new ones away at the door. Cheap; from the writer's
  // thread.
  virtual bool Stalled() const = 0;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual std::unique_ptr<RowView> View() const = 0;

  // Makes everything written before the call durable, in the background. `done` runs on a
  // background thread (in the simulator: as a task of its own): post to your worker and return.
  virtual void Flush(Done done) = 0;
  // Flushes and freezes everything written before the call, in the background, as Flush.
  virtual void Checkpoint(SnapshotDone done) = 0;
  // Runs a reading job (a digest) in the background beside other engines' jobs, as Flush.
  virtual void RunInBackground(std::function<void()> job) = 0;

  virtual std::uint64_t ApproximateBytes() const = 0;
  virtual std::uint64_t UnflushedBytes() const = 0;
};

}  // namespace decree::store
