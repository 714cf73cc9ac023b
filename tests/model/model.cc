#include "tests/model/model.h"

#include <algorithm>
#include <type_traits>

#include "kv/base/check.h"
#include "kv/base/frame.h"
#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

std::uint64_t Pair(std::uint32_t a, std::uint32_t b) {
  return (std::uint64_t{a} << 32 | b) + 1;  // never 0, as b is never 2^32 - 1
}

template <class T>
std::uint64_t HashOfAll(const std::vector<T>& items) {
  return Hash64({reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T)}) | 1;
}

std::uint32_t Code(Event event) { return static_cast<std::uint32_t>(event.kind) << 28 | event.arg; }

}  // namespace

std::uint64_t State::Fingerprint() const {
  std::uint64_t hash = 0x9E3779B97F4A7C15ull;
  const auto take = [&hash](std::uint64_t word) { hash = Mix(hash ^ word) + word; };
  for (std::size_t i = 0; i + 1 < kReplicas; i += 2) {
    take(std::uint64_t{nodes[i]} << 32 | nodes[i + 1]);
  }
  take(std::uint64_t{nodes[kReplicas - 1]} << 32 | ghost);
  std::uint64_t words[3] = {};
  static_assert(sizeof(Left) <= sizeof words);
  static_assert(std::has_unique_object_representations_v<Left>);
  std::memcpy(words, &left, sizeof left);
  take(words[0]);
  take(words[1]);
  take(words[2]);
  return hash | 1;
}

std::size_t Left::OwnerOf(const Ballot& ballot) const {
  return rounds[ballot.epoch.value] >> (3 * ballot.round) & 7;
}

void Left::Own(const Ballot& ballot, std::size_t owner) {
  rounds[ballot.epoch.value] |= static_cast<std::uint16_t>(owner << (3 * ballot.round));
}

Model::Model(const Scope& scope) : world_(scope) {
  ids_ = scope.voters;
  ids_.insert(ids_.end(), scope.learners.begin(), scope.learners.end());
  DECREE_CHECK(ids_.size() <= kReplicas);
}

State Model::Initial() {
  State state;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    state.nodes[i] = NodeNumber(LocalNumber(world_.Fresh(IdAt(i))), {});
  }
  state.ghost = GhostNumber(Ghost{});
  state.left.commands = static_cast<std::uint8_t>(world_.scope.commands);
  state.left.crashes = static_cast<std::uint8_t>(world_.scope.crashes);
  state.left.ticks = static_cast<std::uint8_t>(world_.scope.ticks);
  state.left.lags = static_cast<std::uint8_t>(world_.scope.lags);
  state.left.transfers = static_cast<std::uint8_t>(world_.scope.transfers);
  state.left.trims = static_cast<std::uint8_t>(world_.scope.trims);
  state.left.beats = static_cast<std::uint8_t>(world_.scope.beats);
  state.left.reads = static_cast<std::uint8_t>(world_.scope.reads);
  return world_.scope.leader_at_start ? StartWithLeader(state) : state;
}

// A campaigns; then whatever can be delivered or written is, until nothing moves. If something is
// wrong with that already, the search begins before.
State Model::StartWithLeader(const State& first) {
  State state = first;
  bool moved = true;
  bool campaigned = false;
  bool broken = false;
  while (moved) {
    moved = false;
    std::optional<State> next;
    Successors(state, [&](const Successor& s) {
      const bool begins = !campaigned && s.event.kind == EventKind::kCampaign && s.replica == 0;
      const bool flows = s.event.kind == EventKind::kDeliver || s.event.kind == EventKind::kPersist;
      if (!begins && !(campaigned && flows)) return;
      broken = broken || s.violation != nullptr;
      if (!next && s.state != state) next = s.state;
    });
    if (!next || broken) break;
    campaigned = moved = true;
    state = *next;
  }
  return !broken && LocalOf(state, 0).replica.ReadyLeader() ? state : first;
}

