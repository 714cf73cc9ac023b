// A disk in memory with the contract of the real one, for the simulator and for nodes without data
// of their own. It knows what is durable: Crash() drops the rest, as a power loss does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "kv/base/executor.h"
#include "kv/base/random.h"
#include "kv/store/disk.h"

namespace decree::store {

struct MemDiskOptions {
  std::string path = "mem";
  Incarnation incarnation{1};
  // How background work (fsync, flush, checkpoint) is run: called with a task; default: at once.
  std::function<void(Task)> background;
  // How the end of a flush is run, which made durable what was there when it began: writes go on
  // meanwhile. Default: at once.
  std::function<void(Task)> flush_end;
  // Called when rows are opened or could not be, by whoever asked for them.
  std::function<void()> opens;
  // Sees each log record when it is durable, before its append reports. For checkers.
  std::function<void(ReplicaKey, const consensus::Persist&)> on_durable;
  std::uint64_t capacity_bytes = std::uint64_t{1} << 40;
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;  // above it OldestPin names a replica
};

class MemDisk : public Disk {
 public:
  explicit MemDisk(MemDiskOptions options);
  ~MemDisk() override;

  Incarnation incarnation() const override;
  const std::string& path() const override;
  Log& log() override;
  DiskSpace space() const override;
  void RunInBackground(Task job) override;
  Result<std::optional<std::string>> GetMeta(std::string_view key) override;
  Status PutMeta(std::string_view key, std::string_view value) override;
  Status DeleteMeta(std::string_view key) override;
  Result<std::vector<std::pair<std::string, std::string>>> ListMeta(
      std::string_view prefix) override;
  Result<std::unique_ptr<Engine>> OpenRows(ReplicaKey key) override;
  Result<std::unique_ptr<Staging>> Stage(ReplicaKey key) override;
  Status RemoveRows(ReplicaKey key) override;
  Result<std::vector<ReplicaKey>> ListRows() override;
  std::string RowsPath(ReplicaKey key) const override;

  // ---- faults, for tests ----
  // What a power loss leaves: synced log records, flushed rows, durable facts. Pending background
  // work never reports. The engines and log handles handed out before must not be used again.
  std::unique_ptr<MemDisk> Crash(MemDiskOptions reborn);
  // Before Crash, with the engines still open: what the device had done of its own accord. Of the
  // log records that no sync had covered, a prefix survives; rows may have been flushed, trims and
  // forgets may be lost.
  void LosePower(Random& random);
  void FailSyncs();  // from now on every log append fails (P8), and the disk does not open again
  void FailLogForSpace();  // every log append fails with kNoSpace, until the disk is opened again
  void DamageLog();        // noticed when the disk is opened again (P9)
  bool DamageRows(Random& random);  // some row of some open replica; false: there is none
  void DamageNextSnapshot();
  // Rows of a replica, or a fact, as they were: to be put back after later ones. Only while no node
  // uses the disk.
  struct Backup;
  std::shared_ptr<const Backup> BackUp() const;
  // Whose rows they are; nobody's: none that were backed up still exist.
  std::optional<ReplicaKey> PutBackRows(const Backup& backup, std::uint64_t which);
  // False: nothing changed; a fact that is not there any more is not put back.
  bool PutBackFact(const Backup& backup, const std::string& key);
  // Whether the disk opens: what FailSyncs and DamageLog left.
  Status Usable() const;

  void SetFull(bool full);        // rows, facts and staging answer kNoSpace
  void SetBusy(bool busy);        // rows answer kBusy
  void SetStalled(bool stalled);  // engines say so, and write all the same

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace decree::store
