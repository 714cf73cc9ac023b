// A disk of a simulated machine: it survives the machine's lives, and faults happen to it. There
// are two tiers of storage: the store in memory, and the product's own log and RocksDB over a
// simulated file system. Faults are the same on both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kv/base/random.h"
#include "kv/store/disk.h"

namespace decree::sim {

enum class Storage : std::uint8_t { kMemory, kFiles, kMax = kFiles };

struct SimDiskOptions {
  Storage storage = Storage::kMemory;
  std::string path = "/disk";
  Incarnation incarnation{1};  // kFiles draws its own
  std::uint64_t seed = 1;      // kFiles: of everything that is left to chance
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
};

// What the machine's life gives its disks. Nothing of it is used after Close.
struct DiskLife {
  std::function<void(Task)> background;  // runs a task when the disk has had its time for it
  std::function<void(Task)> flush_end;   // the same, when a flush has had its time
  std::function<std::int64_t()> now_ns;
  std::function<void()> opens;  // rows are opened, or could not be
  // Sees each log record when it is durable, before its append reports.
  std::function<void(ReplicaKey, const consensus::Persist&)> on_durable;
};

// Rows and facts of a disk as they were.
class DiskBackup {
 public:
  virtual ~DiskBackup() = default;
};

class SimDisk {
 public:
  virtual ~SimDisk() = default;

  // Power on: what the last life left is opened. The errors are the product's.
  virtual Result<store::Disk*> Open(DiskLife life) = 0;
  // The power goes, before the node does. What was not synced is lost; with dice, or in files
  // always, some of it had reached the disk all the same.
  virtual void LosePower(Random* dice) = 0;
  // The power is to go inside a call to the system, after so many of them; then `died` is called.
  // False: the tier has no such calls.
  virtual bool DieAfter(std::uint64_t calls, std::function<void()> died) = 0;
  // The node is gone. Without a power loss this is the clean end of a process.
  virtual void Close() = 0;

  // Whether rows of the replica lie here, and no fault has taken the disk out. At any time.
  virtual bool HasRows(ReplicaKey key) = 0;
  virtual bool works() const = 0;

  // ---- faults (mem_disk.h says more) ----
  virtual void FailSyncs() = 0;        // the disk is out for good (P8)
  virtual void FailLogForSpace() = 0;  // in memory; files need space when a segment is full
  virtual void DamageLog() = 0;
  virtual bool DamageRows(Random& random) = 0;  // false: there are none yet
  virtual void DamageNextSnapshot() = 0;
  virtual void SetFull(bool full) = 0;
  virtual void SetBusy(bool busy) = 0;
  virtual void SetStalled(bool stalled) = 0;
  virtual std::shared_ptr<const DiskBackup> BackUp() = 0;
  // Only while no node uses the disk. Nobody's: nothing that still exists was backed up.
  virtual std::optional<ReplicaKey> PutBackRows(const DiskBackup& backup, std::uint64_t which) = 0;
  // False: nothing changed; a fact that is not there any more is not put back.
  virtual bool PutBackFact(const DiskBackup& backup, const std::string& key) = 0;
};

std::unique_ptr<SimDisk> MakeSimDisk(SimDiskOptions options);
std::unique_ptr<SimDisk> MakeMemSimDisk(SimDiskOptions options);
std::unique_ptr<SimDisk> MakeFileSimDisk(SimDiskOptions options);

}  // namespace decree::sim
