// The simulated network: frames between machines, each direction of each pair a link of its own
// that delays, loses, doubles and reorders as the seed says, and that faults can cut.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kv/base/ids.h"
#include "tests/sim/core_checker.h"
#include "tests/sim/wire_checker.h"
#include "tests/sim/world.h"

namespace decree::sim {

enum class FrameKind : std::uint8_t { kEnvelopes, kRequest, kResponse };

struct Frame {
  FrameKind kind = FrameKind::kEnvelopes;
  MachineId from = 0;
  NodeId from_node;
  NodeId to_node;  // whom the link was made for; 0: whoever is there
  std::uint64_t call = 0;
  bool bulk = false;
  std::string bytes;
};

struct NetworkOptions {
  Nanos min_delay = 50 * kMicros;
  Nanos mean_delay = 300 * kMicros;  // above the minimum, exponential
  double loss = 0;
  double duplicate = 0;
  double spike = 0;  // chance that a frame takes up to max_spike
  Nanos max_spike = 200 * kMillis;
  bool ordered = false;  // a link keeps the order, as TCP does
  Nanos nanos_per_kib = 1 * kMicros;
  bool opaque_bulk = false;  // pieces of snapshots hold bytes that no seed decides
};

// Machines of clients, without a node, have numbers from here on.
inline constexpr MachineId kFirstOutsider = 1001;

// One direction of a pair of machines: from, to.
using Link = std::pair<MachineId, MachineId>;
using Links = std::vector<Link>;
// Both directions between every machine of the one side and every one of the other.
Links LinksBetween(const std::vector<MachineId>& left, const std::vector<MachineId>& right);
Links LinksOf(MachineId machine, bool incoming, bool outgoing, MachineId machines);
// All but those to and from the hub.
Links LinksButStar(MachineId hub, MachineId machines);
// All but those between neighbours in a chain that begins with `first` and goes round.
Links LinksButChain(MachineId first, MachineId machines);

struct LateCalls {
  Nanos most = 1 * kSeconds;
  double share = 0.4;         // the caller tries again, and that gets through
  bool changes_only = false;  // what creates and destroys replicas and changes members
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual const std::shared_ptr<Life>& life() const = 0;
  virtual void OnFrame(const Frame& frame) = 0;
  // The peer's process is gone, its connections are reset.
  virtual void OnReset(MachineId peer) = 0;
};

class Network {
 public:
  Network(World& world, NetworkOptions options)
      : world_(world), options_(options), checker_(world), core_checker_(world) {}

  NetworkOptions& options() { return options_; }
  WireChecker& checker() { return checker_; }
  CoreChecker& core_checker() { return core_checker_; }
  void Attach(MachineId machine, Endpoint& endpoint);
  void Detach(MachineId machine);
  bool Attached(MachineId machine) const { return endpoints_.contains(machine); }
  std::vector<MachineId> Outsiders() const;  // that are attached

  void Send(MachineId to, Frame frame);
  // How long word of a refused or reset connection takes to get around.
  Nanos Delay();
  std::uint64_t Summary(const Frame& frame) const;  // for the trace
  bool Reachable(MachineId from, MachineId to) const {
    return !cut_.contains({from, to}) && !cut_for_good_.contains({from, to});
  }

  // Cuts add up: a link cut twice works again when both cuts are healed.
  void Cut(MachineId from, MachineId to) { ++cut_[{from, to}]; }
  void Cut(const Links& links);
  void Heal(const Links& links);
  void CutBothWays(const std::vector<MachineId>& left, const std::vector<MachineId>& right) {
    Cut(LinksBetween(left, right));
  }
  void Isolate(MachineId machine, bool incoming, bool outgoing, MachineId machines) {
    Cut(LinksOf(machine, incoming, outgoing, machines));
  }
  // A clogged link keeps what arrives, and lets go of all of it in order when it is unclogged: what
  // TCP does over a route that is down for a while.
  void Clog(const Links& links);
  void Unclog(const Links& links);
  // Each frame on these links takes so much longer. Delays add up.
  void Slow(const Links& links, Nanos by);
  void Quicken(const Links& links, Nanos by);  // takes it back
  // Requests on these links take up to so much longer than what is sent after them: they were
  // written to a connection that was given up since, whose bytes are still on their way.
  void MakeCallsLate(const Links& links, LateCalls late);
  void EndLateCalls(const Links& links);  // what is late already stays so
  void HealAll();
  bool healthy() const {
    return cut_.empty() && clogged_.empty() && slow_.empty() && late_.empty() && postponed_.empty();
  }
  // Links of a machine, to others that are no outsiders, that are cut or clogged now.
  Links BrokenLinksOf(MachineId machine) const;
  // What no other healing takes back.
  void CutForGood(const Links& links) { cut_for_good_.insert(links.begin(), links.end()); }
  void HealForGood() { cut_for_good_.clear(); }
  // Which node runs on a machine now; 0: none does, or it was wiped and became another.
  void Identify(MachineId machine, NodeId node) { nodes_[machine] = node; }
  MachineId MachineOf(NodeId node) const;
  // Lets up to `most` envelopes of long ago arrive once more. How many there were.
  std::size_t Replay(Random& random, std::size_t most);
  // The last few promises that were sent to a replica, whenever that was.
  void RememberPromise(MachineId to, Frame frame, ReplicaKey candidate);
  bool WasPromised(ReplicaKey candidate) const { return promises_.contains(candidate); }
  void ReplayPromises(ReplicaKey candidate);

 private:
  struct Held {
    std::uint32_t generation = 0;  // of the receiver
    Frame frame;
  };
  struct Clogged {
    int times = 0;
    std::vector<Held> held;
  };

  void Remember(MachineId to, const Frame& frame);
  bool IsLate(MachineId to, const Frame& frame);
  void Postpone(MachineId to, Frame frame);
  void Release(std::uint64_t number);
  void Arrive(Nanos when, MachineId to, Frame frame);
  void Deliver(MachineId to, const Frame& frame);

  World& world_;
  NetworkOptions options_;
  WireChecker checker_;
  CoreChecker core_checker_;
  std::map<MachineId, Endpoint*> endpoints_;
  std::set<Link> cut_for_good_;
  std::map<MachineId, NodeId> nodes_;
  std::map<Link, int> cut_;     // how many cuts lie on it
  std::map<Link, Nanos> slow_;  // by how much longer it takes
  std::map<Link, Nanos> last_;  // ordered links
  std::map<Link, Clogged> clogged_;
  struct LateLink {
    int times = 0;
    LateCalls calls;
  };
  struct Postponed {
    MachineId to = 0;
    Held held;
  };
  std::map<Link, LateLink> late_;
  std::map<std::uint64_t, Postponed> postponed_;
  std::uint64_t last_postponed_ = 0;
  std::uint64_t envelopes_sent_ = 0;
  using Sent = std::pair<MachineId, Frame>;
  std::vector<Sent> past_;  // a sample of the envelopes sent, for Replay
  std::map<ReplicaKey, std::deque<Sent>> promises_;
};

// "n3:1" for machine 3, and back (0: no such name).
std::string AddressOf(MachineId machine);
MachineId MachineAt(const std::string& address);

}  // namespace decree::sim
