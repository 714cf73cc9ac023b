// What goes wrong while clients work: faults drawn one after another from the kinds that the seed
// has switched on, each healed after a while.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace decree::sim {

enum class Fault : std::uint8_t {
  kCrash,        // power loss of one machine
  kCrashAll,     // power loss of all
  kStopCleanly,  // SIGTERM, then a new start
  kPause,        // SIGSTOP, SIGCONT
  kSplit,        // the network falls in two
  kIsolate,      // one machine hears nobody, nobody hears it, or both
  kCutLink,      // one direction of one pair
  kSlowNetwork,  // losses and long delays everywhere
  kSlowDisk,     // one machine's disk takes its time
  kWallJump,     // one wall clock jumps
  kMove,         // an operator asks for a move
  kTransfer,     // an operator asks for another leader
  kJoin,         // a new machine
};
inline constexpr std::size_t kFaultKinds = 13;
std::string FaultName(Fault fault);

struct FaultOptions {
  std::vector<Fault> kinds;  // the seed's choice; twice is twice as often
  Nanos min_gap = 200 * kMillis;
  Nanos max_gap = 3 * kSeconds;
  Nanos max_outage = 4 * kSeconds;
  MachineId max_machines = 5;
};

class Faults {
 public:
  Faults(Cluster& cluster, FaultOptions options);

  void Start();
  void Stop();  // nothing new; HealAll mends what is broken
  void HealAll();
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void Next();
  void Inject(Fault fault);
  void InjectNetwork(Fault fault);
  void Crash(MachineId id);
  void CrashAll();
  void StopCleanly(MachineId id);
  void Split();
  void SlowNetwork();
  void SlowDisk(MachineId id);
  void Move(MachineId at);
  void Transfer(MachineId at);
  Nanos Outage() { return world_.Between(20 * kMillis, options_.max_outage); }
  MachineId AnyMachine();

  Cluster& cluster_;
  World& world_;
  FaultOptions options_;
  NetworkOptions calm_network_;
  bool on_ = false;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace decree::sim
