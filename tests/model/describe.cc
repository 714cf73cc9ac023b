// States and events as text, for traces.
#include "tests/model/model.h"
#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

constexpr const char* kRoles[] = {"follower", "polling", "candidate", "leader"};

std::string LogOf(const Local& local) {
  std::string text;
  const Replica& replica = local.replica;
  for (Slot slot{1}; slot.value < Ghost::kSlots; slot = slot.Next()) {
    const auto chosen = replica.ChosenAt(slot);
    const Vote* vote = replica.VoteAt(slot);
    if (!chosen && vote == nullptr) continue;
    text += " " + ToString(slot) + ":" + testing::Describe(chosen ? chosen->decree : vote->decree);
    if (chosen) {
      text += "(chosen)";
    } else {
      text += "(" + ToString(vote->ballot) + ")";
    }
  }
  return text;
}

}  // namespace

std::string Model::Describe(std::size_t replica, Event event) const {
  if (event.kind == EventKind::kTime) {
    const std::string slow = event.arg != 0 ? ", but not for replica " : "";
    return "time passes" + slow + (event.arg != 0 ? std::to_string(event.arg) : "");
  }
  const std::string who = "replica " + ToString(IdAt(replica)) + " ";
  switch (event.kind) {
    case EventKind::kDeliver:
      return who + "receives from " + ToString(messages_[event.arg].from.id) + ": " +
             testing::Describe(messages_[event.arg].message);
    case EventKind::kCampaign:
      return who + "campaigns in round " + std::to_string(event.arg);
    case EventKind::kCommand:
      return who + "proposes a command";
    case EventKind::kDecree:
      return who + "proposes " + testing::Describe(world_.scope.decrees[event.arg]);
    case EventKind::kPersist:
      return who + "has its oldest record on the disk";
    case EventKind::kCrash:
      return who + "crashes and starts again";
    case EventKind::kRead:
      return who + "is asked for a read";
    case EventKind::kBeat:
      return who + "sends a heartbeat";
    case EventKind::kTrim:
      return who + "forgets what its rows hold";
    case EventKind::kTransfer:
      return who + "is told to hand over to replica " + std::to_string(event.arg);
    case EventKind::kTime:
      break;
  }
  return who;
}

std::string Model::Describe(const State& state) const {
  std::string text;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const Local& local = LocalOf(state, i);
    const Replica& replica = local.replica;
    text += "  replica " + ToString(replica.self()) + " " +
            kRoles[static_cast<std::size_t>(replica.role())] + " epoch " +
            ToString(replica.config().epoch) + " promised " + ToString(replica.promised()) +
            " chosen " + ToString(replica.chosen()) + LogOf(local);
    if (local.time != 0) text += ", clock " + std::to_string(local.time);
    if (ModelAccess::LeaseOf(replica, local.Now())) text += ", holds a lease";
    if (!local.writes.empty()) text += ", writes under way " + std::to_string(local.writes.size());
    text += "\n";
  }
  return text;
}

std::string Model::Sizes() const {
  const auto item = [](const char* name, std::size_t n) {
    return std::string(name) + " " + std::to_string(n) + "  ";
  };
  return item("replica states", locals_.size()) + item("replica steps", steps_.size()) +
         item("messages", messages_.size()) + item("inboxes", inboxes_.size()) +
         item("nodes", nodes_.size()) + item("ghosts", ghosts_.size()) +
         item("receipts", received_.size());
}

}  // namespace decree::consensus::model
