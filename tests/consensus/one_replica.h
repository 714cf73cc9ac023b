// One replica under test; the test plays all the others.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "tests/consensus/bare_host.h"
#include "tests/consensus/manual_cluster.h"

namespace decree::consensus::testing {

inline Ballot B(std::uint64_t epoch, std::uint64_t round, std::uint64_t replica) {
  return Ballot{Epoch{epoch}, round, ReplicaId{replica}};
}

class OneReplica {
 public:
  explicit OneReplica(const Config& genesis = GenesisOf({1, 2, 3}), Options options = {},
                      std::uint64_t id = 1)
      : host_(MemberOf(id), genesis, options, 1, nullptr) {
    host_.Start(now);
  }

  BareHost* operator->() { return &host_; }
  const Replica& replica() { return host_.replica(); }

  void Get(std::uint64_t from, const Message& message) {
    host_.Receive(now, MemberOf(from), message);
  }
  void Durable() { host_.CompleteWrites(now); }
  void Wait(Duration duration) {
    now = now + duration;
    host_.Tick(now);
  }
  void Restart(std::size_t keep_writes = 0) {
    host_.Crash(keep_writes);
    host_.Start(now);
  }
  Accept AcceptOf(const Ballot& ballot, std::uint64_t base, std::uint64_t first,
                  std::vector<Decree> decrees, std::uint64_t chosen = 0) {
    return Accept{ballot, Slot{base}, Slot{first}, std::move(decrees), Slot{chosen}};
  }
  // The last message of a kind that left, if any; Forget() drops what left so far.
  template <class M>
  std::optional<M> Last() {
    for (auto it = host_.outbox.rbegin(); it != host_.outbox.rend(); ++it) {
      if (const M* m = std::get_if<M>(&it->message)) return *m;
    }
    return std::nullopt;
  }
  void Forget() { host_.outbox.clear(); }
  // Makes it the leader of B(1, 1, 1), with promises that report nothing.
  void Lead() {
    Wait(1s);
    Get(2, PreVoteReply{B(1, 1, 1), true, {}, {}});
    Durable();
    Get(2, Promise{B(1, 1, 1), B(1, 1, 1), {}, {}, 0, 1, {}});
    Durable();
  }
  std::string VoteAt(std::uint64_t slot) {
    const Vote* vote = replica().VoteAt(Slot{slot});
    return vote ? ToString(vote->ballot) + " " + Describe(vote->decree) : "none";
  }

  Instant now{1000};

 private:
  BareHost host_;
};

}  // namespace decree::consensus::testing
