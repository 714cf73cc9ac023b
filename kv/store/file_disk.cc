#include "kv/store/file_disk.h"

#include <utility>

#include "kv/store/file_disk_facts.h"
#include "kv/store/file_disk_failure.h"
#include "kv/store/file_disk_identity.h"
#include "kv/store/file_disk_rows.h"
#include "kv/store/shard_log.h"

namespace decree::store {
namespace {

struct Parts {
  std::shared_ptr<Files> files;
  std::unique_ptr<FileLock> lock;  // first in, last out
  DiskIdentity identity;
  std::shared_ptr<FailureMark> failure;
  std::shared_ptr<BackgroundPool> pool;
  std::unique_ptr<FileDiskRows> rows;
  std::unique_ptr<FileDiskFacts> facts;
  std::unique_ptr<FileLog> log;
};

class FileDisk : public Disk {
 public:
  FileDisk(std::string path, Parts parts) : path_(std::move(path)), parts_(std::move(parts)) {}
  // Background jobs end before what they use goes away.
  ~FileDisk() override { parts_.pool->Stop(); }

  Incarnation incarnation() const override { return parts_.identity.incarnation; }
  const std::string& path() const override { return path_; }
  Log& log() override { return *parts_.log; }

  DiskSpace space() const override { return parts_.files->Space(path_); }

  void RunInBackground(Task job) override { parts_.pool->Submit(nullptr, std::move(job)); }
  Result<std::optional<std::string>> GetMeta(std::string_view key) override {
    return parts_.facts->Get(key);
  }
  Status PutMeta(std::string_view key, std::string_view value) override {
    return parts_.facts->Put(key, value);
  }
  Status DeleteMeta(std::string_view key) override { return parts_.facts->Delete(key); }
  Result<std::vector<std::pair<std::string, std::string>>> ListMeta(
      std::string_view prefix) override {
    return parts_.facts->List(prefix);
  }

  Result<std::unique_ptr<Engine>> OpenRows(ReplicaKey key) override {
    return parts_.rows->Open(key);
  }
  Result<std::unique_ptr<Staging>> Stage(ReplicaKey key) override {
    Result<std::string> directory = parts_.rows->MakeStaging();
    if (!directory) return directory.error();
    return MakeFileStaging(*parts_.rows, key, *std::move(directory));
  }
  Status RemoveRows(ReplicaKey key) override { return parts_.rows->Remove(key); }
  Result<std::vector<ReplicaKey>> ListRows() override { return parts_.rows->List(); }
  std::string RowsPath(ReplicaKey key) const override { return parts_.rows->RowPath(key); }

 private:
  const std::string path_;
  Parts parts_;
};

std::shared_ptr<RocksShared> MakeShared(const FileDiskOptions& options,
                                        const std::shared_ptr<FailureMark>& failure) {
  RocksSharedOptions shared;
  shared.on_failure = [failure](const Error& error) { failure->Leave(error); };
  shared.block_cache_bytes = options.block_cache_bytes;
  shared.write_buffer_bytes = options.write_buffer_bytes;
  shared.background_threads = options.background_threads;
  shared.log = options.log;
  shared.files = options.files;
  shared.env = options.rocks_env;
  shared.run_flushes = options.run_rocks_flushes;
  return std::make_shared<RocksShared>(shared);
}

Status OpenLog(const FileDiskOptions& options, bool create, Parts* parts) {
  FileLogOptions log_options;
  log_options.directory = options.path + "/log";
  log_options.create = create;
  log_options.segment_bytes = options.segment_bytes;
  log_options.goal_bytes = options.log_goal_bytes;
  log_options.on_failure = [failure = parts->failure](const Error& error) {
    failure->Leave(error);
  };
  log_options.files = options.files;
  log_options.later = options.later;
  Result<std::unique_ptr<FileLog>> log = FileLog::Open(std::move(log_options));
  if (!log) return log.error();
  parts->log = *std::move(log);
  return {};
}

Status OpenParts(const FileDiskOptions& options, Parts* parts) {
  const bool create = parts->identity.fresh;
  const auto shared = MakeShared(options, parts->failure);
  const auto threads = static_cast<std::size_t>(options.background_threads);
  parts->pool = options.later ? std::make_shared<BackgroundPool>(options.later)
                              : std::make_shared<BackgroundPool>(threads);
  const OpenFileShare open_files(options.open_files != 0 ? options.open_files
                                                         : OpenFileLimit() / 2);
  parts->rows =
      std::make_unique<FileDiskRows>(options.path, open_files, shared, parts->pool, options.files);
  if (Status prepared = parts->rows->Prepare(create); !prepared) return prepared;
  if (Status opened = OpenLog(options, create, parts); !opened) return opened;
  if (create) {
    if (Status made = options.files->MakeDirectory(options.path + "/meta"); !made) return made;
  }
  auto facts = FileDiskFacts::Open(options.path + "/meta", create, shared);
  if (!facts) return facts.error();
  parts->facts = *std::move(facts);
  if (!create) return {};
  if (Status named = options.files->SyncNameOf(options.path); !named) return named;
  if (Status synced = options.files->SyncDirectory(options.path); !synced) return synced;
  return ConfirmIdentity(*options.files, options.path);
}

}  // namespace

Result<std::unique_ptr<Disk>> OpenFileDisk(FileDiskOptions options) {
  if (Status made = MakeDirectories(*options.files, options.path); !made) return made.error();
  Parts parts;
  parts.files = options.files;
  auto lock = LockDirectory(*options.files, options.path);
  if (!lock) return lock.error();
  parts.lock = *std::move(lock);
  parts.failure = std::make_shared<FailureMark>(options.path, options.files);
  if (Status sound = parts.failure->Check(); !sound) return sound.error();
  const Result<DiskIdentity> identity = ReadIdentity(*options.files, options.path);
  if (!identity) return identity.error();
  parts.identity = *identity;
  if (Status opened = OpenParts(options, &parts); !opened) return opened.error();
  return std::unique_ptr<Disk>(std::make_unique<FileDisk>(options.path, std::move(parts)));
}

}  // namespace decree::store
