#include "tests/model/local.h"

#include <algorithm>

#include "kv/base/check.h"
#include "kv/base/frame.h"
#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

constexpr ReplicaId kNobody{99};  // in ballots that only name a round

Member AnotherVoter(const Replica& replica) {
  for (const Member& voter : replica.config().voters) {
    if (voter.id != replica.self()) return voter;
  }
  return Member{};
}

}  // namespace

std::uint64_t Local::Hash() const {
  std::string bytes;
  Writer w(bytes);
  const auto put = [&w](const auto&... part) { (Put(w, part), ...); };
  put(replica.StateHash(), disk.promised, disk.votes, disk.chosen, disk.watermark, disk.rows);
  put(proposed, std::uint64_t{time}, writes.size());
  for (const testing::BareWrite& write : writes) {
    put(write.record, write.after.size());
    for (const Outgoing& out : write.after) put(out.to, out.message);
  }
  return Hash64(bytes);
}

Instant Local::Now() const { return ModelAccess::kBegin + ModelAccess::kTick * time; }

World::World(const Scope& of) : scope(of), genesis(testing::GenesisOf(of.voters, of.learners)) {
  options.sleep_after = Duration{};
  options.leases = of.leases;
  options.lease = of.leases ? ModelAccess::kTick * of.lease_ticks : Duration{};
  options.lease_margin = Duration{1};
  options.lease_drift_ppm = of.drift_ppm;
}

Local World::Fresh(ReplicaId id) const {
  testing::BareDisk disk;
  const bool empty = scope.empty_learner && genesis.IsLearner(id);
  if (!empty) disk.rows_config = genesis;
  Local local{Replica(id, disk.Recover(), options, 0, ModelAccess::kBegin), disk, {}};
  local.replica.TakeOutput();
  ModelAccess::Normalise(local.replica, local.Now());
  return local;
}

Slot World::NumberOf(const Config& snapshot) {
  const auto known = std::find(snapshots.begin(), snapshots.end(), snapshot);
  const auto number = static_cast<std::uint64_t>(known - snapshots.begin());
  if (known == snapshots.end()) snapshots.push_back(snapshot);
  return Slot{number};
}

Step::Step(const Local& before, World& world)
    : local(before),
      world_(world),
      now_(before.Now()),
      promised_before_(before.replica.promised()),
      chosen_before_(before.replica.chosen()) {}

// A CHECK that fails is a violation like any other.
template <class Call>
void Step::Guard(Call&& call) {
  try {
    call();
    TakeOutput();
    Settled();
  } catch (const CheckFailure& failure) {
    Violate(failure.what());
  }
}

void Step::Violate(const std::string& what) {
  if (violation.empty()) {
    violation = "replica " + ToString(local.replica.self()) + ": " + what;
  }
}

void Step::Deliver(const Member& from, const Message& message) {
  const auto* learned = std::get_if<Learned>(&message);
  Guard([&] {
    if (learned != nullptr && learned->decrees.empty()) {
      Install(learned->trimmed, world_.snapshots[learned->chosen.value]);
    } else {
      local.replica.Receive(now_, from, message);
    }
  });
}

// Whoever lags may install it at any later time, whether it asked or not.
void Step::OfferSnapshot() {
  const Learned offer{
      local.disk.rows, world_.NumberOf(local.disk.rows_config), local.disk.rows, {}};
  for (const std::vector<std::uint64_t>& ids : {world_.scope.voters, world_.scope.learners}) {
    for (const std::uint64_t id : ids) {
      if (ReplicaId{id} != local.replica.self()) {
        sends.push_back(Outgoing{testing::MemberOf(id), offer});
      }
    }
  }
}

// What the log holds below the rows stays there: a restart must not believe it.
void Step::Install(Slot slot, const Config& config) {
  if (slot <= local.replica.chosen()) return;
  local.disk.rows = slot;
  local.disk.rows_config = config;
  std::erase_if(local.proposed, [&](const auto& waiting) { return waiting.first <= slot; });
  local.replica.InstalledSnapshot(now_, slot, config);
}

bool MayCampaign(const Local& local, std::uint64_t round) {
  const Replica& replica = local.replica;
  const Config& config = replica.config();
  const Ballot& promised = replica.promised();
  return config.IsVoter(replica.self()) && config.voters.size() > 1 &&
         (promised.epoch != config.epoch || round > promised.round);
}

