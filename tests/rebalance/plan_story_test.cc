// Stories of whole clusters, drawn by RapidCheck and shortened by it when one fails: nodes come,
// are drained, taken back or lost, shards grow and shrink, and after each of these the planner runs
// to its end. ctest runs the stories of one seed; by hand each run draws others, and prints how to
// have them again.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "rebalance/move_members.h"
#include "rebalance/plan_sim.h"

namespace decree::rebalance {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

enum class Kind { kAdd, kDrain, kUndrain, kKill, kResize };

struct Event {
  Kind kind = Kind::kAdd;
  std::uint32_t which = 0;  // of the nodes or shards there are
  std::uint32_t size = 0;   // disks of a node, MiB of a shard
};

std::ostream& operator<<(std::ostream& out, const Event& event) {
  constexpr const char* kNames[] = {"add", "drain", "undrain", "kill", "resize"};
  return out << kNames[static_cast<int>(event.kind)] << ' ' << event.which << ' ' << event.size;
}

struct Story {
  std::uint32_t replicas = 1;
  std::uint32_t zones = 0;
  std::uint64_t disk_bytes = 0;
  std::vector<std::uint32_t> shards;  // MiB of each
  std::vector<Event> events;
};

std::ostream& operator<<(std::ostream& out, const Story& story) {
  out << story.replicas << " copies, " << story.zones << " zones, disks of "
      << story.disk_bytes / kMiB << " MiB, shards of";
  for (const std::uint32_t size : story.shards) out << ' ' << size;
  out << " MiB; ";
  for (const Event& event : story.events) out << event << "; ";
  return out;
}

// From the whole range from the first, short, story on.
template <class Number>
rc::Gen<Number> Below(Number end) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<Number>(0, end));
}

rc::Gen<Event> AnyEvent() {
  const auto kind = rc::gen::weightedElement<Kind>({{5, Kind::kAdd},
                                                    {2, Kind::kDrain},
                                                    {1, Kind::kUndrain},
                                                    {1, Kind::kKill},
                                                    {2, Kind::kResize}});
  return rc::gen::build<Event>(rc::gen::set(&Event::kind, kind),
                               rc::gen::set(&Event::which, Below<std::uint32_t>(64)),
                               rc::gen::set(&Event::size, Below<std::uint32_t>(1000)));
}

rc::Gen<Story> AnyStory(rc::Gen<std::uint64_t> disk_bytes) {
  // Long stories show little more, and take very long to shorten.
  constexpr int kLongest = 20;
  const auto sizes =
      rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint32_t>>(Below<std::uint32_t>(1000)));
  return rc::gen::resize(
      kLongest,
      rc::gen::build<Story>(
          rc::gen::set(&Story::replicas,
                       rc::gen::map(Below<std::uint32_t>(5), [](auto n) { return n + 1; })),
          rc::gen::set(&Story::zones, Below<std::uint32_t>(4)),
          rc::gen::set(&Story::disk_bytes, std::move(disk_bytes)),
          rc::gen::set(&Story::shards, sizes),
          rc::gen::set(&Story::events, rc::gen::container<std::vector<Event>>(AnyEvent()))));
}

class Telling {
 public:
  Telling(const Story& story, bool enough_room)
      : story_(story), enough_room_(enough_room), sim_(Begin(story)) {
    Settle();
  }

  void Happen(const Event& event) {
    const NodeId node{1 + event.which % static_cast<std::uint32_t>(sim_.state().nodes().size())};
    const ShardId shard{event.which % static_cast<std::uint32_t>(story_.shards.size())};
    switch (event.kind) {
      case Kind::kAdd:
        RC_ASSERT(bool(sim_.AddNode(Shape(event.which, 1 + event.size % 3))));
        break;
      case Kind::kDrain:  // may be refused, and says why
        (void)sim_.SetDraining(node, true);
        break;
      case Kind::kUndrain:
        (void)sim_.SetDraining(node, false);
        break;
      case Kind::kKill:
        RC_ASSERT(bool(sim_.Kill(node)));
        break;
      case Kind::kResize:
        RC_ASSERT(bool(sim_.Resize(shard, {event.size * kMiB, 1})));
        break;
    }
    Settle();
  }

  // What holds of every plan, whatever room there is.
  void Settle() {
    const auto before = BytesOfDisks();
    const SettleReport report = sim_.Settle();
    RC_ASSERT(report.settled);
    if (enough_room_) CheckNoReturn(report);
    CheckPlaces();
    CheckRoom(report, before);
  }