std::size_t Model::IndexOf(ReplicaId id) const {
  const auto at = std::find(ids_.begin(), ids_.end(), id.value);
  DECREE_CHECK(at != ids_.end());
  return static_cast<std::size_t>(at - ids_.begin());
}

const Local& Model::LocalOf(const State& state, std::size_t replica) const {
  return locals_[nodes_[state.nodes[replica]].local].local;
}

// ---- numbering ----

Model::Number Model::LocalNumber(Local local) {
  Number& number = local_numbers_.At(local.Hash() | 1);
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(locals_.size());
    const Floor floor = FloorOf(local, world_);
    const Standing standing = StandingOf(local);
    locals_.push_back(KnownLocal{std::move(local), floor, standing, {}});
  }
  return number;
}

Model::Number Model::MessageNumber(Packet packet) {
  std::string bytes = Encode(packet.from) + Encode(packet.to);
  AppendEncoded(bytes, packet.message);
  Number& number = message_numbers_.At(Hash64(bytes) | 1);
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(messages_.size());
    messages_.push_back(std::move(packet));
  }
  return number;
}

Model::Number Model::InboxNumber(std::vector<Number> messages) {
  std::sort(messages.begin(), messages.end());
  messages.erase(std::unique(messages.begin(), messages.end()), messages.end());
  Number& number = inbox_numbers_.At(HashOfAll(messages));
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(inboxes_.size());
    inboxes_.push_back(std::move(messages));
  }
  return number;
}

// Without what is dead for the replica as it is now.
Model::Number Model::NodeNumber(Number local, const std::vector<Number>& messages) {
  const KnownLocal& known = locals_[local];
  std::vector<Number> alive;
  for (const Number message : messages) {
    const bool keep = world_.scope.everything;
    if (keep || !IsDead(messages_[message], known.local, known.floor)) alive.push_back(message);
  }
  const Number inbox = InboxNumber(std::move(alive));
  Number& number = node_numbers_.At(Pair(local, inbox));
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(nodes_.size());
    nodes_.push_back(Node{local, inbox});
  }
  return number;
}

Model::Number Model::GhostNumber(Ghost ghost) {
  Number& number = ghost_numbers_.At(Hash64(ghost.Key()) | 1);
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(ghosts_.size());
    ghosts_.push_back(KnownGhost{std::move(ghost)});
  }
  return number;
}

Model::Number Model::FactsNumber(const std::vector<Fact>& facts) {
  static_assert(sizeof(Fact) == 8);  // without gaps: its bytes may be hashed
  Number& number = facts_numbers_.At(HashOfAll(facts));
  if (number == FlatMap::kNone) {
    number = static_cast<Number>(facts_.size());
    facts_.push_back(facts);
  }
  return number;
}

Model::Number Model::ViolationNumber(const std::string& text) {
  if (text.empty()) return 0;
  violations_.push_back(text);
  return static_cast<Number>(violations_.size() - 1);
}

// ---- steps of one replica ----

Model::Number Model::StepNumber(Number local, Event event) {
  const std::uint64_t key = Pair(local, Code(event));
  if (const Number known = step_numbers_.At(key); known != FlatMap::kNone) return known;
  const std::optional<Number> computed = Compute(local, event);
  DECREE_CHECK(computed.has_value());
  step_numbers_.At(key) = *computed;
  return *computed;
}

std::optional<Model::Number> Model::Compute(Number local, Event event) {
  const Local& before = locals_[local].local;
  Step step(before, world_);
  if (!Run(step, event)) return std::nullopt;
  return Keep(before, std::move(step), event);
}