// Its timer runs out whatever it is; the others grant the poll, as they have heard nobody for long;
// and it has met ballots up to the round below (in refusals, which the model does not send).
bool Step::Campaign(std::uint64_t round) {
  bool began = false;
  Guard([&] {
    Replica& replica = local.replica;
    const Member other = AnotherVoter(replica);
    const Ballot met{replica.config().epoch, round - 1, kNobody};
    if (replica.role() == Role::kLeader) replica.Tick(now_);
    if (replica.role() == Role::kCandidate) {
      replica.Receive(now_, other, Promise{replica.promised(), met, {}, {}, 0, 1, {}});
    }
    TakeOnce();
    ModelAccess::Normalise(replica, now_);
    replica.Tick(now_);
    const Ballot promised = replica.promised();
    const std::uint64_t below = promised.epoch == replica.config().epoch ? promised.round : 0;
    const Ballot polled{replica.config().epoch, below + 1, replica.self()};
    if (polled.round < round) {
      replica.Receive(now_, other, PreVoteReply{polled, false, met, {}});
    }
    for (const Member& voter : std::vector<Member>(replica.config().voters)) {
      if (replica.role() != Role::kPreCandidate || voter.id == replica.self()) continue;
      replica.Receive(now_, voter, PreVoteReply{polled, true, {}, {}});
    }
    began = replica.promised() == Ballot{replica.config().epoch, round, replica.self()};
  });
  return began || !violation.empty();  // a grant may keep it from it
}

Decree CommandOf(const Replica& replica) {
  return testing::Command("command-of-" + ToString(replica.promised()));
}

bool Step::Propose(const Decree& decree) {
  bool taken = false;
  Guard([&] {
    const ProposeResult result = local.replica.Propose(now_, decree);
    taken = result.code == ProposeCode::kProposed;
    const bool seals = taken && decree.kind == DecreeKind::kSeal;
    if (seals && result.slot != chosen_before_.Next() && !world_.scope.outcomes_only) {
      Violate("INV-22 proposes a Seal above slots that are not chosen");
    }
    if (taken && world_.scope.reads > 0) {
      local.proposed.emplace_back(result.slot, world_.values.IdOf(decree));
    }
  });
  return taken;
}

bool Step::Read() {
  const bool leads = local.replica.role() == Role::kLeader;
  if (leads) Guard([&] { local.replica.RequestRead(now_, 1); });
  return leads;
}

void Step::Beat() {
  Guard([&] {
    ModelAccess::HearQuorum(local.replica, now_);
    local.replica.Tick(now_);
  });
}

void Step::Trim() {
  Guard([&] {
    local.disk.rows = local.replica.applied();
    local.disk.rows_config = local.replica.config();
    local.disk.Trim();
    local.replica.Trim(local.disk.rows);
    if (world_.scope.snapshots) OfferSnapshot();
  });
}

bool Step::Transfer(ReplicaId target) {
  Guard([&] { local.replica.TransferLeadership(now_, target); });
  return local.replica.HandingOver() || !violation.empty();
}

void Step::PassTime() {
  ++local.time;
  now_ = local.Now();
  Settled();
}

void Step::Persist() {
  Guard([&] { CompleteWrite(); });
}

// What is under way is lost; that it might have reached the disk is another order of events.
void Step::Crash() {
  Guard([&] {
    const testing::BareDisk& disk = local.disk;
    local.writes.clear();
    BreakDisk();
    local.proposed.clear();
    local.replica = Replica(local.replica.self(), disk.Recover(), world_.options, 0, now_);
    if (local.replica.promised() < disk.promised) Violate("INV-3 a durable promise was forgotten");
    for (const auto& [slot, vote] : disk.votes) {
      if (slot <= local.replica.chosen()) continue;
      const Vote* held = local.replica.VoteAt(slot);
      if (held == nullptr || held->ballot < vote.ballot) Violate("INV-6 a vote was forgotten");
    }
    promised_before_ = disk.promised;
    chosen_before_ = Slot{};
  });
}

void Step::BreakDisk() {
  if (world_.scope.fault == DiskFault::kForgetsPromise) local.disk.promised = Ballot{};
  if (world_.scope.fault == DiskFault::kForgetsVotes) local.disk.votes.clear();
}

void Step::Settled() {
  if (local.replica.promised() < promised_before_) Violate("INV-3 the promise fell");
  if (local.replica.chosen() < chosen_before_) Violate("INV-8 chosen fell");
  if (!world_.scope.outcomes_only && local.replica.config().start > local.replica.chosen().Next()) {
    Violate("INV-9 takes part in an epoch whose beginning it does not know");
  }
  TellChosen();
  ModelAccess::Normalise(local.replica, now_);
  PersistId id = 0;
  for (testing::BareWrite& write : local.writes) write.record.id = ++id;
}

void Step::TakeOutput() {
  TakeOnce();
  while (!world_.scope.writes_take_time && !local.writes.empty()) CompleteWrite();
}

