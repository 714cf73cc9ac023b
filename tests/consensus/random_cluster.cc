#include "tests/consensus/random_cluster.h"

#include <algorithm>

#include "kv/base/frame.h"

namespace decree::consensus::testing {
namespace {

ClusterOptions Draw(std::uint64_t seed) {
  Random random(seed * 7919 + 1);
  ClusterOptions options;
  const std::size_t sizes[] = {1, 3, 3, 3, 5};
  options.voters = sizes[random.Below(5)];
  if (random.Chance(0.6)) options.loss = 0.02 * static_cast<double>(random.Below(8));
  if (random.Chance(0.5)) options.duplicate = 0.1;
  if (random.Chance(0.6)) options.crash = 0.3;
  if (random.Chance(0.5)) options.cut = random.Chance(0.5) ? 0.3 : 0.04;
  if (random.Chance(0.5)) options.lie = 0.7;
  if (random.Chance(0.5)) options.impatient = 0.4;
  if (random.Chance(0.5)) options.restart = 0.9;
  options.moves = random.Chance(0.6);
  options.trims = random.Chance(0.6);
  if (random.Chance(0.5)) options.duel = 0.3;
  if (random.Chance(0.3)) options.slow_disk = 30ms;
  if (random.Chance(0.5)) options.consensus.max_page_bytes = 200;
  if (random.Chance(0.5)) options.consensus.max_inflight = 4;
  if (random.Chance(0.3)) options.slow_apply = 20ms;
  options.consensus.leases = random.Chance(0.7);
  if (random.Chance(0.5)) options.drift_ppm = 4'900;  // two of them: rho, all but used up
  // Clients come every few milliseconds: between two of them is time to fall asleep.
  options.consensus.sleep_after = random.Chance(0.5) ? 2ms : Duration{};
  return options;
}

}  // namespace

RandomCluster::RandomCluster(std::uint64_t seed) : RandomCluster(seed, Draw(seed)) {}

RandomCluster::RandomCluster(std::uint64_t seed, ClusterOptions options)
    : random_(seed),
      options_(std::move(options)),
      genesis_([this] {
        std::vector<std::uint64_t> ids;
        for (std::size_t i = 1; i <= options_.voters; ++i) ids.push_back(i);
        return GenesisOf(ids);
      }()),
      invariants_(genesis_) {
  for (const Member& voter : genesis_.voters) AddNode(voter.id.value, genesis_);
  Schedule(5ms, Event{.kind = Kind::kClient});
  Schedule(20ms, Event{.kind = Kind::kChaos});
  if (options_.moves) Schedule(30ms, Event{.kind = Kind::kMover});
}

void RandomCluster::AddNode(std::uint64_t id, const Config& config) {
  next_id_ = std::max(next_id_, id);
  Node& node = nodes_[ReplicaId{id}];
  const auto width = static_cast<std::uint64_t>(2 * options_.drift_ppm);
  node.drift_ppm = static_cast<std::int64_t>(random_.Between(0, width)) - options_.drift_ppm;
  node.clock_start = static_cast<std::int64_t>(random_.Below(std::uint64_t{1} << 40));
  Options own = options_.consensus;
  if (random_.Chance(options_.impatient)) {
    own.election_min = 60ms;
    own.election_max = 120ms;
  }
  node.host = std::make_unique<BareHost>(MemberOf(id), config, own, random_.Next(), &invariants_);
  node.host->apply_at_once = options_.slow_apply == Duration{};
  node.life = 1;
  node.host->Start(Local(ReplicaId{id}));
  Drain(ReplicaId{id});
}

Instant RandomCluster::Local(ReplicaId id) const {
  const Node& node = nodes_.at(id);
  return Instant{node.clock_start + now_.ns + now_.ns / 1'000 * node.drift_ppm / 1'000};
}

Instant RandomCluster::World(ReplicaId id, Instant local) const {
  const Node& node = nodes_.at(id);
  return now_ + (local - Local(id)) * 1'000'000 / (1'000'000 + node.drift_ppm) + 2us;
}

void RandomCluster::Schedule(Duration in, Event event) {
  event.at = now_ + in;
  event.order = ++order_;
  events_.push(std::move(event));
}

void RandomCluster::Run(Duration duration) { RunUntil(now_ + duration); }

void RandomCluster::RunUntil(Instant end) {
  while (!events_.empty() && events_.top().at <= end && failure_.empty()) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    invariants_.At(now_);
    Step(event);
    if (!invariants_.ok()) Fail(invariants_.violations().front());
  }
  now_ = std::max(now_, end);
}

