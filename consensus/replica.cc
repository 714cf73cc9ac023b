#include "consensus/replica.h"

#include <utility>

#include "consensus/core.h"

namespace decree::consensus {

Replica::Replica(ReplicaId self, Recovered recovered, Options options, std::uint64_t seed,
                 Instant now)
    : core_(std::make_unique<Core>(self, std::move(recovered), options, seed, now)) {}

Replica::Replica(const Replica& other) : core_(std::make_unique<Core>(*other.core_)) {}
Replica& Replica::operator=(const Replica& other) {
  if (this != &other) core_ = std::make_unique<Core>(*other.core_);
  return *this;
}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

void Replica::Tick(Instant now) { core_->Tick(now); }
void Replica::Receive(Instant now, const Member& from, Message message) {
  core_->Receive(now, from, std::move(message));
}
ProposeResult Replica::Propose(Instant now, Decree decree) {
  return core_->Propose(now, std::move(decree));
}
void Replica::HoldProposals() { core_->HoldProposals(); }
void Replica::ResumeProposals() { core_->ResumeProposals(); }
void Replica::RequestRead(Instant now, ReadId id) { core_->RequestRead(now, id); }
void Replica::TransferLeadership(Instant now, ReplicaId target) {
  core_->TransferLeadership(now, target);
}
void Replica::Wake(Instant now) { core_->Wake(now); }
void Replica::Persisted(Instant now, PersistId id) { core_->Persisted(now, id); }
void Replica::Applied(Instant now, Slot slot) { core_->Applied(now, slot); }
void Replica::Trim(Slot slot) { core_->Trim(slot); }
void Replica::InstalledSnapshot(Instant now, Slot applied, Config config) {
  core_->InstalledSnapshot(now, applied, std::move(config));
}
Output Replica::TakeOutput() { return core_->TakeOutput(); }

ReplicaId Replica::self() const { return core_->self(); }
Role Replica::role() const { return core_->role(); }
bool Replica::ReadyLeader() const { return core_->Ready(); }
const Ballot& Replica::promised() const { return core_->promised(); }
const Config& Replica::config() const { return core_->config(); }
Slot Replica::chosen() const { return core_->chosen(); }
Slot Replica::durable_chosen() const { return core_->durable_chosen(); }
Slot Replica::applied() const { return core_->applied(); }
Slot Replica::trimmed() const { return core_->log().trimmed(); }
std::size_t Replica::log_bytes() const { return core_->log().bytes(); }
std::size_t Replica::LogBytesAbove(Slot slot) const { return core_->log().BytesAbove(slot); }
std::size_t Replica::LogBytesAt(Slot slot) const { return core_->log().BytesAt(slot); }
std::size_t Replica::inflight() const { return core_->inflight(); }
std::optional<Member> Replica::leader() const { return core_->leader(); }
std::optional<Slot> Replica::DurableChosenOf(ReplicaId member) const {
  return core_->DurableChosenOf(member);
}
std::optional<Instant> Replica::HeardAt(ReplicaId member) const { return core_->HeardAt(member); }
bool Replica::HandingOver() const { return core_->HandingOver(); }
std::optional<Instant> Replica::LeaseUntil() const { return core_->LeaseUntil(); }
bool Replica::asleep() const { return core_->asleep(); }
std::optional<ChosenDecree> Replica::ChosenAt(Slot slot) const { return core_->ChosenAt(slot); }
const Vote* Replica::VoteAt(Slot slot) const { return core_->VoteAt(slot); }
std::uint64_t Replica::StateHash() const { return core_->StateHash(); }

}  // namespace decree::consensus
