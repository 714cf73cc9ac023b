// Nodes and disks: how they come, change and go.
#include <algorithm>

#include "kv/base/mark.h"
#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

bool IsPowerOfTwo(std::uint32_t n) { return n != 0 && (n & (n - 1)) == 0; }

const DiskRecord* FindDisk(const NodeRecord& node, Incarnation disk) {
  for (const DiskRecord& record : node.disks) {
    if (record.incarnation == disk) return &record;
  }
  return nullptr;
}

bool SharesDisk(const NodeRecord& a, const NodeRecord& b) {
  return std::any_of(a.disks.begin(), a.disks.end(),
                     [&](const DiskRecord& disk) { return FindDisk(b, disk.incarnation); });
}

// Disks keep their place, since their index is their id. New ones are added; one that is not told
// of any more is failed, never silently fresh.
std::vector<DiskRecord> MergeDisks(const NodeRecord& known, const NodeRecord& told, WallMs now) {
  std::vector<DiskRecord> disks = known.disks;
  for (DiskRecord& disk : disks) {
    if (const DiskRecord* said = FindDisk(told, disk.incarnation)) {
      disk = *said;
      disk.missing_since_ms = 0;
    } else if (disk.state == DiskState::kOk) {
      disk.state = DiskState::kFailed;
      disk.missing_since_ms = std::max<WallMs>(now, 1);
    }
  }
  for (const DiskRecord& disk : told.disks) {
    if (!FindDisk(known, disk.incarnation)) disks.push_back(disk);
  }
  return disks;
}

}  // namespace

Incarnation BootstrapDisk(const NodeRecord& first, ShardId shard) {
  if (shard == kPlacementShard) return first.disks.front().incarnation;
  return first.disks[shard.value % first.disks.size()].incarnation;
}

CommandResult PlacementState::On(const Bootstrap& change, const Moment& now) {
  if (bootstrapped()) {
    const bool again =
        change.cluster == cluster_ && SharesDisk(nodes_.begin()->second, change.first);
    if (again) return Accept(nodes_.begin()->first.value, "done before");
    return Refuse(Errc::kConflict, "the cluster exists already");
  }
  if (!change.cluster || change.first.disks.empty()) {
    return Refuse(Errc::kInvalidArgument, "a cluster needs an id and a first disk");
  }
  if (!IsPowerOfTwo(change.shards) || change.shards > 4096) {
    return Refuse(Errc::kInvalidArgument, "the number of shards must be a power of two up to 4096");
  }
  if (change.replicas < 1 || change.replicas > 5) {
    return Refuse(Errc::kInvalidArgument, "replicas must be 1 to 5");
  }
  cluster_ = change.cluster;
  settings_.replicas = change.replicas;
  AddNode(change.first, now);
  const auto first_record = [&](ShardId shard) {
    ShardRecord record;
    record.entry.epoch = Epoch{1};
    record.entry.replicas = {{ReplicaId{1}, NodeId{1}, BootstrapDisk(change.first, shard), true}};
    record.last_replica = ReplicaId{1};
    TouchShard(shard);
    return record;
  };
  for (std::uint32_t i = 0; i < change.shards; ++i) shards_.push_back(first_record(ShardId{i}));
  placement_ = first_record(kPlacementShard);
  return Accept(1);
}