void RandomCluster::Step(const Event& event) {
  Mix(static_cast<std::uint64_t>(event.at.ns) * 31 + static_cast<std::uint64_t>(event.kind));
  if (event.kind == Kind::kChaos) return Chaos();
  if (event.kind == Kind::kClient) return Client();
  if (event.kind == Kind::kMover) return Mover();
  Node& node = nodes_[event.host];
  if (node.destroyed || !node.host->up()) return;
  if (event.kind == Kind::kDeliver) {
    Message message = event.message;
    // A pre-vote is a poll: no safety may rest on what is answered.
    auto* poll = std::get_if<PreVoteReply>(&message);
    if (poll != nullptr && !healed_ && random_.Chance(options_.lie)) poll->granted = true;
    node.host->Receive(Local(event.host), event.from, message);
  } else if (node.life != event.life) {
    return;
  } else if (event.kind == Kind::kWrite) {
    --node.writes_scheduled;
    node.host->CompleteWrite(Local(event.host));
  } else if (event.kind == Kind::kTick) {
    if (node.wake != now_) return;  // another wake-up replaced it
    node.wake = kNever;
    node.host->Tick(Local(event.host));
  } else if (event.kind == Kind::kSnapshot) {
    node.snapshot_scheduled = false;
    Snapshot(event.host);
  } else if (event.kind == Kind::kApply) {
    node.apply_scheduled = false;
    node.host->Apply(Local(event.host));
  }
  Drain(event.host);
}

// Turns what the host put out into events.
void RandomCluster::Drain(ReplicaId id) {
  Node& node = nodes_[id];
  BareHost& host = *node.host;
  if (!host.up()) return;
  Mix(host.replica().chosen().value + 1000003 * host.replica().promised().round);
  const std::optional<Instant> lease = host.replica().LeaseUntil();
  invariants_.Lease(host.replica(), lease ? std::optional(World(id, *lease)) : std::nullopt);
  for (const Outgoing& out : host.outbox) ScheduleMessage(out, host.self());
  host.outbox.clear();
  for (; node.writes_scheduled < host.writes.size(); ++node.writes_scheduled) {
    Duration delay = std::chrono::microseconds(random_.Between(50, 2000));
    if (!healed_ && options_.slow_disk.count() > 0 && random_.Chance(0.02)) {
      delay = options_.slow_disk;
    }
    Schedule(delay, Event{.kind = Kind::kWrite, .host = id, .life = node.life});
  }
  const Instant wake = host.wake_at != kNever ? World(id, host.wake_at) : kNever;
  if (wake != kNever && wake != node.wake) {
    node.wake = std::max(wake, now_);
    Schedule(node.wake - now_, Event{.kind = Kind::kTick, .host = id, .life = node.life});
  }
  if (host.snapshot && !node.snapshot_scheduled) {
    node.snapshot_scheduled = true;
    Schedule(milliseconds(random_.Between(1, 40)),
             Event{.kind = Kind::kSnapshot, .host = id, .life = node.life});
  }
  if (host.has_to_apply() && !node.apply_scheduled) {
    node.apply_scheduled = true;
    Schedule(std::chrono::microseconds(
                 random_.Below(static_cast<std::uint64_t>(options_.slow_apply / 1us) + 1)),
             Event{.kind = Kind::kApply, .host = id, .life = node.life});
  }
  CollectResults(id);
}

void RandomCluster::ScheduleMessage(const Outgoing& out, const Member& from) {
  if (nodes_.count(out.to.id) == 0 || cut_.count({from.id, out.to.id}) != 0) return;
  if (!healed_ && random_.Chance(options_.loss)) return;
  const int copies = !healed_ && random_.Chance(options_.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Schedule(
        NetworkDelay(),
        Event{.kind = Kind::kDeliver, .host = out.to.id, .from = from, .message = out.message});
  }
}

Duration RandomCluster::NetworkDelay() {
  if (!healed_ && random_.Chance(0.02)) return milliseconds(random_.Between(5, 200));
  return std::chrono::microseconds(random_.Between(100, 2000));
}

