#include "tests/sim/network.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kv/api/rpc.h"
#include "kv/base/frame.h"

namespace decree::sim {
namespace {

bool ChangesReplicas(const Frame& frame) {
  const auto request = Decode<RpcRequest>(frame.bytes);
  if (!request) return false;
  return request->method == Method::kCreateReplica || request->method == Method::kDestroyReplica ||
         request->method == Method::kChangeMembers;
}

}  // namespace

std::string AddressOf(MachineId machine) { return "n" + std::to_string(machine) + ":1"; }

MachineId MachineAt(const std::string& address) {
  MachineId machine = 0;
  if (address.size() < 4 || address[0] != 'n') return 0;
  std::from_chars(address.data() + 1, address.data() + address.size(), machine);
  return machine;
}

void Network::Attach(MachineId machine, Endpoint& endpoint) { endpoints_[machine] = &endpoint; }

void Network::Detach(MachineId machine) {
  endpoints_.erase(machine);
  for (const auto& [peer, endpoint] : endpoints_) {
    if (Reachable(machine, peer) && world_.random().Chance(0.7)) endpoint->OnReset(machine);
  }
}

std::vector<MachineId> Network::Outsiders() const {
  std::vector<MachineId> outsiders;
  for (auto i = endpoints_.lower_bound(kFirstOutsider); i != endpoints_.end(); ++i) {
    outsiders.push_back(i->first);
  }
  return outsiders;
}

MachineId Network::MachineOf(NodeId node) const {
  for (const auto& [machine, runs] : nodes_) {
    if (runs == node) return machine;
  }
  return 0;
}

// Of opaque bytes only the number is a fact of the run. What a snapshot amounts to is compared row
// by row all the same, by the digests of the move.
std::uint64_t Network::Summary(const Frame& frame) const {
  return frame.bulk && options_.opaque_bulk ? frame.bytes.size() : Hash64(frame.bytes);
}

Nanos Network::Delay() {
  Random& random = world_.random();
  const double uniform = static_cast<double>((random.Next() >> 12) + 1) * 0x1.0p-52;
  const double exponential = -std::log(uniform) * static_cast<double>(options_.mean_delay);
  Nanos delay = options_.min_delay + static_cast<Nanos>(exponential);
  if (random.Chance(options_.spike)) delay += world_.Between(0, options_.max_spike);
  return delay;
}

void Network::Send(MachineId to, Frame frame) {
  world_.Trace("send", frame.from, Summary(frame),
               (std::uint64_t{to} << 8) | static_cast<std::uint64_t>(frame.kind));
  const bool local = to == frame.from;
  if (!local && frame.kind == FrameKind::kEnvelopes) Remember(to, frame);
  if (!local && (!Reachable(frame.from, to) || world_.random().Chance(options_.loss))) return;
  if (IsLate(to, frame)) return Postpone(to, std::move(frame));
  // A connection doubles nothing; envelopes alone are fire and forget (server/node/transport.h).
  const bool doubled = !local && world_.random().Chance(options_.duplicate);
  const int copies = doubled && frame.kind == FrameKind::kEnvelopes ? 2 : 1;
  const auto size = static_cast<Nanos>(frame.bytes.size() / 1024);
  for (int i = 0; i < copies; ++i) {
    Nanos when = world_.now() + (local ? 5 * kMicros : Delay() + size * options_.nanos_per_kib);
    if (const auto slow = slow_.find({frame.from, to}); slow != slow_.end()) when += slow->second;
    if (options_.ordered && !frame.bulk) {
      Nanos& last = last_[{frame.from, to}];
      when = last = std::max(last, when);
    }
    Arrive(when, to, frame);
  }
}

void Network::Arrive(Nanos when, MachineId to, Frame frame) {
  world_.At(when, EventKind::kNetwork, nullptr, 0,
            [this, to, frame = std::move(frame)] { Deliver(to, frame); });
}

void Network::Deliver(MachineId to, const Frame& frame) {
  const auto found = endpoints_.find(to);
  // A cut takes what is under way, too.
  if (found == endpoints_.end() || !Reachable(frame.from, to)) return;
  Endpoint& endpoint = *found->second;
  if (const auto clogged = clogged_.find({frame.from, to}); clogged != clogged_.end()) {
    clogged->second.held.push_back({endpoint.life()->generation, frame});
    return;
  }
  // It waits at the door, and is lost with the process. What one peer sends on one connection stays
  // in order; no order holds between connections.
  const std::uint64_t connection = kFirstConnection + 2 * std::uint64_t{frame.from} + frame.bulk;
  if (endpoint.life()->WakesFor(connection) > world_.now()) {
    return world_.At(
        world_.now(), EventKind::kNetwork, endpoint.life(), 0,
        [this, to, frame] { Deliver(to, frame); }, connection);
  }
  world_.Trace("deliver", to, Summary(frame), frame.from);
  endpoint.OnFrame(frame);
}

void Network::Cut(const Links& links) {
  for (const auto& [from, to] : links) Cut(from, to);
}

void Network::Heal(const Links& links) {
  for (const Link& link : links) {
    const auto found = cut_.find(link);
    if (found != cut_.end() && --found->second == 0) cut_.erase(found);
  }
}

void Network::Clog(const Links& links) {
  for (const Link& link : links) ++clogged_[link].times;
}

void Network::Unclog(const Links& links) {
  for (const Link& link : links) {
    const auto found = clogged_.find(link);
    if (found == clogged_.end() || --found->second.times > 0) continue;
    const std::vector<Held> held = std::move(found->second.held);
    clogged_.erase(found);
    const auto endpoint = endpoints_.find(link.second);
    if (endpoint == endpoints_.end()) continue;
    for (const Held& one : held) {
      // The connection of a call ends with the process; envelopes may come from anywhere.
      const bool same = one.generation == endpoint->second->life()->generation;
      if (same || one.frame.kind == FrameKind::kEnvelopes) {
        Arrive(world_.now(), link.second, one.frame);
      }
    }
  }
}

void Network::Slow(const Links& links, Nanos by) {
  for (const Link& link : links) slow_[link] += by;
}

void Network::Quicken(const Links& links, Nanos by) {
  for (const Link& link : links) {
    const auto found = slow_.find(link);
    if (found != slow_.end() && (found->second -= by) <= 0) slow_.erase(found);
  }
}

void Network::MakeCallsLate(const Links& links, LateCalls calls) {
  for (const Link& link : links) {
    LateLink& late = late_[link];
    ++late.times;
    late.calls = calls;
  }
}

void Network::EndLateCalls(const Links& links) {
  for (const Link& link : links) {
    const auto found = late_.find(link);
    if (found != late_.end() && --found->second.times == 0) late_.erase(found);
  }
}

bool Network::IsLate(MachineId to, const Frame& frame) {
  if (late_.empty() || frame.kind != FrameKind::kRequest) return false;
  const auto late = late_.find({frame.from, to});
  if (late == late_.end() || !endpoints_.contains(to)) return false;
  const LateCalls& calls = late->second.calls;
  return (!calls.changes_only || ChangesReplicas(frame)) && world_.random().Chance(calls.share);
}

void Network::Postpone(MachineId to, Frame frame) {
  const Nanos by = world_.Between(100 * kMillis, late_[{frame.from, to}].calls.most);
  const std::uint64_t number = ++last_postponed_;
  const std::uint32_t generation = endpoints_[to]->life()->generation;
  postponed_[number] = {to, {generation, std::move(frame)}};
  world_.At(world_.now() + by, EventKind::kNetwork, nullptr, 0,
            [this, number] { Release(number); });
}

// The connection of a call ends with the process.
void Network::Release(std::uint64_t number) {
  const auto found = postponed_.extract(number);
  if (found.empty()) return;
  const auto& [to, held] = found.mapped();
  const auto endpoint = endpoints_.find(to);
  if (endpoint == endpoints_.end() || endpoint->second->life()->generation != held.generation)
    return;
  Arrive(world_.now(), to, held.frame);
}

void Network::HealAll() {
  cut_.clear();
  slow_.clear();
  late_.clear();
  while (!postponed_.empty()) Release(postponed_.begin()->first);
  while (!clogged_.empty()) Unclog({clogged_.begin()->first});
}

Links Network::BrokenLinksOf(MachineId machine) const {
  Links links;
  const auto add = [&](const Link& link) {
    const auto [from, to] = link;
    if (from != machine && to != machine) return;
    if (std::max(from, to) < kFirstOutsider) links.push_back(link);
  };
  for (const auto& [link, times] : cut_) add(link);
  for (const auto& [link, clogged] : clogged_) add(link);
  return links;
}

void Network::Remember(MachineId to, const Frame& frame) {
  constexpr std::size_t kKept = 64;
  constexpr std::uint64_t kEvery = 37;  // what is kept comes from some minutes
  if (envelopes_sent_++ % kEvery != 0) return;
  if (past_.size() < kKept) past_.emplace_back();
  past_[envelopes_sent_ / kEvery % past_.size()] = {to, frame};
}

std::size_t Network::Replay(Random& random, std::size_t most) {
  if (past_.empty()) return 0;
  for (std::size_t i = 0; i < most; ++i) {
    const auto& [to, frame] = past_[random.Below(past_.size())];
    Arrive(world_.now() + static_cast<Nanos>(random.Below(1 * kSeconds)), to, frame);
  }
  return most;
}

void Network::RememberPromise(MachineId to, Frame frame, ReplicaKey candidate) {
  constexpr std::size_t kKept = 6;
  std::deque<Sent>& kept = promises_[candidate];
  if (kept.size() == kKept) kept.pop_front();
  kept.emplace_back(to, std::move(frame));
}

void Network::ReplayPromises(ReplicaKey candidate) {
  for (const auto& [to, frame] : promises_[candidate]) {
    Arrive(world_.now() + world_.Between(0, 1 * kMillis), to, frame);
  }
}

Links LinksBetween(const std::vector<MachineId>& left, const std::vector<MachineId>& right) {
  Links links;
  for (const MachineId a : left) {
    for (const MachineId b : right) links.insert(links.end(), {{a, b}, {b, a}});
  }
  return links;
}

Links LinksOf(MachineId machine, bool incoming, bool outgoing, MachineId machines) {
  Links links;
  for (MachineId other = 1; other <= machines; ++other) {
    if (other == machine) continue;
    if (incoming) links.emplace_back(other, machine);
    if (outgoing) links.emplace_back(machine, other);
  }
  return links;
}

Links LinksButStar(MachineId hub, MachineId machines) {
  Links links;
  for (MachineId a = 1; a <= machines; ++a) {
    for (MachineId b = 1; b <= machines; ++b) {
      if (a != b && a != hub && b != hub) links.emplace_back(a, b);
    }
  }
  return links;
}

Links LinksButChain(MachineId first, MachineId machines) {
  const auto place = [&](MachineId id) { return (id + machines - first) % machines; };
  Links links;
  for (MachineId a = 1; a <= machines; ++a) {
    for (MachineId b = 1; b <= machines; ++b) {
      if (place(a) + 1 < place(b) || place(b) + 1 < place(a)) links.emplace_back(a, b);
    }
  }
  return links;
}

}  // namespace decree::sim
