#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

TEST(AcceptorTest, P1PromisesAHigherBallotAndReportsVotes) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Durable();
  r.Get(3, Prepare{B(1, 2, 3), Slot{1}});
  r.Durable();
  const auto promise = r.Last<Promise>();
  ASSERT_TRUE(promise);
  EXPECT_EQ(promise->promised, B(1, 2, 3));
  ASSERT_EQ(promise->slots.size(), 1u);
  EXPECT_EQ(promise->slots[0].ballot, B(1, 1, 2));
  EXPECT_FALSE(promise->slots[0].chosen);
}

TEST(AcceptorTest, P1ReportsTheChosenValueWhereItIsKnown) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  r.Get(3, Prepare{B(1, 2, 3), Slot{1}});
  r.Durable();
  const auto promise = r.Last<Promise>();
  ASSERT_TRUE(promise);
  EXPECT_EQ(promise->chosen, Slot{1});
  ASSERT_EQ(promise->slots.size(), 1u);
  EXPECT_TRUE(promise->slots[0].chosen);
}

TEST(AcceptorTest, RejectsPrepareBelowPromise) {
  OneReplica r;
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  r.Durable();
  r.Get(2, Prepare{B(1, 4, 2), Slot{1}});
  const auto promise = r.Last<Promise>();
  ASSERT_TRUE(promise);
  EXPECT_EQ(promise->ballot, B(1, 4, 2));
  EXPECT_EQ(promise->promised, B(1, 5, 3));
}

TEST(AcceptorTest, RejectsAcceptBelowPromise) {
  OneReplica r;
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  r.Durable();
  r.Get(2, r.AcceptOf(B(1, 4, 2), 0, 1, {Command("a")}));
  EXPECT_EQ(r.VoteAt(1), "none");
  const auto accepted = r.Last<Accepted>();
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->promised, B(1, 5, 3));
}

TEST(AcceptorTest, P3TakesTheSlotAfterBaseAndContiguousOnes) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 4, 5, {Command("a"), Command("b")}));
  EXPECT_EQ(r.VoteAt(5), "1.1.2 a");
  EXPECT_EQ(r.VoteAt(6), "1.1.2 b");
}

TEST(AcceptorTest, Scenario35_P3RefusesASlotAboveAHole) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 2, {Command("b")}));
  EXPECT_EQ(r.VoteAt(2), "none");
  // A vote of another ballot below does not close the hole.
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 2, {Command("c")}));
  EXPECT_EQ(r.VoteAt(2), "none");
}

TEST(AcceptorTest, P3TakesASlotAboveWhatIsChosenHere) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}, 1));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  ASSERT_EQ(r.replica().chosen(), Slot{1});
  r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 2, {Command("b")}));
  EXPECT_EQ(r.VoteAt(2), "1.2.3 b");
}

TEST(AcceptorTest, P3NeverVotesAtOrBelowBase) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 3, 1, {Command("a")}));
  EXPECT_EQ(r.VoteAt(1), "none");
}

TEST(AcceptorTest, Scenario06_P3PromiseAndVoteAreOneRecord) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  ASSERT_EQ(r->writes.size(), 1u);
  EXPECT_EQ(r->writes[0].record.promised, B(1, 1, 2));
  EXPECT_EQ(r->writes[0].record.votes.size(), 1u);
  r.Restart();  // before the write: neither
  EXPECT_EQ(r.replica().promised(), Ballot{});
  EXPECT_EQ(r.VoteAt(1), "none");
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Restart(1);  // after it: both
  EXPECT_EQ(r.replica().promised(), B(1, 1, 2));
  EXPECT_EQ(r.VoteAt(1), "1.1.2 a");
}

TEST(AcceptorTest, P6NeverOverwritesAChosenSlot) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 1, {Command("other")}));
  r.Durable();
  EXPECT_EQ(Describe(r.replica().ChosenAt(Slot{1})->decree), "a");
  EXPECT_EQ(r.Last<Accepted>()->voted, Slot{1});  // the chosen state is the answer
}

TEST(AcceptorTest, Scenario13_P6ALateAcceptBelowTrimmedResurrectsNothing) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  r.Durable();
  r->Flush();
  r->TrimLog();
  ASSERT_EQ(r.replica().trimmed(), Slot{1});
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 1, {Command("b")}));
  EXPECT_EQ(r.VoteAt(1), "none");
  EXPECT_EQ(r.replica().chosen(), Slot{1});
}

