#include "tests/consensus/describe.h"

#include <variant>
#include <vector>

namespace decree::consensus::testing {
namespace {

std::string Ids(const std::vector<Member>& members) {
  std::string text;
  for (const Member& m : members) text += (text.empty() ? "" : ",") + ToString(m.id);
  return text;
}

std::string Of(const PreVote& m) { return "PreVote " + ToString(m.ballot); }
std::string Of(const PreVoteReply& m) {
  return "PreVoteReply " + ToString(m.ballot) + (m.granted ? " granted" : " refused");
}
std::string Of(const Prepare& m) {
  return "Prepare " + ToString(m.ballot) + " from " + ToString(m.from) +
         (m.released ? " released " + ToString(m.released) : "");
}
std::string Of(const Promise& m) {
  if (m.promised != m.ballot) {
    return "Promise " + ToString(m.ballot) + " refused, promised " + ToString(m.promised) +
           " chosen " + ToString(m.chosen);
  }
  std::string text = "Promise " + ToString(m.ballot) + " chosen " + ToString(m.chosen);
  if (m.pages > 1) text += " page " + std::to_string(m.page + 1) + "/" + std::to_string(m.pages);
  for (const PromisedSlot& s : m.slots) {
    text += " " + ToString(s.slot) + ":" + Describe(s.decree) +
            (s.chosen ? "(chosen)" : "(" + ToString(s.ballot) + ")");
  }
  return text;
}
std::string Of(const Accept& m) {
  std::string text = "Accept " + ToString(m.ballot) + " base " + ToString(m.base);
  Slot slot = m.first;
  for (const Decree& decree : m.decrees) {
    text += " " + ToString(slot) + ":" + Describe(decree);
    slot = slot.Next();
  }
  return text + " chosen " + ToString(m.chosen);
}
std::string Of(const Accepted& m) {
  if (m.promised != m.ballot) {
    return "Accepted " + ToString(m.ballot) + " refused, promised " + ToString(m.promised);
  }
  return "Accepted " + ToString(m.ballot) + " up to " + ToString(m.voted);
}
std::string Of(const Heartbeat& m) {
  return "Heartbeat " + ToString(m.ballot) + " chosen " + ToString(m.chosen) +
         (m.round != 0 ? " round " + std::to_string(m.round) : "") +
         (m.lease_ns != 0 ? " lease" : "") + (m.sleep ? " sleep" : "");
}
std::string Of(const HeartbeatReply& m) {
  return "HeartbeatReply " + ToString(m.ballot) + " promised " + ToString(m.promised) + " round " +
         std::to_string(m.round) + " up to " + ToString(m.voted) + (m.granted ? " granted" : "") +
         (m.asleep ? " asleep" : "");
}
std::string Of(const Learn& m) { return "Learn from " + ToString(m.from); }
std::string Of(const Learned& m) {
  std::string text = "Learned";
  Slot slot = m.first;
  for (const Decree& decree : m.decrees) {
    text += " " + ToString(slot) + ":" + Describe(decree);
    slot = slot.Next();
  }
  if (m.decrees.empty()) text += " nothing, trimmed " + ToString(m.trimmed);
  return text + " chosen " + ToString(m.chosen);
}
std::string Of(const Sealed& m) {
  return "Sealed epoch " + ToString(m.epoch) + " at " + ToString(m.seal) + " next " +
         Ids(m.next_voters);
}
std::string Of(const TransferNow& m) { return "TransferNow " + ToString(m.ballot); }

}  // namespace

std::string Describe(const Message& message) {
  return std::visit([](const auto& m) { return Of(m); }, message);
}

std::string Describe(const Decree& decree) {
  switch (decree.kind) {
    case DecreeKind::kNoOp:
      return "noop";
    case DecreeKind::kCommandBatch:
      return std::string(View(decree.payload));
    case DecreeKind::kAddLearner:
      return "add-learner(" + ToString(decree.member.id) + ")";
    case DecreeKind::kRemoveLearner:
      return "remove-learner(" + ToString(decree.member.id) + ")";
    case DecreeKind::kSeal:
      return "seal(" + Ids(decree.next_voters) + ")";
    case DecreeKind::kEpochStart:
      return "epoch-start";
  }
  return "?";
}

std::string Describe(const Persist& record) {
  std::string text;
  if (record.promised) text += " promise " + ToString(*record.promised);
  for (const Vote& vote : record.votes) {
    text += " vote " + ToString(vote.slot) + ":" + Describe(vote.decree);
  }
  for (const ChosenDecree& c : record.chosen) {
    text += " chosen " + ToString(c.slot) + ":" + Describe(c.decree);
  }
  return text.empty() ? text : text.substr(1);
}

}  // namespace decree::consensus::testing
