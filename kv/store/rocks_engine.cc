#include "kv/store/rocks_engine.h"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include <cstdlib>
#include <utility>

#include "kv/store/rocks_snapshot.h"

namespace decree::store {
namespace {

rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Result<std::optional<std::string>> GetRow(const RocksDatabase& database,
                                          const rocksdb::ReadOptions& options,
                                          std::string_view key) {
  std::string value;
  const rocksdb::Status status = database.db().Get(options, Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return RocksError(status, database.path());
  return std::optional<std::string>(std::move(value));
}

// Pins one moment of the database for a view and its cursors.
class PinnedMoment {
 public:
  explicit PinnedMoment(std::shared_ptr<RocksDatabase> database)
      : database_(std::move(database)), snapshot_(database_->db().GetSnapshot()) {}
  ~PinnedMoment() { database_->db().ReleaseSnapshot(snapshot_); }
  PinnedMoment(const PinnedMoment&) = delete;
  PinnedMoment& operator=(const PinnedMoment&) = delete;
  const RocksDatabase& database() const { return *database_; }
  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return options;
  }

 private:
  const std::shared_ptr<RocksDatabase> database_;
  const rocksdb::Snapshot* const snapshot_;
};

class RocksCursor : public RowCursor {
 public:
  explicit RocksCursor(std::shared_ptr<const PinnedMoment> moment)
      : moment_(std::move(moment)), iterator_(NewIterator(*moment_)) {}
  void Seek(std::string_view key) override { iterator_->Seek(Slice(key)); }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  std::string_view key() const override { return iterator_->key().ToStringView(); }
  std::string_view value() const override { return iterator_->value().ToStringView(); }
  Status status() const override {
    return ToStatus(iterator_->status(), moment_->database().path());
  }

 private:
  static rocksdb::Iterator* NewIterator(const PinnedMoment& moment) {
    rocksdb::ReadOptions options = moment.options();
    options.fill_cache = false;  // a scan or digest must not push out what point reads use
    options.total_order_seek = true;
    return moment.database().db().NewIterator(options);
  }

  const std::shared_ptr<const PinnedMoment> moment_;
  const std::unique_ptr<rocksdb::Iterator> iterator_;  // goes before the moment
};

class RocksView : public RowView {
 public:
  explicit RocksView(std::shared_ptr<RocksDatabase> database)
      : moment_(std::make_shared<PinnedMoment>(std::move(database))) {}
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return GetRow(moment_->database(), moment_->options(), key);
  }
  std::unique_ptr<RowCursor> NewCursor() const override {
    return std::make_unique<RocksCursor>(moment_);
  }

 private:
  const std::shared_ptr<const PinnedMoment> moment_;
};

std::uint64_t Property(rocksdb::DB& db, const rocksdb::Slice& name) {
  std::uint64_t value = 0;
  return db.GetIntProperty(name, &value) ? value : 0;
}

// Where RocksDB by itself would begin to delay writes. It must not: a delayed write would hold the
// worker, and with it every shard of that worker (RocksShared::RowOptions).
bool FallsBehind(rocksdb::DB& db) {
  constexpr std::uint64_t kManyTables = 20;    // of level 0: each is looked at by every read
  constexpr std::uint64_t kManyMemtables = 4;  // that wait to be flushed
  constexpr std::uint64_t kMuchToCompact = std::uint64_t{64} << 30;
  using Properties = rocksdb::DB::Properties;
  std::string tables;
  const bool many_tables = db.GetProperty(Properties::kNumFilesAtLevelPrefix + "0", &tables) &&
                           std::strtoull(tables.c_str(), nullptr, 10) >= kManyTables;
  return many_tables || Property(db, Properties::kNumImmutableMemTable) >= kManyMemtables ||
         Property(db, Properties::kEstimatePendingCompactionBytes) >= kMuchToCompact;
}

Error EngineClosed(const RocksDatabase& database) {
  return Error(Errc::kCancelled, database.path() + ": the rows were closed");
}

}  // namespace

RocksDatabase::RocksDatabase(std::string path, std::unique_ptr<rocksdb::DB> db,
                             std::shared_ptr<RocksShared> shared, std::shared_ptr<RowsUse> use)
    : path_(std::move(path)),
      shared_(std::move(shared)),
      db_(std::move(db)),
      use_(std::move(use)) {}

RocksDatabase::~RocksDatabase() {
  db_.reset();
  use_->DatabaseClosed();
}