bool Model::Run(Step& step, Event event) {
  switch (event.kind) {
    case EventKind::kDeliver:
      step.Deliver(messages_[event.arg].from, messages_[event.arg].message);
      return true;
    case EventKind::kCampaign:
      return step.Campaign(event.arg);
    case EventKind::kCommand:
      return step.Propose(CommandOf(step.local.replica));
    case EventKind::kDecree:
      return step.Propose(world_.scope.decrees[event.arg]);
    case EventKind::kPersist:
      step.Persist();
      return true;
    case EventKind::kCrash:
      step.Crash();
      return true;
    case EventKind::kRead:
      return step.Read();
    case EventKind::kBeat:
      step.Beat();
      return true;
    case EventKind::kTrim:
      step.Trim();
      return true;
    case EventKind::kTransfer:
      return step.Transfer(ReplicaId{event.arg});
    case EventKind::kTime:
      step.PassTime();
      return true;
  }
  return false;
}

Model::Number Model::Keep(const Local& before, Step step, Event event) {
  KnownStep known{event};
  const Ballot promised = step.local.replica.promised();
  if (promised != before.replica.promised() && promised.replica == before.replica.self()) {
    known.campaign = promised;
  }
  if (!step.served.empty()) {
    known.served = *std::min_element(step.served.begin(), step.served.end());
  }
  known.facts = FactsNumber(step.facts);
  known.violation = ViolationNumber(step.violation);
  std::array<std::vector<Number>, kReplicas> inboxes;
  const Member self = testing::MemberOf(before.replica.self().value);
  for (const Outgoing& out : step.sends) {
    for (Message& message : Shaped(out, step.local.replica, world_.scope)) {
      inboxes[IndexOf(out.to.id)].push_back(
          MessageNumber(Packet{self, out.to, std::move(message)}));
    }
  }
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (inboxes[i].empty()) continue;
    known.sends.emplace_back(static_cast<std::uint8_t>(i), InboxNumber(std::move(inboxes[i])));
  }
  known.local = LocalNumber(std::move(step.local));
  steps_.push_back(std::move(known));
  return static_cast<Number>(steps_.size() - 1);
}

const std::vector<Model::Number>& Model::OwnSteps(Number local) {
  if (locals_[local].own_steps) return *locals_[local].own_steps;
  const Scope& scope = world_.scope;
  std::vector<Event> events;
  {
    const Local& here = locals_[local].local;
    const std::uint64_t epoch = here.replica.config().epoch.value;
    const std::uint64_t rounds = epoch < scope.rounds.size() ? scope.rounds[epoch] : 0;
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      if (MayCampaign(here, round)) events.push_back({EventKind::kCampaign, round});
    }
    const bool leads = here.replica.role() == Role::kLeader;
    if (leads && ModelAccess::NextSlot(here.replica).value <= scope.slots) {
      const bool here_too = scope.commands_in_epoch == 0 || scope.commands_in_epoch == epoch;
      if (scope.commands > 0 && here_too) events.push_back({EventKind::kCommand, 0});
      for (std::uint32_t i = 0; i < scope.decrees.size(); ++i) {
        events.push_back({EventKind::kDecree, i});
      }
    }
    if (leads && scope.reads > 0) events.push_back({EventKind::kRead, 0});
    if (leads && scope.beats > 0) events.push_back({EventKind::kBeat, 0});
    if (leads && scope.transfers > 0 && !here.replica.HandingOver()) {
      for (const Member& voter : here.replica.config().voters) {
        events.push_back({EventKind::kTransfer, static_cast<std::uint32_t>(voter.id.value)});
      }
    }
    if (scope.trims > 0 && here.replica.applied() > here.replica.trimmed()) {
      events.push_back({EventKind::kTrim, 0});
    }
    if (!here.writes.empty()) events.push_back({EventKind::kPersist, 0});
    if (scope.crashes > 0) events.push_back({EventKind::kCrash, 0});
  }
  std::vector<Number> steps;
  for (const Event event : events) {
    if (const auto step = Compute(local, event)) steps.push_back(*step);
  }
  return locals_[local].own_steps.emplace(std::move(steps));
}

bool Model::Changes(Number node, const KnownStep& step) const {
  return step.local != nodes_[node].local || !step.sends.empty() || step.violation != 0 ||
         step.served || !facts_[step.facts].empty();
}

