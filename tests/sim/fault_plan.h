// What will go wrong in a seed, drawn before anything runs: faults as data. Each planned fault
// makes its choices from dice of its own, so that a run with some of them left out (that is how a
// failing schedule is shortened) leaves the choices of the others as they were.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kv/base/codec.h"
#include "kv/base/random.h"
#include "tests/sim/world.h"

namespace decree::sim {

enum class Fault : std::uint8_t {
  // ---- processes ----
  kCrash,        // power loss of one machine; what was not synced is lost or torn
  kCrashAll,     // power loss of all
  kStopCleanly,  // SIGTERM, then a new start
  kPause,        // SIGSTOP, SIGCONT
  // ---- the network ----
  kSplit,            // falls in two
  kIsolate,          // one machine hears nobody, nobody hears it, or both
  kCutLink,          // one direction of one pair
  kQuorumLoss,       // every machine sees one hub, and nobody else (OmniPaxos, figure 1a)
  kConstrained,      // the same, and one machine sees nobody at all (figure 1b)
  kChain,            // every machine sees its two neighbours (figure 1c)
  kClog,             // a link delivers nothing, then everything
  kSlowNetwork,      // losses and long delays everywhere
  kReplay,           // consensus messages of long ago arrive again
  kLateAnswers,      // a lease holder hears everybody late, then nobody hears it
  kGrantorRestarts,  // the one machine that still hears a lease holder, and soon is up again
  kLateCalls,        // calls arrive long after they were given up and made again
  // ---- disks ----
  kSlowDisk,      // syncs take their time
  kNoSpace,       // the disk is full for a while
  kTooManyFiles,  // rows cannot be opened or read for a while
  kStalled,       // the engine says that writes come too fast
  kFsyncFails,    // once, and the disk is out for good (P8)
  kRotLog,        // a record of the log is damaged, noticed at the next start (P9)
  kRotRows,       // a row is damaged, noticed when it is read (P9)
  kRotSnapshot,   // the next snapshot has a damaged file
  kWipe,          // power loss, and empty disks at the next start
  kOldRows,       // power loss, and old rows of a replica are put back
  kOldMap,        // power loss, and an old shard map is put back
  // ---- clocks ----
  kWallJump,  // one wall clock jumps
  kSuspend,   // one monotonic clock jumps ahead
  kDrift,     // one clock goes at another speed
  // ---- the operator ----
  kMove,
  kDiskMove,
  kTransfer,
  kCancel,  // of a move under way
  kRest,    // a move under way is paused, and resumed after the outage
  kSettings,
  kDrain,
  kJoin,  // a new machine
  // ---- any of them, at a moment inside a protocol step ----
  kTrap,
};
inline constexpr std::size_t kFaultKinds = 39;
std::string FaultName(Fault fault);

struct PlannedFault {
  std::uint32_t number = 0;  // 1, 2, 3...: its name in a subset
  Nanos at = 0;              // after the faults are let loose
  Fault kind = Fault::kCrash;
  MachineId machine = 0;   // whom it hits; if that one is not there, nothing happens
  Nanos outage = 0;        // how long it lasts, where it lasts
  std::uint64_t dice = 0;  // seeds everything else it has to choose
  DECREE_FIELDS(number, at, kind, machine, outage, dice)
};

struct PlanOptions {
  std::vector<Fault> kinds;  // the seed's choice; twice is twice as often
  Nanos length = 10 * kSeconds;
  Nanos min_gap = 200 * kMillis;
  Nanos max_gap = 3 * kSeconds;
  Nanos max_outage = 4 * kSeconds;
  MachineId machines = 1;  // at the beginning; joins of the plan add to them
  MachineId max_machines = 5;
};

using FaultPlan = std::vector<PlannedFault>;
FaultPlan DrawPlan(Random& random, const PlanOptions& options);
// "7 at 12.345 s: crash of node 2 for 0.500 s"
std::string Describe(const PlannedFault& fault);
// The faults with these numbers; no set: all.
FaultPlan Subset(const FaultPlan& plan, const std::optional<std::set<std::uint32_t>>& numbers);

}  // namespace decree::sim

template <>
inline constexpr decree::sim::Fault decree::kEnumMax<decree::sim::Fault> =
    static_cast<decree::sim::Fault>(decree::sim::kFaultKinds - 1);