TEST(AcceptorTest, Scenario13_ALateAcceptBelowAnInstalledSnapshotResurrectsNothing) {
  OneReplica r;
  r->InstallSnapshot(r.now, Slot{6}, GenesisOf({1, 2, 3}));
  r.Get(2, r.AcceptOf(B(1, 1, 2), 2, 3, {Command("c"), Command("d"), Command("e"), Command("f")}));
  for (std::uint64_t slot = 3; slot <= 6; ++slot) EXPECT_EQ(r.VoteAt(slot), "none") << slot;
  r.Durable();
  ASSERT_TRUE(r.Last<Accepted>());
  EXPECT_EQ(r.Last<Accepted>()->voted, Slot{6}) << "answered with the chosen state";
  r.Get(2, r.AcceptOf(B(1, 1, 2), 2, 6, {Command("f"), Command("g")}));
  EXPECT_EQ(r.VoteAt(6), "none");
  EXPECT_EQ(r.VoteAt(7), "1.1.2 g") << "what lies above the snapshot is taken";
  r.Restart(1);
  EXPECT_EQ(r.replica().chosen(), Slot{6});
  EXPECT_EQ(r.VoteAt(3), "none");
}

TEST(AcceptorTest, Scenario05_P7AnswersWaitForTheirRecord) {
  OneReplica r;
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  EXPECT_FALSE(r.Last<Promise>());
  r.Durable();
  EXPECT_TRUE(r.Last<Promise>());
}

TEST(AcceptorTest, P7ARejectionWaitsForThePromiseItReveals) {
  OneReplica r;
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  r.Get(2, r.AcceptOf(B(1, 4, 2), 0, 1, {Command("a")}));  // nothing new to write
  EXPECT_EQ(r->writes.size(), 1u);
  EXPECT_FALSE(r.Last<Accepted>());
  r.Durable();
  EXPECT_TRUE(r.Last<Accepted>());
}

TEST(AcceptorTest, Scenario05_ADurablePromiseSurvivesARestartAnUnwrittenOneWasNeverSaid) {
  OneReplica r;
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  r.Restart();
  EXPECT_EQ(r.replica().promised(), Ballot{});
  r.Get(3, Prepare{B(1, 5, 3), Slot{1}});
  r.Durable();
  r.Restart();
  EXPECT_EQ(r.replica().promised(), B(1, 5, 3));
}

TEST(AcceptorTest, Scenario10_RepeatedAcceptsAreOneVote) {
  OneReplica r;
  for (int i = 0; i < 3; ++i) r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  EXPECT_EQ(r->writes.size(), 1u);
  r.Durable();
  EXPECT_EQ(r.Last<Accepted>()->voted, Slot{1});
}

TEST(AcceptorTest, APromiseComesInStablePages) {
  Options options;
  options.max_page_bytes = 200;
  OneReplica r(GenesisOf({1, 2, 3}), options);
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1,
                      {Command(std::string(150, 'a')), Command(std::string(150, 'b'))}));
  r.Get(3, Prepare{B(1, 2, 3), Slot{1}});
  r.Durable();
  std::vector<Promise> pages;
  for (const Outgoing& out : r->outbox) {
    if (const auto* m = std::get_if<Promise>(&out.message)) pages.push_back(*m);
  }
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].pages, 2u);
  r.Forget();
  r.Get(3, Prepare{B(1, 2, 3), Slot{1}});  // again: the same pages
  ASSERT_TRUE(r.Last<Promise>());
  EXPECT_EQ(Encode(*r.Last<Promise>()), Encode(pages[1]));
}

TEST(AcceptorTest, Scenario58_ALearnerNeitherPromisesNorVotes) {
  OneReplica r(GenesisOf({2, 3, 4}, {1}));
  r.Get(2, Prepare{B(1, 1, 2), Slot{1}});
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a")}));
  r.Durable();
  EXPECT_FALSE(r.Last<Promise>());
  EXPECT_FALSE(r.Last<Accepted>());
  EXPECT_EQ(r.VoteAt(1), "none");
  r.Wait(10s);
  EXPECT_EQ(r.replica().role(), Role::kFollower);
}

}  // namespace
}  // namespace decree::consensus::testing
