#include "tests/sim/final_checks.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace decree::sim {
namespace {

using Statuses = std::map<MachineId, rebalance::ReplicaStatus>;

void CheckEveryShardTakesAWrite(Cluster& cluster, Nanos at_most) {
  World& world = cluster.world();
  for (std::uint32_t shard = 0; shard < cluster.options().shards; ++shard) {
    const std::vector<MachineId> members = cluster.Members();
    const MachineId at = members[shard % members.size()];
    const Nanos before = world.now();
    OperationResult result;
    do {
      result = cluster.Put(at, cluster.KeyOf(ShardId{shard}, "alive"), "yes", Duration(at_most));
    } while (result.code != Errc::kOk && world.now() < before + at_most);
    if (result.code == Errc::kOk) continue;
    world.Fail("shard " + std::to_string(shard) + " takes no write at node " + std::to_string(at) +
               ": " + std::string(ErrcName(result.code)) + " " + result.detail);
  }
}

void ReadEverywhere(Cluster& cluster, History& history, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    for (const MachineId at : cluster.Members()) {
      Operation get;
      get.key = key;
      get.timeout = 5s;
      const std::uint64_t handle = history.Called(get, "final@n" + std::to_string(at));
      const OperationResult result = cluster.Do(at, get);
      history.Answered(handle, result);
      if (result.code == Errc::kOk || result.code == Errc::kNotFound) continue;
      cluster.world().Fail("node " + std::to_string(at) + " cannot read " + key + ": " +
                           std::string(ErrcName(result.code)) + " " + result.detail);
    }
  }
}

Statuses StatusesOf(Cluster& cluster, ShardId shard) {
  Statuses statuses;
  for (const MachineId at : cluster.Members()) {
    const auto status = cluster.Status(at, shard);
    if (status && status->exists) statuses[at] = *status;
  }
  return statuses;
}

const consensus::Config* LeaderConfig(const Statuses& statuses) {
  for (const auto& [at, status] : statuses) {
    if (status.leader) return &status.config;
  }
  return nullptr;
}

// The digests at the highest slot that all members have digested, above `after`; empty: none yet.
std::map<MachineId, std::string> CommonDigests(const Statuses& statuses, Slot after) {
  std::map<Slot, std::map<MachineId, std::string>> by_slot;
  for (const auto& [at, status] : statuses) {
    for (const auto& digest : status.digests) by_slot[digest.slot][at] = digest.digest;
  }
  const consensus::Config* config = LeaderConfig(statuses);
  if (!config) return {};
  const std::size_t members = config->voters.size() + config->learners.size();
  for (auto it = by_slot.rbegin(); it != by_slot.rend() && it->first > after; ++it) {
    if (it->second.size() >= members) return it->second;
  }
  return {};
}

// What a reader of a failure needs: who holds the shard and how far each got.
std::string Describe(const Statuses& statuses) {
  std::string text;
  for (const auto& [at, status] : statuses) {
    text += "; node " + std::to_string(at) + (status.leader ? " leads" : "") + " epoch " +
            ToString(status.config.epoch) + " chosen " + ToString(status.chosen) + " applied " +
            ToString(status.applied) + " digests";
    for (const auto& digest : status.digests) text += " " + ToString(digest.slot);
    text += " of " + std::to_string(status.config.voters.size()) + "+" +
            std::to_string(status.config.learners.size());
  }
  return text;
}

bool WriteMark(Cluster& cluster, ShardId shard, const std::string& name) {
  Operation mark;
  mark.kind = OperationKind::kMark;
  mark.shard = shard;
  mark.timeout = 5s;
  const auto result = cluster.Do(cluster.Members().front(), mark);
  if (result.code == Errc::kOk) return true;
  cluster.world().Fail(name + " takes no mark: " + std::string(ErrcName(result.code)));
  return false;
}

void CheckDigestsOf(Cluster& cluster, ShardId shard, Nanos at_most) {
  World& world = cluster.world();
  Slot before;
  for (const auto& [at, status] : StatusesOf(cluster, shard)) {
    before = std::max(before, status.applied);
  }
  const std::string name = "shard " + std::to_string(shard.value);
  const Nanos end = world.now() + at_most;
  std::map<MachineId, std::string> digests;
  // A replica that got the marked slot inside a snapshot never applied it: another mark follows.
  while (digests.empty() && world.now() < end) {
    if (!WriteMark(cluster, shard, name)) return;
    const Nanos patience = std::min<Nanos>(end, world.now() + 2 * kSeconds);
    while (digests.empty() && world.now() < patience) {
      world.RunFor(20 * kMillis);
      digests = CommonDigests(StatusesOf(cluster, shard), before);
    }
  }
  if (digests.empty()) {
    return world.Fail(name + ": not all replicas digest the mark" +
                      Describe(StatusesOf(cluster, shard)));
  }
  for (const auto& [at, digest] : digests) {
    if (digest == digests.begin()->second) continue;
    world.Fail(name + ": the rows of nodes " + std::to_string(digests.begin()->first) + " and " +
               std::to_string(at) + " differ at one slot");
  }
}

