#include "tests/model/network.h"

#include <algorithm>

#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::vector<Message> SlotBySlot(const Accept& m) {
  std::vector<Message> pages;
  Slot slot = m.first;
  for (const Decree& decree : m.decrees) {
    pages.push_back(Accept{m.ballot, m.base, slot, {decree}, m.chosen});
    slot = slot.Next();
  }
  return pages;
}

// The watermark in an acknowledgement only says whether a member is within kGateSlots.
std::vector<Message> Acknowledgement(const Accepted& m) {
  if (m.promised != m.ballot) return {};
  return {Accepted{m.ballot, m.promised, m.voted, Slot{}}};
}

std::vector<Message> Answer(HeartbeatReply m, const Scope& scope) {
  const bool of_voter = m.promised == m.ballot;
  const bool of_learner = m.promised == Ballot{};
  if (!of_learner && (!of_voter || !scope.heartbeats)) return {};
  m.voted = m.chosen = Slot{};  // acknowledgements travel in Accepted
  return {m};
}

// That a ballot has a leader tells a voter no more than its Prepare did, unless it is to answer.
// The watermark travels in Accepts and in the heartbeat that asks for no answer.
std::vector<Message> Beat(Heartbeat m, bool to_voter, const Scope& scope) {
  if (m.round == 0 || !to_voter) return {m};
  m.chosen = Slot{};
  return scope.heartbeats ? std::vector<Message>{m} : std::vector<Message>{};
}

bool PastBallot(const Ballot& ballot, const Floor& floor) {
  return ballot.epoch < floor.epoch || ballot < floor.promised;
}

// Answers to a ballot that its owner can neither lead nor begin again.
bool OwnerIsThrough(const Ballot& ballot, const Local& to, const Floor& floor) {
  return ballot <= floor.promised && !ModelAccess::MayLead(to.replica, ballot);
}

bool SaysNothingNew(const Packet& packet, const Local& to, Slot voted, std::uint64_t round,
                    bool granted) {
  const Peer* peer = ModelAccess::PeerOf(to.replica, packet.from.id);
  return peer != nullptr && peer->reported && peer->voted >= voted && peer->acked_round >= round &&
         (!granted || peer->granted_round >= round);
}

}  // namespace

std::vector<Message> Shaped(const Outgoing& out, const Replica& from, const Scope& scope) {
  if (scope.everything && !std::holds_alternative<PreVote>(out.message) &&
      !std::holds_alternative<Learn>(out.message)) {
    return {out.message};
  }
  const bool to_voter = from.config().IsVoter(out.to.id);
  return std::visit(Overloaded{
                        [](const PreVote&) { return std::vector<Message>{}; },
                        [](const PreVoteReply&) { return std::vector<Message>{}; },
                        [](const Learn&) { return std::vector<Message>{}; },
                        [](const Sealed&) { return std::vector<Message>{}; },
                        [](const Promise& m) {
                          return m.promised == m.ballot ? std::vector<Message>{m}
                                                        : std::vector<Message>{};
                        },
                        [](const Accept& m) { return SlotBySlot(m); },
                        [](const Accepted& m) { return Acknowledgement(m); },
                        [&](const Heartbeat& m) { return Beat(m, to_voter, scope); },
                        [&](const HeartbeatReply& m) { return Answer(m, scope); },
                        [](const auto& m) { return std::vector<Message>{m}; },
                    },
                    out.message);
}

Floor FloorOf(const Local& local, const World& world) {
  if (world.scope.crashes == 0) {
    return {local.replica.promised(), local.replica.config().epoch, local.replica.chosen()};
  }
  const Replica again(local.replica.self(), local.disk.Recover(), world.options, 0,
                      ModelAccess::kBegin);
  return {again.promised(), again.config().epoch, again.chosen()};
}

bool IsDead(const Packet& packet, const Local& to, const Floor& floor) {
  return std::visit(
      Overloaded{
          [&](const Prepare& m) { return PastBallot(m.ballot, floor); },
          [&](const Promise& m) {
            return m.ballot <= floor.promised && !ModelAccess::AwaitsPromises(to.replica, m.ballot);
          },
          [&](const Accept& m) {
            return PastBallot(m.ballot, floor) ||
                   (m.ballot == floor.promised && m.first <= floor.chosen &&
                    m.chosen <= floor.chosen);
          },
          [&](const Accepted& m) {
            return OwnerIsThrough(m.ballot, to, floor) ||
                   (ModelAccess::MayLead(to.replica, m.ballot) &&
                    SaysNothingNew(packet, to, m.voted, 0, false));
          },
          [&](const Heartbeat& m) {
            return PastBallot(m.ballot, floor) ||
                   (m.round == 0 && m.ballot == floor.promised && m.chosen <= floor.chosen);
          },
          [&](const HeartbeatReply& m) {
            return OwnerIsThrough(m.ballot, to, floor) ||
                   (ModelAccess::MayLead(to.replica, m.ballot) &&
                    SaysNothingNew(packet, to, m.voted, m.round, m.granted));
          },
          [&](const Learned& m) { return m.first <= floor.chosen; },
          [&](const TransferNow& m) { return PastBallot(m.ballot, floor); },
          [](const auto&) { return false; },
      },
      packet.message);
}

}  // namespace decree::consensus::model
