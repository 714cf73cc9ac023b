#include "tests/sim/operator.h"

#include <algorithm>
#include <set>
#include <utility>

namespace decree::sim {
namespace {

namespace json = boost::json;

constexpr Nanos kLookAgain = 500 * kMillis;
constexpr Nanos kLongestLook = 5 * kSeconds;  // at a plan, before it is run

std::uint64_t Number(const json::value& object, const char* name) {
  const json::value& value = object.at(name);
  return value.is_null() ? 0 : value.to_number<std::uint64_t>();
}

std::string Text(const json::value& object, const char* name) {
  return std::string(object.at(name).as_string());
}

template <class T>
const T& Pick(Random& random, const std::vector<T>& items) {
  return items[random.Below(items.size())];
}

using Place = std::pair<std::uint64_t, std::uint64_t>;  // node, disk

std::vector<Place> OpenPlaces(const json::value& nodes) {
  std::vector<Place> places;
  for (const json::value& node : nodes.at("nodes").as_array()) {
    if (Text(node, "state") != "up") continue;
    for (const json::value& disk : node.at("disks").as_array()) {
      if (Text(disk, "state") == "ok") places.emplace_back(Number(node, "id"), Number(disk, "id"));
    }
  }
  return places;
}

std::string StateOf(const json::value& nodes, std::uint64_t id) {
  for (const json::value& node : nodes.at("nodes").as_array()) {
    if (Number(node, "id") == id) return Text(node, "state");
  }
  return "unknown";
}

std::size_t CountUp(const json::value& nodes) {
  const json::array& list = nodes.at("nodes").as_array();
  return static_cast<std::size_t>(
      std::count_if(list.begin(), list.end(),
                    [](const json::value& node) { return Text(node, "state") == "up"; }));
}

}  // namespace

std::vector<PossibleMove> PossibleMoves(const json::value& nodes, const json::value& shards,
                                        bool disk_to_disk) {
  std::vector<PossibleMove> moves;
  const std::vector<Place> open = OpenPlaces(nodes);
  for (const json::value& shard : shards.at("shards").as_array()) {
    std::vector<Place> held;
    std::set<std::uint64_t> holders;
    bool moving = false;
    for (const json::value& replica : shard.at("replicas").as_array()) {
      moving |= Text(replica, "role") == "learner";
      held.emplace_back(Number(replica, "node"), Number(replica, "disk"));
      holders.insert(held.back().first);
    }
    if (moving) continue;
    for (const Place& from : held) {
      for (const Place& to : open) {
        const bool within = to.first == from.first;
        const bool fits = disk_to_disk ? within && to != from : !holders.contains(to.first);
        if (fits)
          moves.push_back({Number(shard, "id"), from.first, to.first, from.second, to.second});
      }
    }
  }
  return moves;
}

Operator::Operator(Cluster& cluster, Counts& counts)
    : cluster_(cluster), world_(cluster.world()), counts_(counts) {}

void Operator::Get(MachineId door, const std::string& target, OnJson done) {
  if (!cluster_.node(door).started()) return;
  cluster_.StartAdmin(door, {"GET", target, ""}, [done = std::move(done)](AdminResponse response) {
    if (response.status == 200) done(json::parse(response.body));
  });
}

void Operator::Ask(MachineId door, const std::string& name, AdminRequest request,
                   std::function<void(const AdminResponse&)> done) {
  if (!cluster_.node(door).started()) return;
  cluster_.StartAdmin(door, std::move(request),
                      [this, name, done = std::move(done)](const AdminResponse& response) {
                        ++counts_[name + "_" + std::to_string(response.status)];
                        if (done) done(response);
                      });
}

void Operator::RunPlan(MachineId door, Random random) {
  const auto wait = static_cast<Nanos>(random.Below(std::uint64_t{kLongestLook}));
  Ask(door, "plan", {"POST", "/v1/admin/plan", ""}, [=, this](const AdminResponse& response) {
    if (response.status != 200) return;
    const std::uint64_t plan = Number(json::parse(response.body), "id");
    world_.After(wait, [this, plan] {
      const auto other = cluster_.AnyUp();
      const std::string target = "/v1/admin/plan/" + std::to_string(plan) + ":execute";
      if (other) Ask(*other, "plan_execute", {"POST", target, ""}, {});
    });
  });
}

void Operator::Move(MachineId door, Random random, bool disk_to_disk) {
  Random apart(random.state() ^ 0x706c616e);
  if (apart.Chance(0.1)) return RunPlan(door, apart);
  Get(door, "/v1/admin/nodes", [=, this](const json::value& nodes) {
    Get(door, "/v1/admin/shards", [=, this](const json::value& shards) {
      const std::vector<PossibleMove> moves = PossibleMoves(nodes, shards, disk_to_disk);
      if (moves.empty()) return;
      Random dice = random;
      const PossibleMove& move = Pick(dice, moves);
      json::object body{{"shard", move.shard}, {"from", move.from}, {"to", move.to}};
      // Half of the time the node chooses the disk.
      if (disk_to_disk || dice.Chance(0.5)) {
        body["from_disk"] = move.from_disk;
        body["to_disk"] = move.to_disk;
      }
      Ask(door, disk_to_disk ? "disk_move" : "move",
          {"POST", "/v1/admin/moves", json::serialize(body)});
    });
  });
}

void Operator::Transfer(MachineId door, Random random) {
  Get(door, "/v1/admin/shards", [=, this](const json::value& shards) {
    Random dice = random;
    const json::array& list = shards.at("shards").as_array();
    const json::value& shard = list[dice.Below(list.size())];
    const json::array& replicas = shard.at("replicas").as_array();
    if (replicas.empty()) return;
    const std::uint64_t to = Number(replicas[dice.Below(replicas.size())], "node");
    Ask(door, "transfer",
        {"POST", "/v1/admin/shards/" + std::to_string(Number(shard, "id")) + ":transfer-leader",
         json::serialize(json::object{{"to", to}})});
  });
}

void Operator::WithSomeMove(MachineId door, Random random,
                            std::function<void(const std::string&)> then) {
  Get(door, "/v1/admin/moves", [=](const json::value& moves) {
    std::vector<std::uint64_t> active;
    for (const json::value& move : moves.at("moves").as_array()) {
      const std::string stage = Text(move, "stage");
      if (stage != "done" && stage != "rolled_back") active.push_back(Number(move, "id"));
    }
    Random dice = random;
    if (!active.empty()) then("/v1/admin/moves/" + std::to_string(Pick(dice, active)));
  });
}

void Operator::Cancel(MachineId door, Random random) {
  WithSomeMove(door, random, [=, this](const std::string& move) {
    Ask(door, "cancel", {"DELETE", move, ""});
  });
}

// Whatever the pause is answered, it may have been heard.
void Operator::Rest(MachineId door, Random random, Nanos patience) {
  WithSomeMove(door, random, [=, this](const std::string& move) {
    Ask(door, "rest", {"POST", move + ":pause", ""});
    resting_.insert(move);
    world_.After(patience, [this, move] { Resume(move); });
  });
}

void Operator::Resume(const std::string& move) {
  if (!resting_.contains(move)) return;
  world_.After(kLookAgain, [this, move] { Resume(move); });
  const auto door = cluster_.AnyUp();
  if (!door) return;
  Ask(*door, "resume", {"POST", move + ":resume", ""}, [this, move](const AdminResponse& answer) {
    const bool ended = answer.status == 404 || answer.status == 409;
    if (ended || answer.status == 200) resting_.erase(move);
  });
}

void Operator::ChangeSettings(MachineId door, Random random) {
  json::object body;
  const auto patch = [&](const char* name, json::value value) {
    if (random.Chance(0.3)) body[name] = std::move(value);
  };
  patch("rebalance", random.Chance(0.5) ? "on" : "off");
  patch("repair", random.Chance(0.8) ? "on" : "off");
  patch("drain", random.Chance(0.8) ? "on" : "off");
  patch("threshold_percent", random.Between(1, 50));
  patch("move_rate_bytes_per_s", std::uint64_t{1024} << random.Below(20));
  patch("moves_per_disk", random.Between(1, 4));
  patch("dead_node_delay_s", random.Between(2, 20));
  patch("switch_wait_ms", random.Between(50, 2'000));
  patch("move_stall_s", random.Between(1, 20));
  // Three copies at least: faults count on a majority that is spared.
  if (cluster_.options().replicas >= 3) patch("replicas", random.Chance(0.5) ? 3 : 5);
  Ask(door, "settings", {"PATCH", "/v1/admin/settings", json::serialize(body)});
  Random apart(random.state() ^ 0x636f7079);
  if (!body.contains("replicas") || !apart.Chance(0.5)) return;
  // Changes of mind, while the moves for the first are being asked for.
  for (int times = 0; times < 3; ++times) {
    const json::object again{{"replicas", apart.Chance(0.5) ? 3 : 5}};
    world_.After(apart.Below(1'000) * kMillis, [=, this] {
      Ask(door, "settings", {"PATCH", "/v1/admin/settings", json::serialize(again)});
    });
  }
}

void Operator::AskNode(MachineId door, std::uint64_t node, const std::string& action) {
  Ask(door, action, {"POST", "/v1/admin/nodes/" + std::to_string(node) + ":" + action, ""});
}

void Operator::Drain(MachineId door, MachineId machine, Random random, Nanos patience) {
  const bool remove = random.Chance(0.5);
  if (!cluster_.node(machine).started()) return;
  const std::uint64_t node = cluster_.node(machine).core().id().value;
  if (random.Chance(0.25)) {  // of its leaderships, and for a while
    const json::object body{{"for_s", random.Between(1, 10)}};
    const std::string target = "/v1/admin/nodes/" + std::to_string(node) + ":drain";
    return Ask(door, "maintain", {"POST", target, json::serialize(body)});
  }
  AskNode(door, node, "drain");
  if (remove) return RemoveWhenDrained(node, world_.now() + 10 * patience);
  world_.After(patience, [this, node] {
    if (const auto other = cluster_.AnyUp()) AskNode(*other, node, "undrain");
  });
}

void Operator::RemoveWhenDrained(std::uint64_t node, Nanos deadline) {
  // One that was lost meanwhile is buried: two who change their minds about it would never end.
  if (world_.now() > deadline || to_bury_.contains(NodeId{static_cast<std::uint32_t>(node)}))
    return;
  world_.After(kLookAgain, [this, node, deadline] { RemoveWhenDrained(node, deadline); });
  const auto door = cluster_.AnyUp();
  if (!door) return;
  Get(*door, "/v1/admin/nodes", [this, node, door = *door](const json::value& nodes) {
    const bool enough = to_bury_.empty() && CountUp(nodes) >= 3;
    if (StateOf(nodes, node) == "drained") AskNode(door, node, enough ? "remove" : "undrain");
    OnNodes(nodes);
  });
}

void Operator::Bury(NodeId node) {
  to_bury_.insert(node);
  world_.After(kLookAgain, [this, node] {
    if (to_bury_.contains(node)) Bury(node);
  });
  const auto door = cluster_.AnyUp();
  if (!door) return;
  Get(*door, "/v1/admin/nodes", [this, node](const json::value& nodes) { BuryStep(node, nodes); });
}

void Operator::BuryStep(NodeId node, const json::value& nodes) {
  const auto door = cluster_.AnyUp();
  const std::string state = StateOf(nodes, node.value);
  if (state == "removed") to_bury_.erase(node);
  if (!door || state == "removed" || state == "draining") return;
  AskNode(*door, node.value, state == "drained" ? "remove" : "drain");
}

void Operator::OnNodes(const json::value& nodes) {
  for (const json::value& node : nodes.at("nodes").as_array()) {
    const MachineId machine = MachineAt(Text(node, "rpc"));
    if (Text(node, "state") != "removed" || machine == 0 || machine > cluster_.size()) continue;
    Machine& there = cluster_.node(machine);
    const bool same = there.up() && there.core().id().value == Number(node, "id");
    if (same && !there.retired()) there.Retire();
  }
}

std::optional<json::value> Operator::Insist(const std::string& method, const std::string& target,
                                            const std::string& body, Nanos deadline) {
  while (world_.now() < deadline) {
    if (const auto door = cluster_.AnyUp()) {
      const auto answer = cluster_.Admin(*door, method, target, body);
      // A conflict: it is so already, or the thing has ended.
      if (answer && answer->status / 100 == 2) return json::parse(answer->body);
      if (answer && (answer->status == 409 || answer->status == 404)) return std::nullopt;
    }
    world_.RunFor(200 * kMillis);
  }
  world_.Fail("no node answers the operator's " + method + " " + target);
  return std::nullopt;
}

void Operator::SettleDown(Nanos at_most) {
  const Nanos deadline = world_.now() + at_most;
  const std::string defaults =
      R"({"replicas":)" + std::to_string(cluster_.options().replicas) +
      R"(,"rebalance":"on","repair":"on","drain":"on","moves_per_disk":2,)"
      R"("move_rate_bytes_per_s":67108864,"switch_wait_ms":200,"move_stall_s":10,)"
      R"("dead_node_delay_s":5})";
  Insist("PATCH", "/v1/admin/settings", defaults, deadline);
  const auto nodes = Insist("GET", "/v1/admin/nodes", "", deadline);
  if (!nodes) return;
  OnNodes(*nodes);
  // First the living come back, so that there is room for what the dead held.
  for (const json::value& node : nodes->at("nodes").as_array()) {
    const NodeId id{static_cast<std::uint32_t>(Number(node, "id"))};
    if (to_bury_.contains(id) || !Text(node, "state").starts_with("drain")) continue;
    Insist("POST", "/v1/admin/nodes/" + ToString(id) + ":undrain", "", deadline);
  }
  if (!world_.RunUntil([this] { return resting_.empty(); }, at_most)) {
    world_.Fail("a paused move cannot be resumed");
  }
  // A pause that was given up may have been heard after it was taken back.
  for (const MoveId move : cluster_.network().core_checker().placement().Paused()) {
    Insist("POST", "/v1/admin/moves/" + ToString(move) + ":resume", "", deadline);
  }
  // A shard rests for up to 64 s after moves that were rolled back, and only then is repaired.
  if (!world_.RunUntil([this] { return to_bury_.empty(); }, at_most + 64 * kSeconds)) {
    world_.Fail("node " + ToString(*to_bury_.begin()) + " is lost and cannot be removed");
  }
}

}  // namespace decree::sim