  // What holds where all has room: whoever can be reached has its copies, none where it must not
  // be.
  void CheckWhole() const {
    std::size_t able = 0;
    for (const auto& [id, node] : sim_.state().nodes()) able += node.state == NodeState::kUp;
    const std::uint32_t wanted = sim_.state().settings().replicas;
    for (std::uint32_t i = 0; i < story_.shards.size(); ++i) {
      const ShardRecord& shard = *sim_.state().Shard(ShardId{i});
      if (!HasQuorum(shard) || able < wanted) continue;
      RC_ASSERT(shard.entry.replicas.size() == wanted);
      for (const ReplicaPlace& place : shard.entry.replicas) {
        RC_ASSERT(sim_.state().Node(place.node)->state == NodeState::kUp);
      }
    }
  }

 private:
  NodeShape Shape(std::uint32_t which, std::uint32_t disks) const {
    const std::string zone = story_.zones > 1 ? "z" + std::to_string(which % story_.zones) : "";
    return {zone, std::vector<std::uint64_t>(disks, story_.disk_bytes)};
  }
  PlanSim Begin(const Story& story) const {
    std::vector<ShardShape> shards;
    for (const std::uint32_t size : story.shards) shards.push_back({size * kMiB, 1});
    return *PlanSim::Make(story.replicas, Shape(0, 1), shards);
  }
  std::map<Incarnation, std::uint64_t> BytesOfDisks() const {
    std::map<Incarnation, std::uint64_t> bytes;
    for (const PlanSim::DiskCopies& disk : sim_.Disks()) bytes[disk.disk] = disk.bytes;
    return bytes;
  }
  bool HasQuorum(const ShardRecord& shard) const {
    std::size_t voters = 0, reached = 0;
    for (const ReplicaPlace& place : shard.entry.replicas) {
      voters += place.voter;
      reached += place.voter && sim_.state().WhyGone(place).empty();
    }
    return 2 * reached > voters;
  }

  // No copy comes back to a disk that it left on the way to rest; short of room it may have had to
  // make way for another.
  static void CheckNoReturn(const SettleReport& report) {
    std::map<std::pair<ShardId, Incarnation>, std::set<Incarnation>> left;  // by the copy there
    for (const PlannedMove& move : report.moves) {
      RC_LOG() << "shard " << move.start.shard.value << ", disk " << move.from_disk.value << " to "
               << move.start.to_disk.value << ": " << move.start.reason << '\n';
      if (!move.from) continue;
      auto former = left.extract({move.start.shard, move.from_disk});
      std::set<Incarnation> gone = former ? std::move(former.mapped()) : std::set<Incarnation>();
      gone.insert(move.from_disk);
      RC_ASSERT(!gone.contains(move.start.to_disk));
      left[{move.start.shard, move.start.to_disk}] = std::move(gone);
    }
  }
  void CheckPlaces() const {
    for (std::uint32_t i = 0; i < story_.shards.size(); ++i) {
      const ShardRecord& shard = *sim_.state().Shard(ShardId{i});
      std::set<NodeId> nodes;
      std::size_t voters = 0;
      for (const ReplicaPlace& place : shard.entry.replicas) {
        RC_ASSERT(nodes.insert(place.node).second);  // one copy a node
        voters += place.voter;
      }
      RC_ASSERT(voters % 2 == 1);
      RC_ASSERT(shard.entry.replicas.size() <= sim_.state().settings().replicas);
    }
  }
  // Nobody fills a disk above its share; one that was fuller already is given nothing.
  void CheckRoom(const SettleReport& report,
                 const std::map<Incarnation, std::uint64_t>& before) const {
    const auto after = BytesOfDisks();
    const auto most = kFullShare * static_cast<double>(story_.disk_bytes);
    for (const PlannedMove& move : report.moves) {
      if (move.from_disk == move.start.to_disk || move.bytes == 0) continue;
      const std::uint64_t now = after.at(move.start.to_disk);
      const auto then = before.find(move.start.to_disk);
      const bool fuller = then == before.end() || now > then->second;
      RC_ASSERT(!fuller || static_cast<double>(now) <= most);
    }
  }

  const Story& story_;
  const bool enough_room_;
  PlanSim sim_;
};

RC_GTEST_PROP(PlanStoryTest, PlentyOfRoomEveryShardGetsItsCopies, ()) {
  const Story story = *AnyStory(rc::gen::just(1024 * kGiB));
  Telling telling(story, true);
  for (const Event& event : story.events) {
    telling.Happen(event);
    telling.CheckWhole();
  }
}

RC_GTEST_PROP(PlanStoryTest, LittleRoomNoDiskIsFilled, ()) {
  const Story story = *AnyStory(rc::gen::map(Below<std::uint64_t>(8192),
                                             [](std::uint64_t mib) { return (64 + mib) * kMiB; }));
  Telling telling(story, false);
  for (const Event& event : story.events) telling.Happen(event);
}

}  // namespace
}  // namespace decree::rebalance
