// Liveness: a random connected majority is healed, such that every shard keeps a quorum in it; the
// rest stays broken for good, as it is or, if it is well, each machine in its own way. Then every
// shard must decide again within 20 election timeouts, and every move that was under way must
// finish or roll back.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"

namespace decree::sim {

class Liveness {
 public:
  // Chance from `random`, so that the course of the run before it has no say in it.
  Liveness(Cluster& cluster, Faults& faults, std::uint64_t seed);

  // Chooses, heals the others, checks; failures go to the world. Load may go on meanwhile.
  // Afterwards the broken machines are free to be healed again.
  void Run();
  const std::set<MachineId>& broken() const { return broken_; }

 private:
  void Choose();
  bool KeepsQuorums(const std::set<MachineId>& broken);
  // Everybody who is, or may become, a member of the shard; how many of them are lost.
  bool KeepsQuorum(ShardId shard, const std::set<MachineId>& broken);
  bool KeepsMost(ShardId shard, const consensus::Config& config, const std::set<MachineId>& broken);
  std::size_t MostToLose(ShardId shard, const consensus::Config& config);
  bool IsWell(ReplicaKey key, MachineId machine, const std::set<MachineId>& broken);
  void HealOthers();
  bool OthersStarted();
  bool LeaveAsItIs(MachineId id);  // false: it is well
  void Break(MachineId id);
  Links SomeLinksOf(MachineId id);
  void Free();

  std::vector<ShardId> Shards() const;
  void Probe(ShardId shard);
  void CheckDecisions();
  void GiveUpMovesSoon();
  void Resume(MoveId move);
  void CheckMoves();
  void SayWhereItStands(ShardId shard);  // with --trace
  std::string Describe(ShardId shard);
  MachineId AnyHealed();

  Cluster& cluster_;
  World& world_;
  Faults& faults_;
  Random random_;
  std::set<MachineId> broken_;
  std::string how_;  // for reports
};

}  // namespace decree::sim
