// Lets the planned faults happen, and heals each when its time is over. Faults overlap: each takes
// back only what it did itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/cluster.h"
#include "tests/sim/fault_plan.h"

namespace decree::sim {

class Faults {
 public:
  explicit Faults(Cluster& cluster);

  void Start(const FaultPlan& plan);
  void Stop();  // nothing new; HealAll mends what is broken
  void HealAll();
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void Inject(const PlannedFault& fault);
  void InjectNetwork(const PlannedFault& fault, Random& random);
  void CrashAll(const PlannedFault& fault, Random& random);
  void StopCleanly(const PlannedFault& fault, Random& random);
  void Split(const PlannedFault& fault, Random& random);
  void SlowNetwork(const PlannedFault& fault, Random& random);
  void SlowDisk(const PlannedFault& fault);
  void Move(const PlannedFault& fault, Random& random);
  void Transfer(const PlannedFault& fault, Random& random);
  void BootAfter(Nanos delay, MachineId id);
  void HealAfter(Nanos delay, Links cuts);
  MachineId AnyMachine(Random& random);

  Cluster& cluster_;
  World& world_;
  const NetworkOptions calm_network_;
  int slow_networks_ = 0;
  bool on_ = false;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace decree::sim