Status RocksDatabase::Flush() {
  const std::uint64_t before = written_bytes_;
  Status flushed = Written(shared_->Flush(*db_));
  if (flushed) flushed_bytes_ = before;
  return flushed;
}

void RocksDatabase::LimitTables(int tables) {
  // Failing, it keeps the limit that it has.
  db_->SetDBOptions({{"max_open_files", std::to_string(MaxOpenFiles(tables))}})
      .PermitUncheckedError();
}

RocksEngine::RocksEngine(std::shared_ptr<RocksDatabase> database,
                         std::shared_ptr<BackgroundPool> pool, std::string staging)
    : database_(std::move(database)), pool_(std::move(pool)), staging_(std::move(staging)) {}

RocksEngine::~RocksEngine() { database_->use()->EngineGone(); }

Status RocksEngine::Write(const RowBatch& batch) {
  rocksdb::WriteBatch writes;
  for (const RowWrite& write : batch) {
    const rocksdb::Status status = write.value ? writes.Put(Slice(write.key), Slice(*write.value))
                                               : writes.Delete(Slice(write.key));
    if (!status.ok()) return RocksError(status, database_->path());
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const rocksdb::Status written = database_->db().Write(options, &writes);
  constexpr std::uint64_t kRowOverhead = 64;  // in a memtable, roughly
  database_->CountWritten(writes.GetDataSize() + batch.size() * kRowOverhead);
  stalled_ = FallsBehind(database_->db());
  return database_->Written(written);
}

bool RocksEngine::Stalled() const {
  if (stalled_) stalled_ = FallsBehind(database_->db());
  return stalled_;
}

Result<std::optional<std::string>> RocksEngine::Get(std::string_view key) const {
  return GetRow(*database_, rocksdb::ReadOptions(), key);
}

std::unique_ptr<RowView> RocksEngine::View() const {
  return std::make_unique<RocksView>(database_);
}

void RocksEngine::Flush(Done done) {
  const auto shared_done = std::make_shared<Done>(std::move(done));
  const bool queued = pool_->Submit(database_->use(), [database = database_, shared_done] {
    if (!database->use()->engine_alive()) return (*shared_done)(EngineClosed(*database));
    (*shared_done)(database->Flush());
  });
  if (!queued) (*shared_done)(EngineClosed(*database_));
}

void RocksEngine::Checkpoint(SnapshotDone done) {
  static std::atomic<std::uint64_t> number{0};
  const std::string directory = staging_ + "/frozen-" + std::to_string(++number);
  const auto shared_done = std::make_shared<SnapshotDone>(std::move(done));
  const bool queued =
      pool_->Submit(database_->use(), [database = database_, shared_done, directory] {
        if (!database->use()->engine_alive()) return (*shared_done)(EngineClosed(*database));
        if (Status flushed = database->Flush(); !flushed) return (*shared_done)(flushed.error());
        (*shared_done)(FreezeRocks(database->db(), directory, database->files()));
      });
  if (!queued) (*shared_done)(EngineClosed(*database_));
}

void RocksEngine::RunInBackground(std::function<void()> job) {
  pool_->Submit(database_->use(), std::move(job));
}

std::uint64_t RocksEngine::ApproximateBytes() const {
  return Property(database_->db(), rocksdb::DB::Properties::kLiveSstFilesSize) + UnflushedBytes();
}

std::uint64_t RocksEngine::UnflushedBytes() const {
  const std::uint64_t entries =
      Property(database_->db(), rocksdb::DB::Properties::kNumEntriesActiveMemTable) +
      Property(database_->db(), rocksdb::DB::Properties::kNumEntriesImmMemTables);
  if (entries == 0) return 0;
  return database_->unflushed_bytes();
}

Result<std::shared_ptr<RocksDatabase>> OpenRocksDatabase(const std::string& path, bool create,
                                                         int tables,
                                                         std::shared_ptr<RocksShared> shared) {
  rocksdb::Options options = shared->RowOptions(tables);
  options.create_if_missing = create;
  rocksdb::DB* db = nullptr;
  if (const auto status = rocksdb::DB::Open(options, path, &db); !status.ok()) {
    return RocksError(status, path);
  }
  return std::make_shared<RocksDatabase>(path, std::unique_ptr<rocksdb::DB>(db), std::move(shared),
                                         std::make_shared<RowsUse>());
}

}  // namespace decree::store
