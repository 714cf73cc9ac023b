// One replica of the model with its disk, and one event of it. The replica is the real one; the
// host around it obeys consensus/output.h and checks what can be checked here: what falls, what is
// said before it is durable, what a restart forgets.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "tests/consensus/bare_host.h"
#include "tests/model/ghost.h"
#include "tests/model/scope.h"

namespace decree::consensus::model {

struct Local {
  Replica replica;
  testing::BareDisk disk;
  std::deque<testing::BareWrite> writes;             // under way
  std::vector<std::pair<Slot, ValueId>> proposed{};  // here, by clients that wait
  std::uint8_t time = 0;                             // ticks since the beginning

  Instant Now() const;

  std::uint64_t Hash() const;
};

enum class EventKind : std::uint8_t {
  kDeliver,   // arg: the message's number
  kCampaign,  // arg: the round
  kCommand,   // a client proposes a command
  kDecree,    // arg: which of the scope's decrees is proposed
  kPersist,   // the oldest record under way becomes durable
  kCrash,     // what is under way is lost; the replica starts again from its disk
  kRead,
  kBeat,      // a leader sends its next heartbeat
  kTrim,      // what is applied becomes durable in the rows; the log forgets it
  kTransfer,  // arg: the member that a leader is told to hand over to
  kTime,      // passes, for all replicas at once; arg: but not for this one
};

struct Event {
  EventKind kind = EventKind::kDeliver;
  std::uint32_t arg = 0;
};

// The surroundings that all steps share.
struct World {
  const Scope& scope;
  Config genesis;
  Options options;
  Values values;
  std::vector<Config> snapshots{};  // that were offered; an offer is a Learned without decrees
  explicit World(const Scope& of);
  Local Fresh(ReplicaId id) const;
  Slot NumberOf(const Config& snapshot);
};

// What an event does to its replica.
class Step {
 public:
  Step(const Local& before, World& world);

  void Deliver(const Member& from, const Message& message);
  bool Campaign(std::uint64_t round);
  bool Propose(const Decree& decree);
  void Persist();
  void Crash();
  bool Read();
  void Beat();
  void Trim();
  bool Transfer(ReplicaId target);
  void PassTime();

  Local local;
  std::vector<Outgoing> sends;
  std::vector<Fact> facts;
  std::vector<Slot> served;  // reads answered, each at what is applied
  std::string violation;

 private:
  template <class Call>
  void Guard(Call&& call);
  void TakeOutput();
  void TakeOnce();
  void BreakDisk();
  void HandOut(const ChosenDecree& chosen);
  void OfferSnapshot();
  void Install(Slot slot, const Config& config);
  void CompleteWrite();
  void CheckRecord(const consensus::Persist& record);
  void Leave(Outgoing out);
  void CheckOwner(const Ballot& ballot);
  void CheckSaid(const Ballot& ballot, const Ballot& promised, Slot voted);
  void Settled();
  void TellChosen();
  void Violate(const std::string& what);

  World& world_;
  Instant now_;
  Ballot promised_before_;
  Slot chosen_before_;
};

// Whether the replica may do it at all; the search knows what the scope has left of it.
bool MayCampaign(const Local& local, std::uint64_t round);

// What a client proposes at this replica: a value of its ballot.
Decree CommandOf(const Replica& replica);

}  // namespace decree::consensus::model