void Step::TakeOnce() {
  const Slot applied = local.replica.applied();
  Output out = local.replica.TakeOutput();
  if (out.persist && world_.scope.fault == DiskFault::kAnswersEarly) {
    for (Outgoing& message : out.send_after_persist) Leave(std::move(message));
    out.send_after_persist.clear();
  }
  if (out.persist) {
    local.writes.push_back({std::move(*out.persist), std::move(out.send_after_persist)});
  }
  for (Outgoing& message : out.send) Leave(std::move(message));
  for (const ChosenDecree& chosen : out.chosen) HandOut(chosen);
  for (const ReadReady& read : out.reads) {
    if (read.ok) served.push_back(local.replica.applied());
  }
  if (!out.chosen.empty()) {
    if (out.chosen.front().slot != applied.Next()) Violate("INV-8 not handed out in order");
    local.replica.Applied(now_, out.chosen.back().slot);
    TakeOnce();
  }
}

// A client that waits here for its decree is answered.
void Step::HandOut(const ChosenDecree& chosen) {
  Fact fact = HandedFact(local.replica.self(), chosen, world_.values);
  facts.push_back(fact);
  auto& waiting = local.proposed;
  const auto own = std::find(waiting.begin(), waiting.end(), std::pair(chosen.slot, fact.value));
  if (own == waiting.end()) return;
  waiting.erase(own);
  fact.kind = FactKind::kAcked;
  facts.push_back(fact);
}

void Step::CompleteWrite() {
  testing::BareWrite write = std::move(local.writes.front());
  local.writes.pop_front();
  CheckRecord(write.record);
  local.disk.Write(write.record);
  for (Outgoing& out : write.after) Leave(std::move(out));
  local.replica.Persisted(now_, write.record.id);
  TakeOnce();
}

void Step::CheckRecord(const consensus::Persist& record) {
  if (record.promised && *record.promised < local.disk.promised) {
    Violate("INV-3 a lower promise was written");
  }
  const Ballot promised = std::max(local.disk.promised, record.promised.value_or(Ballot{}));
  for (const Vote& vote : record.votes) {
    if (vote.ballot < promised) Violate("INV-4 vote below promise");
    facts.push_back(VoteFact(local.replica.self(), vote, world_.values));
  }
}

// INV-5: what is said is durable when it leaves (P7).
void Step::Leave(Outgoing out) {
  if (const auto* promise = std::get_if<Promise>(&out.message)) {
    CheckSaid(promise->ballot, promise->promised, Slot{});
  } else if (const auto* accepted = std::get_if<Accepted>(&out.message)) {
    CheckSaid(accepted->ballot, accepted->promised, accepted->voted);
  } else if (const auto* reply = std::get_if<HeartbeatReply>(&out.message)) {
    CheckSaid(reply->ballot, reply->promised, reply->voted);
  } else if (const auto* prepare = std::get_if<Prepare>(&out.message)) {
    CheckOwner(prepare->ballot);
    if (prepare->ballot > local.disk.promised) Violate("INV-16 Prepare of a ballot not durable");
  } else if (const auto* accept = std::get_if<Accept>(&out.message)) {
    CheckOwner(accept->ballot);
  } else if (const auto* beat = std::get_if<Heartbeat>(&out.message)) {
    CheckOwner(beat->ballot);
  }
  sends.push_back(std::move(out));
}

void Step::CheckOwner(const Ballot& ballot) {
  if (ballot.replica != local.replica.self()) Violate("INV-12 uses the ballot of another");
}

void Step::CheckSaid(const Ballot& ballot, const Ballot& promised, Slot voted) {
  const testing::BareDisk& disk = local.disk;
  if (promised > disk.promised) Violate("INV-5 promise said before it was durable");
  if (promised != ballot) return;
  for (Slot slot = std::max(disk.watermark, disk.rows).Next(); slot <= voted; slot = slot.Next()) {
    const auto vote = disk.votes.find(slot);
    const bool voted_there = vote != disk.votes.end() && vote->second.ballot >= ballot;
    if (!voted_there && disk.chosen.count(slot) == 0) {
      Violate("INV-5 vote said before it was durable: slot " + ToString(slot));
    }
  }
}

// P11: what it now knows to be chosen it would tell anybody who asks. Who asks when is left to the
// delivery; one decree a message.
void Step::TellChosen() {
  for (Slot slot = chosen_before_.Next(); slot <= local.replica.chosen(); slot = slot.Next()) {
    for (const std::vector<std::uint64_t>& ids : {world_.scope.voters, world_.scope.learners}) {
      for (const std::uint64_t id : ids) {
        if (ReplicaId{id} == local.replica.self()) continue;
        Replica answering = local.replica;
        answering.Receive(now_, testing::MemberOf(id), Learn{slot});
        Output out = answering.TakeOutput();
        for (Outgoing& answer : out.send) {
          auto* learned = std::get_if<Learned>(&answer.message);
          if (learned == nullptr || learned->decrees.empty()) continue;
          learned->chosen = slot;
          learned->decrees.resize(1);
          sends.push_back(std::move(answer));
        }
      }
    }
  }
}

}  // namespace decree::consensus::model
