// The log of a real disk: segments in one directory, one writer thread, one fdatasync for whatever
// all shards queued meanwhile. Batches form from what is waiting, never by a timer. FORMATS.md
// describes the files and says what recovery accepts, cuts and refuses.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kv/base/executor.h"
#include "kv/store/log.h"
#include "kv/store/log_appender.h"
#include "kv/store/log_recovery.h"
#include "kv/store/posix_file.h"

namespace decree::store {

struct FileLogOptions {
  std::string directory;
  bool create = true;  // an empty directory becomes a log; else it is kCorruption
  std::uint64_t segment_bytes = std::uint64_t{16} << 20;
  std::uint64_t goal_bytes = std::uint64_t{256} << 20;
  std::function<void(const Error&)> on_failure;  // once, on the writer's thread, before any report
  std::shared_ptr<Files> files = SystemFiles();
  // Runs a task later, on the thread of the appends, in place of a writer thread: for a simulator.
  std::function<void(Task)> later;
};

class FileLog : public Log {
 public:
  static Result<std::unique_ptr<FileLog>> Open(FileLogOptions options);
  ~FileLog() override;  // writes, syncs and reports what is queued

  void Append(ReplicaKey key, consensus::Persist record, Done done) override;
  void Trim(ReplicaKey key, Slot slot) override;
  void Forget(ReplicaKey key) override;
  Result<consensus::Recovered> Recover(ReplicaKey key) override;
  std::vector<ReplicaKey> Replicas() override;
  std::optional<ReplicaKey> OldestPin() override;

  std::size_t live_segments();

 private:
  struct Item {
    LogRecordType type = LogRecordType::kPersist;
    ReplicaKey key;
    consensus::Persist record;  // kPersist
    std::uint64_t number = 0;   // kTrim: slot; kTail: sequence
    Done done;
    bool forwarded = false;  // written again from an old segment
  };
  using Items = std::vector<Item>;
  using Places = std::vector<LogPlace>;

  FileLog(FileLogOptions options, std::unique_ptr<LogSegments> segments, RecoveredLog recovered);

  void Enqueue(Item item, bool wake);
  Result<Places> PlacesOf(ReplicaKey key);
  Result<consensus::Persist> ReadRecord(RecordReader& reader, const LogPlace& place);

  // The writer thread, or the task in its place.
  void Run();
  Items TakeQueue();
  void Turn(Items items);
  void Mark();
  void TurnLater();
  void Commit(Items& items);
  Result<LogPlace> Write(const Item& item);
  void Publish(const Item* items, const Places& places);
  void Note(const Item& item, const LogPlace& place);
  void Fail(const Error& error);
  bool WaitForFiles();

  // Recycling, on the writer thread (log_recycling.cc).
  void RecycleOldest();
  bool Recyclable(std::uint64_t sequence) const;
  Status CollectLive(std::uint64_t sequence, Items* items);
  void Release(std::uint64_t first);

  const FileLogOptions options_;
  const std::uint64_t goal_segments_;
  const std::unique_ptr<LogSegments> segments_;

  std::mutex queue_mutex_;
  std::condition_variable wake_;
  Items queue_;
  bool work_ = false;
  bool stopping_ = false;

  // Changed by the writer thread only, under the mutex; so that thread may read without it.
  std::mutex state_mutex_;
  LogBook book_;
  std::deque<std::uint64_t> live_;
  std::optional<Error> failed_;

  // The writer thread's own.
  LogAppender appender_;
  std::uint64_t first_;
  bool marked_ = true;      // nothing was written since the last mark
  bool check_tail_ = true;  // an old segment may have become recyclable

  const std::shared_ptr<FileLog*> self_;  // for tasks that may come after the end
  std::thread writer_;
};

}  // namespace decree::store
