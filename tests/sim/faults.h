// Lets the planned faults happen, and heals each when its time is over. Faults overlap: each takes
// back only what it did itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/fault_plan.h"
#include "tests/sim/operator.h"

namespace decree::sim {

// When a trap springs.
enum class Moment : std::uint8_t {
  kSealProposed,
  kSealVoted,  // by a follower
  kEpochBegins,
  kElected,
  kProposed,
  kVoted,  // by a follower
  kCampaigns,
  kLeased,
  kCampaignsAgain,
  kMoving,  // a leader that stays has a shard that is close to its switch
};
inline constexpr std::size_t kMoments = 10;

class Faults {
 public:
  explicit Faults(Cluster& cluster);

  void Start(const FaultPlan& plan);
  void Stop();     // nothing new; HealAll mends what is broken
  void HealAll();  // runs the world until the operator has put right what it had changed
  // What a fault has still to do is done: machines that lost their disks are back with empty ones.
  void FinishWhatBegan();
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

  // Clients are to begin nothing before that; not set: they go on.
  std::function<void(Nanos until)> silence;
  // Clients are to write much to a shard at that machine; not set: they do not.
  std::function<void(MachineId at, ShardId shard)> surge;

 private:
  void Inject(const PlannedFault& fault);
  // ---- faults.cc: processes and clocks ----
  bool InjectProcess(const PlannedFault& fault, Random& random);
  bool InjectClock(const PlannedFault& fault, Random& random);
  bool InjectOperator(const PlannedFault& fault, Random& random);
  void CrashAll(const PlannedFault& fault, Random& random);
  void StopCleanly(const PlannedFault& fault, Random& random);
  void BootAfter(Nanos delay, MachineId id);
  // ---- faults_network.cc ----
  bool InjectNetwork(const PlannedFault& fault, Random& random);
  Links LinksToCut(const PlannedFault& fault, Random& random);
  Links LinksOfAnOutsider(const PlannedFault& fault);
  void Clog(const PlannedFault& fault, Random& random);
  bool LateCalls(const PlannedFault& fault, Random& random);
  void SlowNetwork(const PlannedFault& fault, Random& random);
  void HitHolder(Fault kind, MachineId id, Nanos outage, Random& random);
  void LateAnswers(MachineId id, Nanos outage, Random& random);
  void GrantorRestarts(MachineId id, Nanos outage, Random& random);
  // ---- faults_trap.cc ----
  struct Trap {
    Moment moment = Moment::kProposed;
    Nanos outage = 0;
    Random random;
    Fault does = Fault::kTrap;  // to whom it catches; kTrap: drawn
  };
  // A leader whom nobody hears, until another one proposes a Seal in its shard. Then its promise is
  // the first that this one gets, as it hears nobody else for a while.
  struct Muted {
    MachineId id = 0;
    ReplicaKey leader;
    Links links;
  };
  bool SetTrap(const PlannedFault& fault, Random& random);
  bool HasCome(Moment moment, ReplicaKey key, const consensus::Replica& replica,
               const consensus::Output& output);
  bool IsMoving(ReplicaKey key);
  void Mute(MachineId id, ReplicaKey leader);
  void Unmute(std::uint64_t number);
  void HearOnly(std::uint64_t number, NodeId listener);
  void WatchMuted(ReplicaKey key, const consensus::Replica& replica,
                  const consensus::Output& output);
  void OnStep(ReplicaKey key, const consensus::Replica& replica, const consensus::Output& output);
  void Spring(NodeId node, ReplicaKey key, Trap& trap);
  // ---- faults_disk.cc ----
  bool InjectDisk(const PlannedFault& fault, Random& random);
  bool InjectPassingDisk(const PlannedFault& fault, Random& random);
  bool FillUp(MachineId id, std::size_t index, bool log_too, Nanos outage);
  bool PutBackOldMap(MachineId id, Nanos outage);
  bool Damage(const PlannedFault& fault, Random& random);
  bool DoDamage(const PlannedFault& fault, std::size_t index, Random& random);
  void Repair(MachineId id, NodeId node, std::size_t index, bool all);
  void Later(Nanos delay, Task task);
  MachineId AnyMachine(Random& random);

  Cluster& cluster_;
  World& world_;
  const NetworkOptions calm_network_;
  int slow_networks_ = 0;
  int pending_ = 0;       // events of Later
  bool damaged_ = false;  // a disk that is not replaced yet
  bool on_ = false;
  std::vector<Trap> traps_;  // set, not sprung yet
  std::map<std::uint64_t, Muted> muted_;
  std::uint64_t last_muted_ = 0;
  std::map<std::string, std::uint64_t> counts_;
  Operator operator_;
};

}  // namespace decree::sim
