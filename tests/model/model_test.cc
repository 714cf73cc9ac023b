// Small scopes searched to the end, and proof that the search sees what it should: interesting ends
// are reached, broken disks and broken facts are found out.
#include <gtest/gtest.h>

#include "tests/model/recovery.h"
#include "tests/model/search.h"

namespace decree::consensus::model {
namespace {

using testing::Command;
using testing::GenesisOf;
using testing::SealOf;

// How many states show what is asked for.
struct Reached {
  std::uint64_t two_leaders = 0;
  std::uint64_t epoch_started = 0;
  std::uint64_t third_epoch = 0;
};

void Look(const Model& model, const State& state, Reached& reached) {
  std::uint64_t leaders = 0;
  for (std::size_t i = 0; i < model.replicas(); ++i) {
    const Replica& replica = model.LocalOf(state, i).replica;
    const bool ready = replica.ReadyLeader();
    leaders += ready;
    reached.epoch_started += ready && replica.config().epoch > Epoch{1};
    reached.third_epoch += ready && replica.config().epoch > Epoch{2};
  }
  reached.two_leaders += leaders > 1;
}

// Each `every`-th state must recover.
SearchResult Exhaust(const std::string& name, std::uint64_t every, Reached& reached) {
  Model model(*FindScope(name));
  SearchOptions options;
  options.at_state = [&, met = std::uint64_t{0}](const State& state) mutable {
    Look(model, state, reached);
    return ++met % every == 0 ? WhyNotRecovered(model, state) : std::string{};
  };
  return SearchAll(model, options);
}

std::string Told(const SearchResult& result) {
  std::string text = result.violation + "\n";
  for (const std::string& line : result.trace) text += line + "\n";
  return text + result.end;
}

TEST(ModelTest, TwoBallotsFromNothing) {
  Reached reached;
  const SearchResult result = Exhaust("paxos-2", 500, reached);
  EXPECT_TRUE(result.exhausted) << Told(result);
  EXPECT_GT(result.states, 100'000u);
  EXPECT_GT(reached.two_leaders, 0u);
}

TEST(ModelTest, ASealAndAllWaysOnFromIt) {
  Reached reached;
  const SearchResult result = Exhaust("seal-1", 1, reached);
  EXPECT_TRUE(result.exhausted) << Told(result);
  EXPECT_GT(reached.epoch_started, 0u);
}

TEST(ModelTest, TwoSeals) {
  Reached reached;
  const SearchResult result = Exhaust("two-seals", 500, reached);
  EXPECT_TRUE(result.exhausted) << Told(result);
  EXPECT_GT(reached.third_epoch, 0u);
}

TEST(ModelTest, ACrash) {
  Reached reached;
  const SearchResult result = Exhaust("crash", 2000, reached);
  EXPECT_TRUE(result.exhausted) << Told(result);
  EXPECT_GT(reached.two_leaders, 0u);
}

TEST(ModelTest, EveryScopeBeginsAndGoesOn) {
  for (const Scope& scope : Scopes()) {
    Model model(scope);
    const State first = model.Initial();
    EXPECT_EQ(model.LocalOf(first, 0).replica.ReadyLeader(), scope.leader_at_start) << scope.name;
    std::size_t steps = 0;
    model.Successors(first, [&](const Successor&) { ++steps; });
    EXPECT_GT(steps, 0u) << scope.name;
  }
}

TEST(ModelTest, TheLeaderOfALeaseScopeBeginsWithOne) {
  Model model(*FindScope("lease"));
  const State first = model.Initial();
  EXPECT_TRUE(model.LocalOf(first, 0).replica.LeaseUntil().has_value()) << model.Describe(first);
}

TEST(ModelTest, TheSameSearchTwiceMeetsTheSameStates) {
  Reached reached;
  const SearchResult once = Exhaust("seal-1", 1000, reached);
  const SearchResult twice = Exhaust("seal-1", 1000, reached);
  EXPECT_EQ(once.states, twice.states);
  EXPECT_EQ(once.steps, twice.steps);
  EXPECT_EQ(once.depth, twice.depth);
}

// ---- what must be found ----

SearchResult WithFault(const std::string& name, DiskFault fault) {
  Scope scope = *FindScope(name);
  scope.fault = fault;
  scope.leader_at_start = false;  // the fault may show before there is one
  Model model(scope);
  return SearchAll(model, SearchOptions{});
}

TEST(ModelTest, ADiskThatForgetsAPromiseIsFoundOut) {
  const SearchResult result = WithFault("crash", DiskFault::kForgetsPromise);
  EXPECT_NE(result.violation, "");
  EXPECT_EQ(result.trace.size(), result.depth);
}

TEST(ModelTest, ADiskThatForgetsVotesIsFoundOut) {
  EXPECT_NE(WithFault("crash", DiskFault::kForgetsVotes).violation, "");
}

TEST(ModelTest, AnAnswerBeforeTheWriteIsFoundOut) {
  const SearchResult result = WithFault("disk", DiskFault::kAnswersEarly);
  EXPECT_NE(result.violation.find("durable"), std::string::npos) << Told(result);
}

TEST(ModelTest, AWayOnThatIsMissingIsFoundOut) {
  Model model(*FindScope("seal-1"));
  EXPECT_NE(WhyNotRecovered(model, model.Initial(), {0, 1}), "");
  EXPECT_EQ(WhyNotRecovered(model, model.Initial()), "");
}

TEST(ModelTest, ARandomWalkFindsWhatTheSearchFinds) {
  Scope scope = *FindScope("crash");
  scope.fault = DiskFault::kForgetsVotes;
  Model model(scope);
  EXPECT_NE(SearchAtRandom(model, {.seed = 1, .steps = 3'000'000}).violation, "");
}

// ---- replicas beside each other ----

class StandingTest : public ::testing::Test {
 protected:
  StandingTest() {
    for (std::size_t i = 0; i < 3; ++i) {
      replicas_[i].self = static_cast<std::uint8_t>(1u << (i + 1));
      replicas_[i].voters = 0b1110;
      others_[i] = &replicas_[i];
    }
  }
  static Ballot Round(std::uint64_t round) { return Ballot{Epoch{1}, round, ReplicaId{1}}; }

  std::array<Standing, 3> replicas_{};
  std::array<const Standing*, 3> others_{};
};

TEST_F(StandingTest, ALeaderNeedsThePromisesOfAMajority) {
  replicas_[0].leads = replicas_[0].promised = Round(2);
  replicas_[1].promised = Round(1);
  EXPECT_NE(WithoutPromises(others_, 0), nullptr);
  replicas_[1].promised = Round(3);
  EXPECT_EQ(WithoutPromises(others_, 0), nullptr);
  replicas_[0].voters = 0b1010;  // the one that promised is no voter
  EXPECT_NE(WithoutPromises(others_, 0), nullptr);
}

TEST_F(StandingTest, NobodyLeadsALaterBallotWhileALeaseIsHeld) {
  replicas_[0].leads = Round(1);
  replicas_[1].leads = Round(2);
  EXPECT_EQ(UnderALease(others_, 1), nullptr);
  replicas_[0].lease = Round(1);
  EXPECT_NE(UnderALease(others_, 0), nullptr);
  EXPECT_NE(UnderALease(others_, 1), nullptr);
  replicas_[0].lease = Ballot{};
  replicas_[1].lease = Round(2);  // the later one's own
  EXPECT_EQ(UnderALease(others_, 0), nullptr);
}

TEST_F(StandingTest, ASealEndsTheLeaseOfItsLeader) {
  replicas_[0].leads = replicas_[0].lease = Round(1);
  EXPECT_EQ(ReadsBesideItsSeal(replicas_[0]), nullptr);
  replicas_[0].sealing = true;
  EXPECT_NE(ReadsBesideItsSeal(replicas_[0]), nullptr);
}

// ---- the ghost ----

class GhostTest : public ::testing::Test {
 protected:
  std::string Vote(std::uint64_t replica, std::uint64_t slot, Ballot ballot, const Decree& decree) {
    const consensus::Vote vote{Slot{slot}, ballot, decree};
    return ghost_.Add(VoteFact(ReplicaId{replica}, vote, values_), genesis_, values_);
  }
  std::string Handed(std::uint64_t slot, const Decree& decree) {
    const ChosenDecree chosen{Slot{slot}, decree};
    return ghost_.Add(HandedFact(ReplicaId{1}, chosen, values_), genesis_, values_);
  }
  static Ballot In(std::uint64_t epoch, std::uint64_t round) {
    return Ballot{Epoch{epoch}, round, ReplicaId{1}};
  }

  const Config genesis_ = GenesisOf({1, 2, 3}, {4});
  const Decree seal_ = SealOf(MoveId{1}, {1, 2, 4});
  Values values_;
  Ghost ghost_;
};

TEST_F(GhostTest, AMajorityOfOneBallotChooses) {
  EXPECT_EQ(Vote(1, 1, In(1, 1), Command("a")), "");
  EXPECT_EQ(Vote(2, 1, In(1, 2), Command("b")), "");
  EXPECT_EQ(ghost_.decided(1), 0);
  EXPECT_EQ(Vote(3, 1, In(1, 2), Command("b")), "");
  EXPECT_EQ(ghost_.decided(1), values_.IdOf(Command("b")));
}

TEST_F(GhostTest, TwoValuesOfASlotAreSeen) {
  Vote(1, 1, In(1, 1), Command("a"));
  Vote(2, 1, In(1, 1), Command("a"));
  EXPECT_EQ(Vote(2, 1, In(1, 2), Command("b")), "");
  EXPECT_EQ(Vote(3, 1, In(1, 2), Command("b")).substr(0, 5), "INV-1");
}

TEST_F(GhostTest, TwoValuesOfABallotAreSeen) {
  Vote(1, 1, In(1, 1), Command("a"));
  EXPECT_EQ(Vote(2, 1, In(1, 1), Command("b")).substr(0, 5), "INV-2");
}

TEST_F(GhostTest, AVoteOfALearnerIsSeen) {
  EXPECT_EQ(Vote(4, 1, In(1, 1), Command("a")).substr(0, 5), "INV-4");
}

TEST_F(GhostTest, WhatIsHandedOutMustBeChosen) {
  Vote(1, 1, In(1, 1), Command("a"));
  EXPECT_EQ(Handed(1, Command("a")).substr(0, 6), "INV-10");
  Vote(2, 1, In(1, 1), Command("a"));
  EXPECT_EQ(Handed(1, Command("a")), "");
  EXPECT_EQ(Handed(1, Command("b")).substr(0, 5), "INV-1");
}

TEST_F(GhostTest, AVoteAboveAHoleIsSeen) {
  const auto above = [&](std::uint64_t replica, std::uint64_t slot, Ballot ballot) {
    const consensus::Vote vote{Slot{slot}, ballot, Command("b")};
    return ghost_.AboveHole(VoteFact(ReplicaId{replica}, vote, values_)).substr(0, 6);
  };
  EXPECT_EQ(above(1, 1, In(1, 1)), "");
  EXPECT_EQ(above(1, 2, In(1, 1)), "INV-15");
  Vote(1, 1, In(1, 1), Command("a"));
  EXPECT_EQ(above(1, 2, In(1, 1)), "");
  EXPECT_EQ(above(2, 2, In(1, 1)), "INV-15");  // another replica's vote
  EXPECT_EQ(above(1, 2, In(1, 2)), "INV-15");  // another ballot's
  Vote(2, 1, In(1, 1), Command("a"));
  EXPECT_EQ(above(3, 2, In(1, 2)), "");  // chosen
}

TEST_F(GhostTest, NothingFollowsASealInItsEpoch) {
  Vote(1, 1, In(1, 1), seal_);
  Vote(2, 1, In(1, 1), seal_);
  Vote(1, 2, In(1, 2), Command("a"));
  EXPECT_EQ(Vote(2, 2, In(1, 2), Command("a")).substr(0, 5), "INV-7");
}

TEST_F(GhostTest, ASealBelowChosenSlotsIsSeen) {
  Vote(1, 2, In(1, 1), Command("a"));
  Vote(2, 2, In(1, 1), Command("a"));
  Vote(1, 1, In(1, 2), seal_);
  EXPECT_EQ(Vote(2, 1, In(1, 2), seal_).substr(0, 5), "INV-7");
}

TEST_F(GhostTest, TheNewEpochBeginsWithEpochStartAndItsOwnVoters) {
  Vote(1, 1, In(1, 1), seal_);
  Vote(2, 1, In(1, 1), seal_);
  EXPECT_EQ(Vote(3, 2, In(2, 1), Command("a")).substr(0, 5), "INV-4");
  Vote(1, 2, In(2, 1), Command("a"));
  EXPECT_EQ(Vote(4, 2, In(2, 1), Command("a")).substr(0, 5), "INV-7");
}

}  // namespace
}  // namespace decree::consensus::model
