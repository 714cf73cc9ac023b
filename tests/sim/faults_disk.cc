// Disks that are slow, full, damaged or gone. What cannot be undone passes the atlas first, and is
// repaired after a while: the disk is replaced by an empty one, a node without any disk left is
// drained and removed.
#include <utility>

#include "tests/sim/faults.h"

namespace decree::sim {

bool Faults::InjectDisk(const PlannedFault& fault, Random& random) {
  if (InjectPassingDisk(fault, random)) return true;
  switch (fault.kind) {
    case Fault::kFsyncFails:
    case Fault::kRotLog:
    case Fault::kRotRows:
    case Fault::kWipe:
    case Fault::kOldRows:
      return Damage(fault, random);
    default:
      return false;
  }
}

// What turns a machine off once more: nothing is at rest before that.
void Faults::Later(Nanos delay, Task task) {
  ++pending_;
  world_.After(delay, [this, task = std::move(task)] {
    --pending_;
    task();
  });
}

// ---- what passes ----

bool Faults::InjectPassingDisk(const PlannedFault& fault, Random& random) {
  const MachineId id = std::min(fault.machine, cluster_.size());
  Machine& machine = cluster_.node(id);
  const std::size_t index = random.Below(machine.disks());
  switch (fault.kind) {
    case Fault::kSlowDisk:
      machine.disk_times().slow = 0.5;
      world_.After(fault.outage, [this, &machine] {
        machine.disk_times().slow = cluster_.options().disk_times.slow;
      });
      return true;
    case Fault::kNoSpace:
      return FillUp(id, index, random.Chance(0.5), fault.outage);
    case Fault::kTooManyFiles:
      machine.disk(index).SetBusy(true);
      world_.After(fault.outage, [&machine, index] { machine.disk(index).SetBusy(false); });
      return true;
    case Fault::kStalled:
      machine.disk(index).SetStalled(true);
      world_.After(fault.outage, [&machine, index] { machine.disk(index).SetStalled(false); });
      return true;
    case Fault::kRotSnapshot:
      machine.disk(index).DamageNextSnapshot();
      return true;
    case Fault::kOldMap:
      return PutBackOldMap(id, fault.outage);
    default:
      return false;
  }
}

// The node takes the disk out when it meets the error; with space again, it is started again.
bool Faults::FillUp(MachineId id, std::size_t index, bool log_too, Nanos outage) {
  Machine& machine = cluster_.node(id);
  if (!machine.started()) return false;
  machine.ExpectLoss(+1);
  machine.SetFull(index, true);
  if (log_too) machine.disk(index).FailLogForSpace();
  Later(outage, [this, id, index] {
    Machine& full = cluster_.node(id);
    full.ExpectLoss(-1);
    full.SetFull(index, false);
    full.Crash();
    full.Boot();
  });
  return true;
}

// Every disk keeps the map, and the newest of them is taken. Counted is a map that had changed.
bool Faults::PutBackOldMap(MachineId id, Nanos outage) {
  std::vector<std::shared_ptr<const DiskBackup>> backups;
  Machine& machine = cluster_.node(id);
  for (std::size_t i = 0; i < machine.disks(); ++i) backups.push_back(machine.disk(i).BackUp());
  Later(3 * outage, [this, id, backups] {
    Machine& there = cluster_.node(id);
    there.Crash();
    bool changed = false;
    for (std::size_t i = 0; i < backups.size(); ++i) {
      changed |= there.disk(i).PutBackFact(*backups[i], "map");
    }
    if (changed) ++counts_[FaultName(Fault::kOldMap)];
    there.Boot();
  });
  return false;
}

// ---- what does not ----

bool Faults::Damage(const PlannedFault& fault, Random& random) {
  const MachineId id = fault.machine;
  Machine& machine = cluster_.node(id);
  if (!machine.started() || machine.stopping() || damaged_) return false;
  const NodeId node = machine.core().id();
  Atlas& atlas = cluster_.atlas();
  if (!node || !atlas.MayLose(node)) return false;
  const std::size_t index = random.Below(machine.disks());
  if (!DoDamage(fault, index, random)) return false;
  damaged_ = true;
  atlas.Lost(node);
  machine.ExpectLoss(+1);
  const bool wipe = fault.kind == Fault::kWipe;
  Later(2 * fault.outage, [this, id, node, index, wipe] { Repair(id, node, index, wipe); });
  return true;
}

// True: it is done, or will be.
bool Faults::DoDamage(const PlannedFault& fault, std::size_t index, Random& random) {
  const MachineId id = fault.machine;
  Machine& machine = cluster_.node(id);
  SimDisk& disk = machine.disk(index);
  switch (fault.kind) {
    case Fault::kFsyncFails:
      disk.FailSyncs();
      return true;
    case Fault::kRotRows:
      return disk.DamageRows(random);
    case Fault::kRotLog:
      disk.DamageLog();
      break;
    case Fault::kOldRows:
      Later(fault.outage, [this, id, index, which = random.Next(), backup = disk.BackUp()] {
        Machine& there = cluster_.node(id);
        there.Crash();
        if (const auto key = there.disk(index).PutBackRows(*backup, which)) {
          cluster_.network().core_checker().RowsPutBack(*key);
        }
        there.Boot();
      });
      return true;
    default:
      break;
  }
  machine.Crash(random);
  if (fault.kind == Fault::kRotLog) BootAfter(fault.outage, id);
  return true;
}

// An operator puts in an empty disk. A node that has lost its only one is another node from now on.
void Faults::Repair(MachineId id, NodeId node, std::size_t index, bool all) {
  Machine& machine = cluster_.node(id);
  machine.ExpectLoss(-1);
  machine.Crash();
  cluster_.atlas().Lost(node);  // also what it was given since
  damaged_ = false;
  for (std::size_t i = 0; i < machine.disks(); ++i) {
    if (all || i == index) machine.ReplaceDisk(i);
  }
  std::vector<std::string> others;
  for (const MachineId other : cluster_.Members()) {
    if (other != id) others.push_back(AddressOf(other));
  }
  machine.SetJoin(std::move(others));
  machine.Boot();
  if (all || machine.disks() == 1) operator_.Bury(node);
}

}  // namespace decree::sim