// What the map says, not what the product counts: each shard has its votes, on different nodes, and
// no copy too many. Empty if all is so.
std::string Misplaced(Cluster& cluster) {
  const auto answer = cluster.Admin(cluster.Members().front(), "GET", "/v1/admin/shards");
  if (!answer || answer->status != 200) return "no node lists the shards";
  const std::size_t nodes = cluster.Members().size();
  const std::size_t copies = std::min<std::size_t>(cluster.options().replicas, nodes);
  const std::size_t votes = copies % 2 == 0 ? copies - 1 : copies;
  const boost::json::value listed = boost::json::parse(answer->body);
  for (const auto& shard : listed.at("shards").as_array()) {
    std::set<std::int64_t> places;
    std::size_t voters = 0;
    for (const auto& replica : shard.at("replicas").as_array()) {
      places.insert(replica.at("node").to_number<std::int64_t>());
      voters += replica.at("role").as_string() == "voter";
    }
    const bool apart = places.size() == shard.at("replicas").as_array().size();
    const bool enough = voters >= votes && shard.at("replicas").as_array().size() <= copies;
    if (!enough || !apart) return "at rest a shard is placed so: " + boost::json::serialize(shard);
  }
  return {};
}

void CheckCopies(Cluster& cluster, Nanos at_most) {
  World& world = cluster.world();
  const Nanos end = world.now() + at_most;
  std::string misplaced = Misplaced(cluster);
  while (!misplaced.empty() && world.now() < end) {
    world.RunFor(500 * kMillis);
    misplaced = Misplaced(cluster);
  }
  if (!misplaced.empty()) world.Fail(misplaced);
}

// What lies on a disk that its node has given up stays there.
std::set<MachineId> WithFailedDisks(Cluster& cluster) {
  std::set<MachineId> machines;
  const auto answer = cluster.Admin(cluster.Members().front(), "GET", "/v1/admin/nodes");
  if (!answer || answer->status != 200) return machines;
  const boost::json::value listed = boost::json::parse(answer->body);
  for (const auto& node : listed.at("nodes").as_array()) {
    for (const auto& disk : node.at("disks").as_array()) {
      if (disk.at("state").as_string() == "ok") continue;
      machines.insert(MachineAt(std::string(node.at("rpc").as_string())));
    }
  }
  return machines;
}

// Rows of a replica that no map names. They go when their node has reported them.
std::string Orphans(Cluster& cluster, const std::set<MachineId>& excused) {
  std::string found;
  for (const MachineId at : cluster.Members()) {
    if (excused.contains(at)) continue;
    Machine& machine = cluster.node(at);
    for (std::size_t i = 0; i < machine.disks(); ++i) {
      if (!machine.disk(i).works()) continue;
      const auto rows = machine.open_disk(i).ListRows();
      if (!rows) continue;
      for (const ReplicaKey& key : *rows) {
        const auto& config = cluster.network().core_checker().LatestConfig(key.shard);
        if (!config.Find(key.replica))
          found += " " + ToString(key) + " on node " + std::to_string(at);
      }
    }
  }
  return found;
}

void CheckNothingIsLeft(Cluster& cluster, Nanos at_most) {
  const std::set<MachineId> excused = WithFailedDisks(cluster);
  if (cluster.world().RunUntil([&] { return Orphans(cluster, excused).empty(); }, at_most)) return;
  cluster.world().Fail("at rest there are rows that nobody owns:" + Orphans(cluster, excused));
}

}  // namespace

void CheckDigests(Cluster& cluster, Nanos at_most) {
  for (std::uint32_t shard = 0; shard < cluster.options().shards; ++shard) {
    CheckDigestsOf(cluster, ShardId{shard}, at_most);
  }
}

void CheckAtRest(Cluster& cluster, History& history, const std::vector<std::string>& keys,
                 const FinalOptions& options) {
  World& world = cluster.world();
  if (!cluster.WaitReady(options.ready)) {
    std::string who;
    for (const MachineId id : cluster.Members()) {
      Machine& machine = cluster.node(id);
      if (!machine.started() || !machine.core().ready()) who += " " + std::to_string(id);
    }
    return world.Fail("after everything was mended these nodes do not serve:" + who);
  }
  CheckEveryShardTakesAWrite(cluster, options.write);
  std::string problem;
  if (!cluster.WaitSettled(options.settle, &problem)) {
    world.Fail("the cluster does not come to rest: " + problem);
  }
  CheckCopies(cluster, options.settle);
  CheckNothingIsLeft(cluster, options.settle);
  ReadEverywhere(cluster, history, keys);
  history.Check();
  CheckDigests(cluster, options.digests);
}

}  // namespace decree::sim
