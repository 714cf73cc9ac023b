#include "tests/consensus/manual_cluster.h"

#include <algorithm>

namespace decree::consensus::testing {

ManualCluster::ManualCluster(const Config& genesis, Options options)
    : invariants(genesis), options_(options) {
  for (const Member& m : genesis.voters) {
    hosts_[m.id.value] = std::make_unique<BareHost>(m, genesis, options, m.id.value, &invariants);
  }
  for (auto& [id, host] : hosts_) host->Start(now_);
  for (const Member& m : genesis.learners) AddShell(m.id.value);
}

void ManualCluster::AddShell(std::uint64_t id) {
  hosts_[id] = std::make_unique<BareHost>(MemberOf(id), Config{}, options_, id, &invariants);
  hosts_[id]->Start(now_);
}

void ManualCluster::Collect() {
  for (auto& [id, host] : hosts_) {
    for (Outgoing& out : host->outbox) {
      Packet packet{host->self(), out.to, std::move(out.message)};
      if (capture && capture(packet)) {
        captured.push_back(std::move(packet));
      } else if (cut_.count({id, packet.to.id.value}) == 0) {
        network_.push_back(std::move(packet));
      }
    }
    host->outbox.clear();
  }
}

bool ManualCluster::MoveOnce() {
  for (auto& [id, host] : hosts_) {
    if (!host->up() || frozen_disks.count(id) != 0 || host->writes.empty()) continue;
    if (trace) trace(std::to_string(id) + " durable " + Describe(host->writes.front().record));
    host->CompleteWrite(now_);
    return true;
  }
  if (network_.empty()) return false;
  const Packet packet = std::move(network_.front());
  network_.erase(network_.begin());
  Deliver(packet);
  return true;
}

void ManualCluster::Deliver(const Packet& packet) {
  const auto to = hosts_.find(packet.to.id.value);
  if (to == hosts_.end() || !to->second->up()) return;
  if (trace) {
    trace(ToString(packet.from.id) + " -> " + ToString(packet.to.id) + " " +
          Describe(packet.message));
  }
  to->second->Receive(now_, packet.from, packet.message);
}

void ManualCluster::Settle() {
  Collect();
  for (int i = 0; i < 100000 && MoveOnce(); ++i) Collect();
}

void ManualCluster::Advance(Duration duration) {
  const Instant end = now_ + duration;
  Settle();
  while (true) {
    BareHost* next = nullptr;
    for (auto& [id, host] : hosts_) {
      if (host->up() && (next == nullptr || host->wake_at < next->wake_at)) next = host.get();
    }
    if (next == nullptr || next->wake_at > end) break;
    now_ = std::max(now_, next->wake_at);
    next->Tick(now_);
    Settle();
  }
  now_ = end;
}

void ManualCluster::Elect(std::uint64_t id) {
  now_ = now_ + 2 * options_.election_max;
  (*this)[id].Tick(now_);
  Settle();
}

Slot ManualCluster::Put(std::uint64_t id, const std::string& payload) {
  const ProposeResult result = Propose(id, Command(payload));
  return result.code == ProposeCode::kProposed ? result.slot : Slot{};
}

ProposeResult ManualCluster::Propose(std::uint64_t id, const Decree& decree) {
  const ProposeResult result = (*this)[id].Propose(now_, decree);
  Settle();
  return result;
}

void ManualCluster::Crash(std::uint64_t id, std::size_t keep_writes) {
  (*this)[id].Crash(keep_writes);
}

void ManualCluster::Restart(std::uint64_t id) { (*this)[id].Start(now_); }

void ManualCluster::Snapshot(std::uint64_t from, std::uint64_t to) {
  (*this)[to].InstallSnapshot(now_, (*this)[from].applied(), (*this)[from].applied_config(),
                              (*this)[from].rows());
  Settle();
}

void ManualCluster::CutOneWay(std::uint64_t from, std::uint64_t to) { cut_.insert({from, to}); }

void ManualCluster::Cut(std::uint64_t a, std::uint64_t b) {
  CutOneWay(a, b);
  CutOneWay(b, a);
}

void ManualCluster::Isolate(std::uint64_t id) {
  for (const auto& [other, host] : hosts_) {
    if (other != id) Cut(id, other);
  }
}

void ManualCluster::Mend() { cut_.clear(); }

std::vector<std::uint64_t> ManualCluster::Leaders() {
  std::vector<std::uint64_t> leaders;
  for (auto& [id, host] : hosts_) {
    if (host->up() && host->replica().ReadyLeader()) leaders.push_back(id);
  }
  return leaders;
}

std::string ManualCluster::LogOf(std::uint64_t id) {
  std::string text;
  const Replica& replica = (*this)[id].replica();
  for (Slot slot{1}; slot <= replica.chosen(); slot = slot.Next()) {
    const auto c = replica.ChosenAt(slot);
    if (!text.empty()) text += " ";
    text += ToString(slot) + ":" + (c ? Describe(c->decree) : "trimmed");
  }
  return text;
}

std::string ManualCluster::Status() {
  std::string text;
  const char* roles[] = {"follower", "pre-candidate", "candidate", "leader"};
  for (auto& [id, host] : hosts_) {
    text += std::to_string(id) + ": ";
    if (!host->up()) {
      text += "down\n";
      continue;
    }
    const Replica& r = host->replica();
    const bool voter = r.config().IsVoter(r.self());
    const bool learner = r.config().IsLearner(r.self());
    text += voter ? roles[static_cast<int>(r.role())] : learner ? "learner" : "no member";
    text += r.ReadyLeader() ? " (ready)" : "";
    text += " epoch " + ToString(r.config().epoch) + " promised " + ToString(r.promised()) +
            " chosen " + ToString(r.chosen()) + " log " + LogOf(id) + "\n";
  }
  return text;
}

}  // namespace decree::consensus::testing