void Model::Expand(Number node) {
  const Number local = nodes_[node].local;
  const std::vector<Number> inbox = inboxes_[nodes_[node].inbox];
  std::vector<std::pair<Number, Number>> moves;
  const auto add = [&](Number number) {
    if (Changes(node, steps_[number])) {
      moves.emplace_back(number, NodeNumber(steps_[number].local, inbox));
    }
  };
  for (const Number message : inbox) add(StepNumber(local, {EventKind::kDeliver, message}));
  for (const Number number : OwnSteps(local)) add(number);
  nodes_[node].moves = std::move(moves);
  nodes_[node].expanded = true;
}

Model::Number Model::Later(Number node) {
  if (nodes_[node].later == FlatMap::kNone) {
    const Number step = StepNumber(nodes_[node].local, {EventKind::kTime, 0});
    nodes_[node].later = NodeNumber(steps_[step].local, inboxes_[nodes_[node].inbox]);
  }
  return nodes_[node].later;
}

Model::Number Model::Receive(Number node, Number inbox) {
  const std::uint64_t key = Pair(node, inbox);
  if (const Number known = received_.At(key); known != FlatMap::kNone) return known;
  std::vector<Number> messages = inboxes_[nodes_[node].inbox];
  messages.insert(messages.end(), inboxes_[inbox].begin(), inboxes_[inbox].end());
  const Number after = NodeNumber(nodes_[node].local, messages);
  received_.At(key) = after;
  return after;
}

Model::Number Model::Remember(Number ghost, Number facts, Number& violation) {
  if (facts_[facts].empty()) return ghost;
  const std::uint64_t key = Pair(ghost, facts);
  Number after = remembered_.At(key);
  if (after == FlatMap::kNone) {
    Ghost next = ghosts_[ghost].ghost;
    std::string broken;
    for (const Fact& fact : facts_[facts]) {
      if (broken.empty() && !world_.scope.outcomes_only) broken = next.AboveHole(fact);
      if (broken.empty()) broken = next.Add(fact, world_.genesis, world_.values);
    }
    if (!broken.empty()) ghost_violations_[key] = ViolationNumber(broken);
    after = GhostNumber(std::move(next));
    remembered_.At(key) = after;
  }
  const auto broken = ghost_violations_.find(key);
  if (broken != ghost_violations_.end()) violation = broken->second;
  return after;
}

// ---- steps of all ----

// Replicas that are alike first campaign in the order of their numbers: a run in which they do not
// is this one with other names.
bool Model::InOrder(const Left& left, std::size_t replica) const {
  const auto& alike = world_.scope.alike;
  if (std::find(alike.begin(), alike.end(), ids_[replica]) == alike.end()) return true;
  for (const std::uint64_t id : alike) {
    if (id == ids_[replica]) return true;
    if ((left.campaigned >> IndexOf(ReplicaId{id}) & 1) == 0) return false;
  }
  return true;
}

// No two replicas campaign in the same round: only the order of ballots matters, and it has other
// names. A replica that forgot its ballot might use it again.
bool Model::IsFree(const Left& left, const Ballot& ballot, std::size_t replica) const {
  const std::size_t owner = left.OwnerOf(ballot);
  return owner == 0 || owner == replica + 1;
}

bool Model::Allowed(const State& state, std::size_t replica, const KnownStep& step) const {
  const Left& left = state.left;
  const Ballot& campaign = step.campaign;
  if (campaign.epoch.value >= left.rounds.size()) return false;
  if (campaign && campaign.round > world_.scope.rounds[campaign.epoch.value]) return false;
  switch (step.event.kind) {
    case EventKind::kCampaign:
      return IsFree(left, campaign, replica) && InOrder(left, replica);
    case EventKind::kCommand:
      return left.commands > 0;
    case EventKind::kDecree:
      return (left.decrees_used >> step.event.arg & 1) == 0;
    case EventKind::kCrash:
      return left.crashes > 0;
    case EventKind::kRead:
      return left.reads > 0;
    case EventKind::kBeat:
      return left.beats > 0;
    case EventKind::kTrim:
      return left.trims > 0;
    case EventKind::kTransfer:
      return left.transfers > 0;
    default:
      return true;
  }
}