// A command is acknowledged when its proposer, in the same life, applied its slot with its value.
void RandomCluster::CollectResults(ReplicaId id) {
  Node& node = nodes_[id];
  BareHost& host = *node.host;
  std::erase_if(proposals_, [&](const Proposal& p) {
    if (p.host != id) return false;
    if (p.life != node.life) return true;
    if (p.slot > host.applied()) return false;
    if (invariants_.ChosenHash(p.slot) == p.hash) acknowledged_[p.slot] = p.hash;
    return true;
  });
  for (const ReadReady& read : host.reads) {
    const PendingRead pending = pending_reads_[read.id];
    pending_reads_.erase(read.id);
    if (!read.ok) continue;
    ++reads_served_;
    if (host.applied() < pending.floor) Fail("stale read at replica " + ToString(id));
  }
  host.reads.clear();
}

void RandomCluster::Chaos() {
  Schedule(milliseconds(random_.Between(5, 60)), Event{.kind = Kind::kChaos});
  for (auto& [id, node] : nodes_) {
    if (node.destroyed) continue;
    if (!node.host->up()) {
      if (healed_ || random_.Chance(options_.restart)) {
        ++node.life;
        node.writes_scheduled = 0;
        node.wake = kNever;
        node.snapshot_scheduled = false;
        node.apply_scheduled = false;
        node.host->Start(Local(id));
        Drain(id);
      }
    } else if (options_.trims && random_.Chance(0.2)) {
      node.host->Flush();
      node.host->TrimLog();
    }
  }
  if (healed_) return;
  if (random_.Chance(options_.crash)) CrashSomebody();
  // With leases such an order is a lie: whoever gives it has given up its lease.
  if (random_.Chance(options_.duel) && !options_.consensus.leases) Duel();
  if (random_.Chance(options_.cut)) {
    cut_.clear();
    for (const auto& [a, node_a] : nodes_) {
      for (const auto& [b, node_b] : nodes_) {
        if (random_.Chance(0.25)) cut_.insert({a, b});
      }
    }
  } else if (random_.Chance(options_.cut)) {  // rare cuts last long: leaders lose their quorum
    cut_.clear();
  }
}

void RandomCluster::CrashSomebody() {
  auto victim = nodes_.begin();
  std::advance(victim, random_.Below(nodes_.size()));
  Node& node = victim->second;
  if (node.destroyed || !node.host->up()) return;
  node.host->Crash(random_.Below(node.host->writes.size() + 1));
}

// A late order to take over: somebody campaigns against a leader that is alive and proposing.
void RandomCluster::Duel() {
  auto chosen = nodes_.begin();
  std::advance(chosen, random_.Below(nodes_.size()));
  Node& node = chosen->second;
  if (node.destroyed || !node.host->up()) return;
  const Ballot ballot = node.host->replica().promised();
  const Member* leader = node.host->replica().config().Find(ballot.replica);
  if (leader == nullptr || leader->id == chosen->first) return;
  node.host->Receive(Local(chosen->first), *leader, TransferNow{ballot});
  Drain(chosen->first);
}

BareHost* RandomCluster::Leader() {
  std::vector<BareHost*> leaders;  // there may be a stale one too: anybody may ask it
  for (auto& [id, node] : nodes_) {
    if (!node.destroyed && node.host->up() && node.host->replica().ReadyLeader()) {
      leaders.push_back(node.host.get());
    }
  }
  return leaders.empty() ? nullptr : leaders[random_.Below(leaders.size())];
}

void RandomCluster::Client() {
  Schedule(std::chrono::microseconds(random_.Between(500, 12000)), Event{.kind = Kind::kClient});
  BareHost* leader = Leader();
  if (leader == nullptr) return WakeSleepers();
  const ReplicaId id = leader->self().id;
  const std::size_t count = random_.Between(1, 4);
  for (std::size_t i = 0; i < count; ++i) {
    if (random_.Chance(0.3)) {
      const ReadId read = ++next_read_;
      const Slot floor = acknowledged_.empty() ? Slot{} : acknowledged_.rbegin()->first;
      pending_reads_[read] = PendingRead{id, nodes_[id].life, floor};
      const bool at_once = leader->replica().config().voters.size() > 1;
      invariants_.Asked(leader->replica(), read);
      leader->Read(Local(id), read);
      if (at_once && !leader->reads.empty() && leader->reads.back().ok) ++lease_reads_;
    } else {
      const Decree command = Command("command " + std::to_string(++next_command_));
      const ProposeResult result = leader->Propose(Local(id), command);
      if (result.code == ProposeCode::kProposed) {
        proposals_.push_back(
            Proposal{id, nodes_[id].life, result.slot, Invariants::HashOf(command)});
      }
    }
    Drain(id);
  }
  if (random_.Chance(0.01)) {
    const auto& voters = leader->replica().config().voters;
    leader->Transfer(Local(id), voters[random_.Below(voters.size())].id);
    Drain(id);
  }
}

