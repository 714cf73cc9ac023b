#include "tests/consensus/bare_host.h"

#include <algorithm>

namespace decree::consensus::testing {

void BareDisk::Write(const Persist& record) {
  if (record.promised) promised = std::max(promised, *record.promised);
  for (const Vote& vote : record.votes) {
    const auto known = votes.find(vote.slot);
    if (known == votes.end() || known->second.ballot <= vote.ballot) votes[vote.slot] = vote;
  }
  for (const ChosenDecree& c : record.chosen) chosen[c.slot] = c.decree;
  watermark = std::max(watermark, record.watermark);
}

void BareDisk::Trim() {
  votes.erase(votes.begin(), votes.upper_bound(rows));
  chosen.erase(chosen.begin(), chosen.upper_bound(rows));
}

Recovered BareDisk::Recover() const {
  Recovered recovered;
  recovered.config = rows_config;
  recovered.applied = rows;
  recovered.promised = promised;
  recovered.watermark = watermark;
  for (const auto& [slot, vote] : votes) recovered.votes.push_back(vote);
  for (const auto& [slot, decree] : chosen) recovered.chosen.push_back(ChosenDecree{slot, decree});
  return recovered;
}

BareHost::BareHost(Member self, const Config& genesis, const Options& options, std::uint64_t seed,
                   Invariants* invariants)
    : self_(self), options_(options), seed_(seed), invariants_(invariants) {
  disk_.rows_config = genesis;
}

void BareHost::Start(Instant now) {
  applied_ = disk_.rows;
  applied_config_ = disk_.rows_config;
  rows_ = disk_.rows_hold;
  replica_.emplace(self_.id, disk_.Recover(), options_, ++seed_ * 0x9E3779B97F4A7C15u, now);
  if (invariants_ != nullptr) invariants_->Restarted(*replica_);
  TakeOutput(now);
}

void BareHost::Crash(std::size_t keep) {
  for (; keep > 0 && !writes.empty(); --keep) {
    if (invariants_ != nullptr) invariants_->Durable(self_.id, writes.front().record);
    disk_.Write(writes.front().record);
    writes.pop_front();
  }
  replica_.reset();
  outbox.clear();
  writes.clear();
  reads.clear();
  chosen.clear();
  to_apply_.clear();
  snapshot.reset();
  wake_at = kNever;
}

void BareHost::Tick(Instant now) {
  replica_->Tick(now);
  TakeOutput(now);
}

void BareHost::Receive(Instant now, const Member& from, const Message& message) {
  replica_->Receive(now, from, message);
  TakeOutput(now);
}

ProposeResult BareHost::Propose(Instant now, const Decree& decree) {
  const ProposeResult result = replica_->Propose(now, decree);
  TakeOutput(now);
  return result;
}

void BareHost::Read(Instant now, ReadId id) {
  replica_->RequestRead(now, id);
  TakeOutput(now);
}

void BareHost::Wake(Instant now) {
  replica_->Wake(now);
  TakeOutput(now);
}

void BareHost::Transfer(Instant now, ReplicaId target) {
  replica_->TransferLeadership(now, target);
  TakeOutput(now);
}

bool BareHost::CompleteWrite(Instant now) {
  if (writes.empty()) return false;
  BareWrite write = std::move(writes.front());
  writes.pop_front();
  if (invariants_ != nullptr) invariants_->Durable(self_.id, write.record);
  disk_.Write(write.record);
  for (Outgoing& out : write.after) {
    if (invariants_ != nullptr) invariants_->Sent(self_.id, out.message);
    outbox.push_back(std::move(out));
  }
  replica_->Persisted(now, write.record.id);
  TakeOutput(now);
  return true;
}

void BareHost::CompleteWrites(Instant now) {
  while (CompleteWrite(now)) {
  }
}

void BareHost::Apply(Instant now) {
  while (!to_apply_.empty()) {
    const ChosenDecree c = std::move(to_apply_.front());
    to_apply_.pop_front();
    if (c.slot <= applied_) continue;
    applied_config_ = Advance(applied_config_, c.slot, c.decree);
    applied_ = c.slot;
    rows_[c.slot] = Invariants::HashOf(c.decree);
  }
  if (replica_->applied() == applied_) return;
  replica_->Applied(now, applied_);
  TakeOutput(now);
}

void BareHost::Flush() {
  disk_.rows = applied_;
  disk_.rows_config = applied_config_;
  disk_.rows_hold = rows_;
}

void BareHost::TrimLog() {
  disk_.Trim();
  replica_->Trim(disk_.rows);
}

void BareHost::InstallSnapshot(Instant now, Slot slot, const Config& config, BareRows rows) {
  snapshot.reset();
  if (slot <= replica_->chosen()) return;
  disk_.rows = applied_ = slot;
  disk_.rows_config = applied_config_ = config;
  disk_.rows_hold = rows_ = std::move(rows);
  replica_->InstalledSnapshot(now, slot, config);
  TakeOutput(now);
}

void BareHost::TakeOutput(Instant now) {
  Output out = replica_->TakeOutput();
  if (invariants_ != nullptr) invariants_->Stepped(*replica_, out);
  for (Outgoing& message : out.send) {
    if (invariants_ != nullptr) invariants_->Sent(self_.id, message.message);
    outbox.push_back(std::move(message));
  }
  if (out.persist) {
    writes.push_back(BareWrite{std::move(*out.persist), std::move(out.send_after_persist)});
  }
  for (ChosenDecree& c : out.chosen) {
    to_apply_.push_back(c);
    chosen.push_back(std::move(c));
  }
  for (const ReadReady& read : out.reads) reads.push_back(read);
  if (out.snapshot) snapshot = out.snapshot;
  if (out.leadership_changed) leadership_changes.push_back(replica_->role());
  wake_at = out.wake_at;
  if (apply_at_once) Apply(now);
}

Member MemberOf(std::uint64_t id) {
  return Member{ReplicaId{id}, NodeId{static_cast<std::uint32_t>(id)}};
}

namespace {
std::vector<Member> MembersOf(const std::vector<std::uint64_t>& ids) {
  std::vector<Member> members;
  for (const std::uint64_t id : ids) members.push_back(MemberOf(id));
  return members;
}
}  // namespace

Config GenesisOf(std::vector<std::uint64_t> voters, std::vector<std::uint64_t> learners) {
  Config config;
  config.epoch = Epoch{1};
  config.start = Slot{1};
  config.voters = MembersOf(voters);
  config.learners = MembersOf(learners);
  return config;
}

Decree Command(const std::string& payload) {
  Decree decree;
  decree.kind = DecreeKind::kCommandBatch;
  decree.payload = std::make_shared<const std::string>(payload);
  return decree;
}

Decree SealOf(MoveId move, std::vector<std::uint64_t> voters, std::vector<std::uint64_t> learners) {
  Decree decree;
  decree.kind = DecreeKind::kSeal;
  decree.move = move;
  decree.next_voters = MembersOf(voters);
  decree.next_learners = MembersOf(learners);
  return decree;
}

Decree AddLearnerOf(MoveId move, std::uint64_t id) {
  Decree decree;
  decree.kind = DecreeKind::kAddLearner;
  decree.move = move;
  decree.member = MemberOf(id);
  return decree;
}

Decree RemoveLearnerOf(MoveId move, std::uint64_t id) {
  Decree decree = AddLearnerOf(move, id);
  decree.kind = DecreeKind::kRemoveLearner;
  return decree;
}

}  // namespace decree::consensus::testing