void Model::Spend(State& state, std::size_t replica, const KnownStep& step) const {
  Left& left = state.left;
  if (step.campaign) {
    if (left.OwnerOf(step.campaign) == 0) left.Own(step.campaign, replica + 1);
    left.campaigned |= static_cast<std::uint8_t>(1u << replica);
  }
  if (step.event.kind == EventKind::kCommand) --left.commands;
  if (step.event.kind == EventKind::kDecree) {
    left.decrees_used |= static_cast<std::uint8_t>(1u << step.event.arg);
  }
  if (step.event.kind == EventKind::kCrash) --left.crashes;
  if (step.event.kind == EventKind::kBeat) --left.beats;
  if (step.event.kind == EventKind::kTrim) --left.trims;
  if (step.event.kind == EventKind::kTransfer) --left.transfers;
  if (step.event.kind == EventKind::kRead) {
    --left.reads;
    left.read_floor = static_cast<std::uint8_t>(ghosts_[state.ghost].ghost.acked().value);
  }
}

// For all clocks alike, or for all but one: what the drift allows for.
void Model::PassTime(const State& state, const Visitor& visit) {
  if (state.left.ticks == 0) return;
  Successor next{state, 0, Event{EventKind::kTime, 0}};
  --next.state.left.ticks;
  for (std::size_t i = 0; i < ids_.size(); ++i) next.state.nodes[i] = Later(state.nodes[i]);
  visit(next);
  if (state.left.lags == 0) return;
  --next.state.left.lags;
  for (std::size_t slow = 0; slow < ids_.size(); ++slow) {
    Successor lagged = next;
    lagged.event.arg = static_cast<std::uint32_t>(ids_[slow]);
    lagged.state.nodes[slow] = state.nodes[slow];
    visit(lagged);
  }
}

const std::string* Model::WhatIsWrong(const State& state, std::size_t acted) const {
  std::array<const Standing*, kReplicas> others;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    others[i] = &locals_[nodes_[state.nodes[i]].local].standing;
  }
  if (!others[acted]->leads) return nullptr;  // nothing that was well before is broken by it
  const Standings all(others.data(), ids_.size());
  const std::string* wrong = world_.scope.leases ? UnderALease(all, acted) : nullptr;
  if (wrong != nullptr || world_.scope.outcomes_only) return wrong;
  wrong = ReadsBesideItsSeal(*all[acted]);
  return wrong != nullptr ? wrong : WithoutPromises(all, acted);
}

void Model::Successors(const State& state, const Visitor& visit) {
  static const std::string kStale = "a stale read: it does not see what was acknowledged before";
  for (std::size_t replica = 0; replica < ids_.size(); ++replica) {
    const Number node = state.nodes[replica];
    if (!nodes_[node].expanded) Expand(node);
    for (std::size_t i = 0; i < nodes_[node].moves.size(); ++i) {
      const auto [number, after] = nodes_[node].moves[i];
      const KnownStep& step = steps_[number];
      if (!Allowed(state, replica, step)) continue;
      Successor next{state, replica, step.event};
      next.state.nodes[replica] = after;
      Spend(next.state, replica, step);
      for (const auto& [to, inbox] : step.sends) {
        next.state.nodes[to] = Receive(next.state.nodes[to], inbox);
      }
      Number violation = step.violation;
      next.state.ghost = Remember(state.ghost, step.facts, violation);
      if (violation != 0) next.violation = &violations_[violation];
      if (step.served && *step.served < Slot{next.state.left.read_floor}) {
        next.violation = &kStale;
      }
      if (next.violation == nullptr) next.violation = WhatIsWrong(next.state, replica);
      visit(next);
    }
  }
  PassTime(state, visit);
}

}  // namespace decree::consensus::model