// A client that finds no leader asks one after the other.
void RandomCluster::WakeSleepers() {
  for (auto& [id, node] : nodes_) {
    if (node.destroyed || !node.host->up()) continue;
    node.host->Wake(Local(id));
    Drain(id);
  }
}

void RandomCluster::Snapshot(ReplicaId id) {
  BareHost& host = *nodes_[id].host;
  if (!host.snapshot) return;
  const SnapshotNeed need = *host.snapshot;
  host.snapshot.reset();
  const auto source = nodes_.find(need.from.id);
  if (source == nodes_.end() || source->second.destroyed || !source->second.host->up()) return;
  const BareHost& from = *source->second.host;
  if (from.applied() < need.at_least || from.applied_config().epoch == Epoch{}) return;
  host.InstallSnapshot(Local(id), from.applied(), from.applied_config(), from.rows());
}

void RandomCluster::Mix(std::uint64_t word) {
  digest_ = (digest_ ^ word) * 0x100000001B3ull + (digest_ >> 29);
}

void RandomCluster::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = what + " at " + std::to_string(now_.ns / 1000) + " us";
}

std::string RandomCluster::Failure() const {
  if (failure_.empty()) return "";
  std::string text = failure_;
  for (const auto& [id, node] : nodes_) {
    text += "\n  replica " + ToString(id);
    if (node.destroyed) text += " destroyed";
    if (!node.host->up()) {
      text += " down";
      continue;
    }
    const Replica& r = node.host->replica();
    text += " role " + std::to_string(static_cast<int>(r.role())) + (r.ReadyLeader() ? "!" : "") +
            " promised " + ToString(r.promised()) + " chosen " + ToString(r.chosen()) +
            " applied " + ToString(r.applied()) + " trimmed " + ToString(r.trimmed()) +
            " inflight " + std::to_string(r.inflight()) + " epoch " + ToString(r.config().epoch) +
            " voters";
    for (const Member& m : r.config().voters) text += " " + ToString(m.id);
    text += " learners";
    for (const Member& m : r.config().learners) text += " " + ToString(m.id);
  }
  if (plan_) {
    text += "\n  plan epoch " + ToString(plan_->epoch) + " move " + ToString(plan_->move) +
            (plan_->abort ? " abort" : "") + " next";
    for (const auto id : plan_->next_voters) text += " " + std::to_string(id);
  }
  return text;
}

void RandomCluster::HealAndSettle() {
  healed_ = true;
  cut_.clear();
  // Twenty election timeouts, and the steps of a move that is under way.
  const Instant end = now_ + 20 * options_.consensus.election_max;
  while (now_ < end && failure_.empty() && !Settled()) RunUntil(now_ + 50ms);
  if (failure_.empty() && !Settled()) Fail("not settled after healing");
  if (failure_.empty()) CheckNothingIsLost();
}

// Every voter has applied every acknowledged command at its slot.
void RandomCluster::CheckNothingIsLost() {
  for (const Member& voter : Leader()->replica().config().voters) {
    BareHost& host = *nodes_[voter.id].host;
    host.Apply(Local(voter.id));
    for (const auto& [slot, hash] : acknowledged_) {
      const auto held = host.rows().find(slot);
      if (held != host.rows().end() && held->second == hash) continue;
      return Fail("replica " + ToString(voter.id) + " lost the command at slot " + ToString(slot));
    }
  }
}

// All live members of the leader's configuration know a slot that was chosen after healing.
bool RandomCluster::Settled() {
  BareHost* leader = Leader();
  if (leader == nullptr || plan_) return false;
  const Config& config = leader->replica().config();
  const Slot tip = acknowledged_.empty() ? Slot{1} : acknowledged_.rbegin()->first;
  const auto knows = [&](const Member& m) {
    const Node& node = nodes_[m.id];
    return node.host->up() && node.host->replica().chosen() >= tip &&
           node.host->replica().config() == config;
  };
  return std::all_of(config.voters.begin(), config.voters.end(), knows) &&
         std::all_of(config.learners.begin(), config.learners.end(), knows);
}

}  // namespace decree::consensus::testing
