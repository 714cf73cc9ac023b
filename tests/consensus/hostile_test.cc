// Whatever peers send, a replica neither fails a CHECK nor grows without bound.
#include "kv/base/random.h"
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

TEST(HostileInputTest, AcceptsFarAboveWhatCanBeAcceptedAreIgnored) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 1'000'000'000, 1'000'000'001, {Command("far")}));
  r.Get(2, r.AcceptOf(B(1, 1, 2), kHuge, kHuge, {Command("far"), Command("wraps")}));
  r.Get(2, r.AcceptOf(B(1, 1, 2), kHuge - 1, kHuge, {Command("far"), Command("wraps")}));
  EXPECT_EQ(r.replica().log_bytes(), 0u);
}

TEST(HostileInputTest, PromisesWithAbsurdSlotsMakeNoProposals) {
  OneReplica r;
  r.Wait(1s);
  r.Get(2, PreVoteReply{B(1, 1, 1), true, {}, {}});
  r.Durable();
  r.Get(2, Promise{B(1, 1, 1),
                   B(1, 1, 1),
                   {},
                   {},
                   0,
                   1,
                   {PromisedSlot{Slot{kHuge}, false, B(1, 0, 2), Command("far")}}});
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  EXPECT_EQ(r.replica().inflight(), 1u);
}

TEST(HostileInputTest, ARoundNearTheEndOfNumbersIsIgnored) {
  OneReplica r;
  r.Get(2, Prepare{Ballot{Epoch{1}, kHuge, ReplicaId{2}}, Slot{1}});
  EXPECT_EQ(r.replica().promised(), Ballot{});
}

TEST(HostileInputTest, BallotsOfOthersAndStrangersAreIgnored) {
  OneReplica r;
  r.Get(2, Prepare{B(1, 1, 3), Slot{1}});    // 3's ballot from 2
  r.Get(99, Prepare{B(1, 1, 99), Slot{1}});  // no member
  r.Get(99, r.AcceptOf(B(1, 1, 99), 0, 1, {Command("x")}));
  r.Get(99, PreVote{B(1, 1, 99)});
  EXPECT_EQ(r.replica().promised(), Ballot{});
  EXPECT_TRUE(r->writes.empty());
}

// Random well-formed messages with random numbers, from members and strangers.
class Garbage {
 public:
  explicit Garbage(std::uint64_t seed) : random_(seed) {}
  std::uint64_t Number() {
    switch (random_.Below(4)) {
      case 0:
        return random_.Below(4);
      case 1:
        return random_.Below(40);
      case 2:
        return kHuge - random_.Below(3);
      default:
        return random_.Next() >> random_.Below(64);
    }
  }
  Slot ASlot() { return Slot{Number()}; }
  Ballot ABallot() {
    return Ballot{Epoch{random_.Below(4)}, random_.Below(3) ? random_.Below(9) : Number(),
                  ReplicaId{random_.Below(6)}};
  }
  Decree ADecree() {
    Decree decree;
    decree.kind = static_cast<DecreeKind>(random_.Below(6));
    decree.move = MoveId{Number()};
    decree.member = MemberOf(random_.Below(6));
    for (std::uint64_t i = random_.Below(6); i > 0; --i) {
      decree.next_voters.push_back(MemberOf(random_.Below(6)));
    }
    return decree;
  }
  std::vector<Decree> Decrees() {
    std::vector<Decree> decrees(random_.Below(4));
    for (Decree& decree : decrees) decree = ADecree();
    return decrees;
  }
  Message AMessage() {
    const Ballot ballot = ABallot();
    switch (random_.Below(12)) {
      case 0:
        return PreVote{ballot};
      case 1:
        return PreVoteReply{ballot, random_.Chance(0.5), ABallot(), ASlot()};
      case 2:
        return Prepare{ballot, ASlot()};
      case 3:
        return Promise{ballot,
                       random_.Chance(0.7) ? ballot : ABallot(),
                       ASlot(),
                       ASlot(),
                       static_cast<std::uint32_t>(random_.Below(3)),
                       static_cast<std::uint32_t>(random_.Below(3)),
                       {PromisedSlot{ASlot(), random_.Chance(0.3), ABallot(), ADecree()}}};
      case 4:
        return Accept{ballot, ASlot(), ASlot(), Decrees(), ASlot()};
      case 5:
        return Accepted{ballot, random_.Chance(0.7) ? ballot : ABallot(), ASlot(), ASlot()};
      case 6:
        return Heartbeat{ballot, ASlot(), Number()};
      case 7:
        return HeartbeatReply{ballot, random_.Chance(0.7) ? ballot : ABallot(), Number(), ASlot(),
                              ASlot()};
      case 8:
        return Learn{ASlot()};
      case 9:
        return Learned{ASlot(), ASlot(), ASlot(), Decrees()};
      case 10:
        return Sealed{Epoch{Number()}, ASlot(), {MemberOf(random_.Below(6))}, {}};
      default:
        return TransferNow{ballot};
    }
  }
  Random& random() { return random_; }

 private:
  Random random_;
};

TEST(HostileInputTest, NoMessageFailsACheckOrGrowsMemory) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Garbage garbage(seed);
    OneReplica r;
    for (int i = 0; i < 400; ++i) {
      r.Get(garbage.random().Below(6), garbage.AMessage());
      if (garbage.random().Chance(0.5)) r.Durable();
      if (garbage.random().Chance(0.1)) r.Wait(milliseconds(garbage.random().Below(600)));
      if (garbage.random().Chance(0.02)) r.Restart(garbage.random().Below(3));
      if (garbage.random().Chance(0.1)) r->Read(r.now, static_cast<ReadId>(i));
      if (garbage.random().Chance(0.1)) r->Propose(r.now, garbage.ADecree());
      r.Forget();
    }
    EXPECT_LT(r.replica().log_bytes(), 1u << 20);
  }
}

TEST(ReplicaTest, CopiesAreEqualAndIndependent) {
  OneReplica r;
  r.Lead();
  Replica copy = r.replica();
  EXPECT_EQ(copy.StateHash(), r.replica().StateHash());
  copy.Tick(r.now + 10s);
  EXPECT_NE(copy.StateHash(), r.replica().StateHash());
}

}  // namespace
}  // namespace decree::consensus::testing
