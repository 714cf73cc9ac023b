// A disk of a simulated machine: it survives the machine's lives, and faults happen to it. There
// are two tiers of storage: the store in memory, and the product's own log and RocksDB over a
// simulated file system. Faults are the same on both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kv/base/random.h"
#include "kv/store/disk.h"

namespace decree::sim {

enum class Storage : std::uint8_t { kMemory, kFiles };

struct SimDiskOptions {
  Storage storage = Storage::kMemory;
  std::string path = "/disk";
  Incarnation incarnation{1};  // of the first disk; a wiped one counts on. kFiles draws its own
  std::uint64_t seed = 1;      // kFiles: of everything that is left to chance
  std::uint64_t log_goal_bytes = std::uint64_t{256} << 20;
};

// What the machine's life gives its disks. Nothing of it is used after Close.
struct DiskLife {
  std::function<void(Task)> background;  // runs a task when the disk has had its time for it
  std::function<std::int64_t()> now_ns;
  // Sees each log record when it is durable, before its append reports.
  std::function<void(ReplicaKey, const consensus::Persist&)> on_durable;
};

class SimDisk {
 public:
  virtual ~SimDisk() = default;

  // Power on: what the last life left is opened. The errors are the product's.
  virtual Result<store::Disk*> Open(DiskLife life) = 0;
  // Of this life, while it is open.
  virtual store::Disk& disk() = 0;
  // The power goes, before the node does: what was not synced is lost, or what the seed says of it.
  virtual void PowerLoss() = 0;
  // The power is to go inside a call to the system, after so many of them; then `died` is called.
  // False: the tier has no such calls.
  virtual bool DieAfter(std::uint64_t calls, std::function<void()> died) = 0;
  // The node is gone. Without a power loss this is the clean end of a process.
  virtual void Close() = 0;

  // ---- faults ----
  virtual void FailNextSync() = 0;  // the disk is out for good (P8)
  virtual void SetFull(bool full) = 0;
  virtual void SetBusy(bool busy) = 0;  // rows answer kBusy
  // One bit of something stored turns. What it was, for the trace; empty: nothing is stored yet, or
  // the tier knows no rot.
  virtual std::string Rot(Random& random) = 0;
  // Another disk in its place, new and empty. While no life is running.
  virtual void Wipe() = 0;
  // Faults of this disk that excuse it from opening.
  virtual bool excused() const = 0;
};

std::unique_ptr<SimDisk> MakeSimDisk(SimDiskOptions options);
std::unique_ptr<SimDisk> MakeMemSimDisk(SimDiskOptions options);
std::unique_ptr<SimDisk> MakeFileSimDisk(SimDiskOptions options);

}  // namespace decree::sim
