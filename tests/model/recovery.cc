#include "tests/model/recovery.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "kv/base/check.h"
#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

class Run {
 public:
  Run(const Model& model, const State& state, const std::set<std::size_t>& dead)
      : genesis_(model.world().genesis),
        values_(model.world().values),
        ghost_(model.GhostOf(state)),
        limit_(20 * model.world().options.election_max) {
    for (std::size_t i = 0; i < model.replicas(); ++i) {
      if (dead.count(i) != 0) continue;
      const auto& at = hosts_.try_emplace(model.IdAt(i), Host{model.LocalOf(state, i)}).first;
      ModelAccess::Reseed(at->second.local.replica, i + 1);
    }
  }

  std::string Why() {
    for (auto& [id, host] : hosts_) Took(id, host);
    const Instant end = now_ + limit_;
    while (!done_ && failure_.empty() && now_ < end) {
      DeliverAll();
      AskLeaders();
      if (queue_.empty()) PassTime();
    }
    if (!failure_.empty()) return failure_;
    return done_ ? "" : "no new command is chosen within 20 election timeouts";
  }

 private:
  struct Host {
    Local local;
    Instant wake = kNever;
    Slot asked{};  // of the command proposed here
    Ballot asked_in{};
  };

  void DeliverAll() {
    while (!queue_.empty()) {
      const Packet packet = std::move(queue_.front());
      queue_.pop_front();
      const auto host = hosts_.find(packet.to.id);
      if (host == hosts_.end()) continue;
      host->second.local.replica.Receive(now_, packet.from, packet.message);
      Took(packet.to.id, host->second);
    }
  }

  void AskLeaders() {
    for (auto& [id, host] : hosts_) {
      Replica& replica = host.local.replica;
      if (!replica.ReadyLeader() || host.asked_in == replica.promised()) continue;
      const ProposeResult result = replica.Propose(now_, testing::Command("after-recovery"));
      if (result.code == ProposeCode::kProposed) {
        host.asked = result.slot;
        host.asked_in = replica.promised();
      }
      Took(id, host);
    }
  }

  void PassTime() {
    Instant next = kNever;
    for (const auto& [id, host] : hosts_) next = std::min(next, host.wake);
    now_ = std::max(now_ + Duration{1}, next);
    for (auto& [id, host] : hosts_) {
      if (host.wake > now_) continue;
      host.local.replica.Tick(now_);
      Took(id, host);
    }
  }

  // Everything that the replica wants done, the disk being fast.
  void Took(ReplicaId id, Host& host) {
    const Member self = testing::MemberOf(id.value);
    Output out = host.local.replica.TakeOutput();
    host.wake = out.wake_at;
    if (out.persist) {
      host.local.writes.push_back({std::move(*out.persist), std::move(out.send_after_persist)});
    }
    for (Outgoing& m : out.send) queue_.push_back(Packet{self, m.to, std::move(m.message)});
    for (const ChosenDecree& chosen : out.chosen) HandOut(id, host, chosen);
    if (!out.chosen.empty()) {
      host.local.replica.Applied(now_, out.chosen.back().slot);
      Took(id, host);
    }
    while (!host.local.writes.empty()) Write(id, host);
  }

  void Write(ReplicaId id, Host& host) {
    const testing::BareWrite write = std::move(host.local.writes.front());
    host.local.writes.pop_front();
    host.local.disk.Write(write.record);
    for (const Vote& vote : write.record.votes) Add(VoteFact(id, vote, values_));
    for (const Outgoing& m : write.after) {
      queue_.push_back(Packet{testing::MemberOf(id.value), m.to, m.message});
    }
    host.local.replica.Persisted(now_, write.record.id);
    Took(id, host);
  }

  void HandOut(ReplicaId id, const Host& host, const ChosenDecree& chosen) {
    Add(HandedFact(id, chosen, values_));
    const bool own = chosen.decree == testing::Command("after-recovery");
    if (own && chosen.slot == host.asked) done_ = true;
  }

  void Add(const Fact& fact) {
    const std::string broken = ghost_.Add(fact, genesis_, values_);
    if (failure_.empty()) failure_ = broken;
  }

  const Config genesis_;
  Values values_;
  Ghost ghost_;
  const Duration limit_;
  Instant now_ = ModelAccess::kBegin + 1s;
  std::map<ReplicaId, Host> hosts_;
  std::deque<Packet> queue_;
  bool done_ = false;
  std::string failure_;
};

}  // namespace

std::string WhyNotRecovered(const Model& model, const State& state,
                            const std::set<std::size_t>& dead) {
  std::string why;
  try {
    why = Run(model, state, dead).Why();
  } catch (const CheckFailure& failure) {
    why = failure.what();
  }
  if (why.empty()) return why;
  for (const std::size_t replica : dead)
    why += ", without replica " + ToString(model.IdAt(replica));
  return why;
}

std::string WhyNotRecovered(const Model& model, const State& state) {
  std::string why = WhyNotRecovered(model, state, {});
  for (std::size_t i = 0; i < model.replicas() && why.empty(); ++i) {
    why = WhyNotRecovered(model, state, {i});
  }
  return why;
}

}  // namespace decree::consensus::model