NodeRecord* PlacementState::FindRegistered(const NodeRecord& told) {
  if (told.id) {
    const auto found = nodes_.find(told.id);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  for (auto& [id, node] : nodes_) {
    if (FindDisk(node, told.disks.front().incarnation)) return &node;
  }
  return nullptr;
}

CommandResult PlacementState::On(const RegisterNode& change, const Moment& now) {
  if (change.node.disks.empty() || !change.node.disks.front().incarnation) {
    return Refuse(Errc::kInvalidArgument, "a node needs a disk with an incarnation");
  }
  NodeRecord* known = FindRegistered(change.node);
  if (!known && change.node.id) {
    return Refuse(Errc::kImpossible, "no node " + ToString(change.node.id) + " in this cluster");
  }
  return known ? UpdateNode(*known, change.node, now) : AddNode(change.node, now);
}

CommandResult PlacementState::AddNode(const NodeRecord& node, const Moment& now) {
  const NodeId id = nodes_.empty() ? NodeId{1} : nodes_.rbegin()->first.Next();
  NodeRecord& record = nodes_[id];
  record = node;
  record.id = id;
  record.state = NodeState::kUp;
  record.dead_since_ms = 0;
  if (record.name.empty()) record.name = "node-" + ToString(id);
  TouchNode(id);
  TouchMap(now);
  return Accept(id.value);
}

CommandResult PlacementState::UpdateNode(NodeRecord& known, const NodeRecord& told,
                                         const Moment& now) {
  const std::string name = "node " + ToString(known.id);
  if (!SharesDisk(known, told)) {
    return Refuse(Errc::kImpossible, name + " is known by other disks: a wiped node joins as new");
  }
  if (known.state == NodeState::kRemoved) {
    return Refuse(Errc::kImpossible, name + " was removed from this cluster");
  }
  NodeRecord next = told;
  next.id = known.id;
  next.disks = MergeDisks(known, told, now.time_ms);
  next.state = known.state == NodeState::kDead ? NodeState::kUp : known.state;
  next.dead_since_ms = 0;
  next.maintained_until_ms = known.maintained_until_ms;
  if (next.name.empty()) next.name = known.name;
  if (known.dead()) SOMETIMES(placement_dead_node_came_back);
  if (Encode(next) == Encode(known)) return Accept(known.id.value, "nothing new");
  const bool moved = next.rpc != known.rpc || next.http != known.http;
  known = std::move(next);
  TouchNode(known.id);
  if (moved) TouchMap(now);
  return Accept(known.id.value);
}

std::string PlacementState::WhyGone(const ReplicaPlace& place) const {
  const std::string name = "node " + ToString(place.node);
  const NodeRecord* node = Node(place.node);
  if (!node || node->state == NodeState::kRemoved) return name + " was removed";
  if (node->dead()) return name + " is dead";
  const DiskRecord* disk = FindDisk(*node, place.disk);
  if (!disk) return name + " has no such disk any more";
  if (disk->missing_since_ms) return "disk " + disk->path + " of " + name + " is missing";
  if (disk->state == DiskState::kFailed)
    return "disk " + disk->path + " of " + name + " has failed";
  return {};
}

bool PlacementState::HoldsReplicas(NodeId id) const {
  const auto here = [id](const ShardRecord& shard) {
    const auto& replicas = shard.entry.replicas;
    return std::any_of(replicas.begin(), replicas.end(),
                       [id](const ReplicaPlace& place) { return place.node == id; });
  };
  if (here(placement_) || std::any_of(shards_.begin(), shards_.end(), here)) return true;
  const auto moving = [&](MoveId move) {
    return moves_.at(move).target.node == id || moves_.at(move).source.node == id;
  };
  return std::any_of(active_.begin(), active_.end(), moving);
}

std::size_t PlacementState::CopiesOf(const ShardRecord& shard) const {
  const std::size_t published = shard.entry.replicas.size();
  const MoveRecord* move = Move(shard.active_move);
  if (!move || move->source.replica) return published;
  const auto& replicas = shard.entry.replicas;
  const bool there = std::any_of(replicas.begin(), replicas.end(), [&](const ReplicaPlace& place) {
    return place.replica == move->target.replica;
  });
  return there ? published : published + 1;
}

// Every copy of a shard needs a node of its own: those that stay must be as many as its copies, but
// for those that are too many anyway.
std::string PlacementState::DrainProblem(NodeId id) const {
  const auto stays = [id](const auto& item) {
    const auto& disks = item.second.disks;
    return item.first != id && item.second.state == NodeState::kUp &&
           std::any_of(disks.begin(), disks.end(),
                       [](const DiskRecord& disk) { return disk.state == DiskState::kOk; });
  };
  const auto left = static_cast<std::size_t>(std::count_if(nodes_.begin(), nodes_.end(), stays));
  const auto problem = [&](const std::string& name, ShardId shard_id) -> std::string {
    const ShardRecord& shard = *Shard(shard_id);
    const auto& replicas = shard.entry.replicas;
    const bool here = std::any_of(replicas.begin(), replicas.end(),
                                  [id](const ReplicaPlace& place) { return place.node == id; });
    const std::size_t stay =
        std::min<std::size_t>(CopiesOf(shard), WantedCopies(settings_, shard_id));
    if (!here || stay <= left) return {};
    return name + " has " + std::to_string(stay) + " copies, and " + std::to_string(left) +
           " other nodes are up and stay";
  };
  std::string first = problem("the placement group", kPlacementShard);
  for (std::uint32_t i = 0; i < shards_.size() && first.empty(); ++i) {
    first = problem("shard " + std::to_string(i), ShardId{i});
  }
  return first;
}

// Death and drain are two facts: a drain of a dead node goes on, its copies replaced elsewhere.
CommandResult PlacementState::DeclareDead(NodeRecord& node, const Moment& now) {
  if (node.dead()) return Accept(0, "it was so already");
  SOMETIMES(placement_node_dead);
  if (node.state == NodeState::kUp) node.state = NodeState::kDead;
  node.dead_since_ms = std::max<WallMs>(now.time_ms, 1);
  TouchNode(node.id);
  return Accept();
}

CommandResult PlacementState::On(const SetNodeState& change, const Moment& now) {
  const auto found = nodes_.find(change.node);
  const std::string name = "node " + ToString(change.node);
  if (found == nodes_.end()) return Refuse(Errc::kNotFound, "no " + name);
  NodeRecord& node = found->second;
  if (node.state == change.state) return Accept(0, "it was so already");
  if (node.state == NodeState::kRemoved) return Refuse(Errc::kImpossible, name + " was removed");
  NodeState next = change.state;
  switch (change.state) {
    case NodeState::kUp:  // only its own report wakes a dead node
      if (node.dead()) next = NodeState::kDead;
      break;
    case NodeState::kDead:
      return DeclareDead(node, now);
    case NodeState::kDraining: {
      if (node.state == NodeState::kDrained) return Accept(0, "it is drained already");
      const std::string problem = DrainProblem(change.node);
      if (!problem.empty()) return Refuse(Errc::kImpossible, problem);
      break;
    }
    case NodeState::kDrained:
      if (node.state != NodeState::kDraining)
        return Refuse(Errc::kConflict, name + " is not draining");
      [[fallthrough]];
    case NodeState::kRemoved:
      if (HoldsReplicas(change.node)) {
        return Refuse(Errc::kImpossible, name + " still holds replicas: drain it first");
      }
      break;
  }
  node.state = next;
  TouchNode(change.node);
  if (change.state == NodeState::kRemoved) TouchMap(now);
  return Accept();
}

CommandResult PlacementState::On(const Maintain& change, const Moment& now) {
  const auto found = nodes_.find(change.node);
  const std::string name = "node " + ToString(change.node);
  if (found == nodes_.end()) return Refuse(Errc::kNotFound, "no " + name);
  NodeRecord& node = found->second;
  if (node.state == NodeState::kRemoved) return Refuse(Errc::kImpossible, name + " was removed");
  if (change.for_ms > kLongestMaintenanceMs) {
    return Refuse(Errc::kInvalidArgument, "maintenance lasts a day at most");
  }
  const bool drains = node.state == NodeState::kDraining || node.state == NodeState::kDrained;
  if (drains) return Refuse(Errc::kConflict, name + " is being drained");
  node.maintained_until_ms = change.for_ms == 0 ? 0 : now.time_ms + change.for_ms;
  TouchNode(change.node);
  return Accept();
}

}  // namespace decree::rebalance
