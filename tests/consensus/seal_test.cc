// Changing members: design.md section 4 and the scenarios of the hand-over of an epoch.
#include "tests/consensus/one_replica.h"

namespace decree::consensus::testing {
namespace {

// 1, 2, 3 with 1 leading; 4 is a caught-up learner of move 1.
class SealTest : public ::testing::Test {
 protected:
  SealTest() : c(GenesisOf({1, 2, 3})) {
    c.Elect(1);
    c.Put(1, "a");
    c.AddShell(4);
    c.Propose(1, AddLearnerOf(MoveId{1}, 4));
    c.Snapshot(1, 4);
    c.Advance(120ms);
  }
  ~SealTest() override { EXPECT_TRUE(c.invariants.ok()) << c.invariants.violations().front(); }
  ProposeCode Seal(std::uint64_t at, std::vector<std::uint64_t> voters) {
    c[at].replica().HoldProposals();
    return c.Propose(at, SealOf(MoveId{1}, std::move(voters))).code;
  }
  // What the others agree on once that one is gone and everybody else hears everybody.
  std::string LogWithout(std::uint64_t crashed) {
    c.Crash(crashed);
    c.Mend();
    c.Advance(5s);
    const auto leaders = c.Leaders();
    EXPECT_EQ(leaders.size(), 1u);
    return leaders.size() == 1 ? c.LogOf(leaders.front()) : "";
  }
  ManualCluster c;
};

TEST_F(SealTest, AMemberIsReplaced) {
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
  ASSERT_TRUE(c[1].replica().ReadyLeader()) << "the old leader goes on at once";
  EXPECT_EQ(c[1].replica().config().epoch, Epoch{2});
  EXPECT_EQ(c.LogOf(1), "1:noop 2:a 3:add-learner(4) 4:seal(1,2,4) 5:epoch-start");
  EXPECT_NE(c.Put(1, "b"), Slot{});
  EXPECT_EQ(c.LogOf(2), c.LogOf(1));
  EXPECT_EQ(c[4].replica().chosen(), c[1].replica().chosen());
  EXPECT_EQ(c[3].replica().chosen(), Slot{4}) << "who leaves knows the Seal, and no more";
}

TEST_F(SealTest, Scenario54_TheSealWaitsForADrainedPipeline) {
  c.frozen_disks = {1, 2, 3};
  c.Propose(1, Command("open"));
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kNotNow);
  EXPECT_EQ(c.Propose(1, Command("more")).code, ProposeCode::kNotReady) << "commands are held";
  c.frozen_disks.clear();
  c.Settle();
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
}

TEST_F(SealTest, Scenario54_ARivalsRemoveLearnerIsNotFollowedByTheSeal) {
  // 1 pipelines commands that only itself votes for; without r = chosen + 1 the Seal would follow
  // at 6. The rival's barrier and RemoveLearner take the slots below, so that no vote of a higher
  // ballot would keep the Seal away.
  c.Isolate(1);
  ASSERT_EQ(c.Put(1, "open"), Slot{4});
  ASSERT_EQ(c.Put(1, "more"), Slot{5});
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kNotNow);
  c.Elect(2);
  ASSERT_EQ(c.Propose(2, RemoveLearnerOf(MoveId{1}, 4)).slot, Slot{5});
  ASSERT_NE(c.LogOf(2).find("5:remove-learner(4)"), std::string::npos);
  c.Crash(2);
  c.Mend();
  c.Advance(5s);
  for (const std::uint64_t id : {1, 3}) {  // the Seal would leave nobody who could lead
    EXPECT_EQ(c.LogOf(id).find("seal"), std::string::npos) << c.LogOf(id);
  }
  ASSERT_EQ(c.Leaders().size(), 1u);
  const std::uint64_t leader = c.Leaders().front();
  EXPECT_EQ(c.LogOf(leader).find("open"), std::string::npos) << c.LogOf(leader);
  EXPECT_FALSE(c[leader].replica().config().IsLearner(ReplicaId{4}));
  EXPECT_NE(c.Put(leader, "on"), Slot{});
}

TEST_F(SealTest, NothingFollowsTheSealInItsEpoch) {
  c.Isolate(1);
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
  EXPECT_EQ(c.Propose(1, Command("after")).code, ProposeCode::kNotReady);
  c[1].replica().ResumeProposals();
  EXPECT_EQ(c.Propose(1, Command("after")).code, ProposeCode::kNotReady);
}

TEST_F(SealTest, ResumeTakesTheHoldBack) {
  c[1].replica().HoldProposals();
  EXPECT_EQ(c.Put(1, "held"), Slot{});
  c[1].replica().ResumeProposals();
  EXPECT_NE(c.Put(1, "free"), Slot{});
}

TEST_F(SealTest, Scenario32_ALearnerWithAGapIsNotPromoted) {
  c.Isolate(4);
  for (int i = 0; i < 200; ++i) c.Put(1, "x");
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kNotNow);
  c[1].replica().ResumeProposals();
  c.Mend();
  c.Advance(300ms);
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
}

// As a voter of the next epoch it would have no timer, and nobody who calls it.
TEST_F(SealTest, Scenario32_ALearnerThatDoesNotKnowOfItselfIsNotPromoted) {
  c.AddShell(5);
  c.Snapshot(1, 5);
  c.Isolate(5);
  c.Propose(1, AddLearnerOf(MoveId{2}, 5));
  const Slot before = c[1].replica().chosen().Prev();
  c[1].Receive(c.now(), MemberOf(5), HeartbeatReply{{}, {}, 0, {}, before});
  c[1].Receive(c.now(), MemberOf(5), HeartbeatReply{c[1].replica().promised(), {}, 0, {}, before});
  ASSERT_EQ(c[1].replica().DurableChosenOf(ReplicaId{5}), before);
  EXPECT_EQ(c.Propose(1, SealOf(MoveId{2}, {1, 2, 5})).code, ProposeCode::kNotNow);
  c.Mend();
  c.Advance(300ms);
  EXPECT_EQ(c.Propose(1, SealOf(MoveId{2}, {1, 2, 5})).code, ProposeCode::kProposed);
}
TEST_F(SealTest, Scenario32_ALearnerWithAGapIsNeverCounted) {
  // 2 and 3 are away: the leader and the learner alone choose nothing, whatever the learner says.
  c.Isolate(2);
  c.Isolate(3);
  c.Isolate(4);
  const Slot slot = c.Put(1, "b");
  ASSERT_NE(slot, Slot{});
  const Ballot ballot = c[1].replica().promised();
  c[1].Receive(c.now(), MemberOf(4), Accepted{ballot, ballot, slot, slot});
  c[1].Receive(c.now(), MemberOf(4), HeartbeatReply{ballot, ballot, 99, slot, slot});
  EXPECT_LT(c[1].replica().chosen(), slot);
  c.Advance(250ms);  // what 2 and 3 granted is over
  c[1].Read(c.now(), 7);
  c[1].Receive(c.now(), MemberOf(4), HeartbeatReply{ballot, ballot, 99, slot, slot, true});
  EXPECT_TRUE(c[1].reads.empty());
  c.Mend();
  c.Advance(200ms);
  EXPECT_GE(c[1].replica().chosen(), slot);
}

TEST_F(SealTest, Scenario33_APromotedMemberUnawareOfItStillHelps) {
  c.capture = [](const Packet& p) {  // 4 gets nothing of epoch 1's end but the Prepare
    return p.to.id == ReplicaId{4} && (As<Learned>(p) || As<Heartbeat>(p));
  };
  c.Cut(1, 2);
  c.Cut(2, 4);
  c[3].Receive(c.now(), MemberOf(1), Heartbeat{B(1, 1, 1), {}, 1});
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
  EXPECT_EQ(c[4].replica().config().epoch, Epoch{1}) << "it refused, and asks to learn";
  c.capture = nullptr;
  c.captured.clear();
  c.Advance(200ms);
  EXPECT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_EQ(c[4].replica().config().epoch, Epoch{2});
}

TEST_F(SealTest, Scenario37_ARemovedReplicaThatCampaignsHearsSealedAndCannotWin) {
  c.Isolate(3);
  Seal(1, {1, 2, 4});
  int asked = 0;
  int told = 0;
  c.capture = [&](const Packet& p) {  // only counts
    asked += p.from.id == ReplicaId{3} && As<PreVote>(p) ? 1 : 0;
    const Sealed* sealed = p.to.id == ReplicaId{3} ? As<Sealed>(p) : nullptr;
    told += sealed && sealed->epoch == Epoch{1} && sealed->seal == Slot{4} ? 1 : 0;
    return false;
  };
  c.Mend();
  c.Advance(1s);
  EXPECT_GT(asked, 0) << "it campaigns";
  EXPECT_GT(told, 0) << "and is answered";
  EXPECT_EQ(c[3].replica().role(), Role::kFollower);
  EXPECT_EQ(c[3].replica().config().epoch, Epoch{2}) << "Sealed made it learn";
  c.Advance(5s);
  EXPECT_EQ(c[3].wake_at, kNever);
  EXPECT_TRUE(c[1].replica().ReadyLeader());
}

TEST_F(SealTest, Scenario40_TheOldMemberServesUntilEpochStartIsChosen) {
  // 1 and 3 choose the Seal; 1 dies before it tells. 2, 3 finish e; 3 serves Learn to 2 and 4.
  c.Isolate(2);
  c.capture = [](const Packet& p) {
    return p.from.id == ReplicaId{1} && (As<Heartbeat>(p) || As<Learned>(p) || As<Prepare>(p));
  };
  EXPECT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
  ASSERT_EQ(c[1].replica().chosen(), Slot{4});
  ASSERT_EQ(c[3].replica().chosen(), Slot{3});
  c.Crash(1);
  c.capture = nullptr;
  c.Mend();
  c.Advance(5s);
  ASSERT_EQ(c.Leaders().size(), 1u);
  EXPECT_EQ(c[c.Leaders().front()].replica().config().epoch, Epoch{2});
  EXPECT_NE(c.Put(c.Leaders().front(), "on"), Slot{});
}

TEST_F(SealTest, Scenario53_HearingSealedIsNotKnowing) {
  // Only 1 knows that the Seal is chosen; 2 hears Sealed from it; 1 dies; 2, 3, 4 finish.
  c.capture = [](const Packet& p) {
    return p.from.id == ReplicaId{1} && (As<Heartbeat>(p) || As<Learned>(p) || As<Prepare>(p));
  };
  Seal(1, {1, 2, 4});
  ASSERT_EQ(c[1].replica().config().epoch, Epoch{2});
  ASSERT_EQ(c[2].replica().config().epoch, Epoch{1});
  c[2].Receive(c.now(), MemberOf(1), Sealed{Epoch{1}, Slot{4}, c[1].replica().config().voters, {}});
  EXPECT_EQ(c[2].replica().config().epoch, Epoch{1});
  c.Crash(1);
  // A lease later: what 2 granted to 1 binds it no more.
  c[2].Receive(c.now() + Options{}.lease, MemberOf(3), Prepare{B(1, 50, 3), Slot{1}, {}});
  EXPECT_EQ(c[2].replica().promised(), B(1, 50, 3)) << "it still serves phase 1 of e";
  c.capture = nullptr;
  c.Advance(5s);
  ASSERT_EQ(c.Leaders().size(), 1u);
  EXPECT_EQ(c[c.Leaders().front()].replica().config().epoch, Epoch{2});
}

TEST_F(SealTest, Scenario35_ASealWithOneVoteIsNotRevived) {
  c.Isolate(1);
  Seal(1, {1, 2, 4});  // only its own vote
  c.Elect(2);
  c.Put(2, "b");
  c.Put(2, "c");
  const std::string log = LogWithout(2);
  EXPECT_EQ(log.find("seal"), std::string::npos) << log;
  EXPECT_NE(log.find("5:b 6:c"), std::string::npos) << log;
}

// There the higher ballot has a vote at the Seal's own slot. Here that Accept is late: were later
// slots chosen meanwhile, the Seal would be the only vote at its slot and come back below them
// (P3).
TEST_F(SealTest, Scenario35_NothingIsChosenAboveAHoleThatTheSealCouldFill) {
  c.Elect(3);
  c.Isolate(3);
  for (const char* payload : {"lost", "b", "c"})
    c.Put(3, payload);  // only its own votes, at 5 to 7
  c.Elect(1);
  c.Advance(120ms);
  ASSERT_EQ(c[2].replica().chosen(), Slot{5});
  c.Mend();
  c.Isolate(1);
  ASSERT_EQ(Seal(1, {1, 2, 4}), ProposeCode::kProposed);
  ASSERT_NE(c[1].replica().VoteAt(Slot{6}), nullptr) << "and this one vote is all that it has";
  // 2 finds b and c at 3 and proposes them again. The page with slot 6 is late, the next one not.
  const auto first_of = [](const Packet& p) {
    return As<Accept>(p) ? As<Accept>(p)->first : Slot{};
  };
  c.capture = [&](const Packet& p) { return p.to.id == ReplicaId{3} && first_of(p) == Slot{6}; };
  c.Elect(2);
  ASSERT_EQ(c.captured.size(), 1u);
  Packet next_page = c.captured.front();
  Accept& accept = std::get<Accept>(next_page.message);
  ASSERT_EQ(accept.decrees.size(), 3u) << "b, c and the barrier";
  accept.first = Slot{7};
  accept.decrees.erase(accept.decrees.begin());
  c.Deliver(next_page);
  c.Settle();
  EXPECT_NE(c[3].replica().VoteAt(Slot{7})->ballot, accept.ballot);
  EXPECT_EQ(c[3].replica().VoteAt(Slot{8}), nullptr);
  EXPECT_EQ(c[2].replica().chosen(), Slot{5});
  // Once the hole is filled all are chosen, and 1, who still has its vote, does not get the Seal.
  c.capture = nullptr;
  c.Deliver(c.captured.front());
  c.Settle();
  EXPECT_EQ(c[2].replica().chosen(), Slot{8});
  const std::string log = LogWithout(2);
  EXPECT_EQ(log.find("seal"), std::string::npos) << log;
  EXPECT_NE(log.find("6:b 7:c 8:noop"), std::string::npos) << log;
}

TEST_F(SealTest, ALeaderThatGoesWithItsOwnSealLeavesAWorkingEpoch) {
  EXPECT_EQ(Seal(1, {2, 3, 4}), ProposeCode::kProposed);
  EXPECT_EQ(c[1].replica().role(), Role::kFollower);
  c.Advance(200ms);
  ASSERT_EQ(c.Leaders().size(), 1u) << "the new voters come forward soon, one after the other";
  EXPECT_NE(c.Put(c.Leaders().front(), "on"), Slot{});
  EXPECT_EQ(c[1].wake_at, kNever);
}

TEST_F(SealTest, ReadsThatWaitDuringTheSwitchRunInTheNextEpoch) {
  c.Isolate(1);
  Seal(1, {1, 2, 4});
  c[1].Read(c.now(), 7);
  EXPECT_TRUE(c[1].reads.empty());
  c.Mend();
  c.Advance(200ms);
  ASSERT_EQ(c[1].replica().config().epoch, Epoch{2});
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_TRUE(c[1].reads[0].ok);
}

TEST_F(SealTest, ShrinkingToOneVoterAndGrowingAgain) {
  EXPECT_EQ(Seal(1, {1}), ProposeCode::kProposed);
  ASSERT_TRUE(c[1].replica().ReadyLeader());
  EXPECT_NE(c.Put(1, "alone"), Slot{});
  for (std::uint64_t id : {5, 6}) {
    c.AddShell(id);
    EXPECT_EQ(c.Propose(1, AddLearnerOf(MoveId{id}, id)).code, ProposeCode::kProposed);
    c.Snapshot(1, id);
  }
  c.Advance(200ms);
  c[1].replica().HoldProposals();
  EXPECT_EQ(c.Propose(1, SealOf(MoveId{6}, {1, 5, 6})).code, ProposeCode::kProposed);
  EXPECT_EQ(c[1].replica().config().epoch, Epoch{3});
  EXPECT_NE(c.Put(1, "three"), Slot{});
  EXPECT_EQ(c[5].replica().chosen(), c[6].replica().chosen());
}

TEST_F(SealTest, MembershipDecreesThatDoNotFitAreRefused) {
  EXPECT_EQ(c.Propose(1, AddLearnerOf(MoveId{2}, 2)).code, ProposeCode::kRefused);
  EXPECT_EQ(c.Propose(1, SealOf(MoveId{1}, {1, 2, 9})).code, ProposeCode::kRefused);
  EXPECT_EQ(c.Propose(1, RemoveLearnerOf(MoveId{1}, 4)).code, ProposeCode::kProposed);
  EXPECT_EQ(c.Propose(1, RemoveLearnerOf(MoveId{1}, 4)).code, ProposeCode::kRefused);
  EXPECT_EQ(c.Propose(1, AddLearnerOf(MoveId{1}, 4)).code, ProposeCode::kRefused);
  Decree start;
  start.kind = DecreeKind::kEpochStart;
  EXPECT_EQ(c.Propose(1, start).code, ProposeCode::kRefused);
}

TEST_F(SealTest, OneMembershipDecreeIsInFlight) {
  c.frozen_disks = {1, 2, 3};
  EXPECT_EQ(c.Propose(1, AddLearnerOf(MoveId{2}, 5)).code, ProposeCode::kProposed);
  EXPECT_EQ(c.Propose(1, AddLearnerOf(MoveId{3}, 6)).code, ProposeCode::kNotNow);
}

// ---- the rules on one replica ----

TEST(SealRuleTest, Step9AVoteForTheSealIsNotKnowledge) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
  r.Durable();
  r.Get(2, Prepare{B(2, 1, 2), Slot{2}});
  r.Durable();
  EXPECT_EQ(r.replica().promised(), B(1, 1, 2));
  ASSERT_TRUE(r.Last<Promise>());
  EXPECT_NE(r.Last<Promise>()->promised, B(2, 1, 2)) << "refused";
  EXPECT_EQ(r.Last<Promise>()->chosen, Slot{0}) << "and names chosen";
  ASSERT_TRUE(r.Last<Learn>());
  // The Prepare that waited is answered as soon as the Seal is known.
  r.Get(2, Learned{Slot{0}, Slot{1}, Slot{1}, {SealOf(MoveId{1}, {1, 2, 3})}});
  ASSERT_EQ(r->writes.size(), 1u);
  EXPECT_EQ(r->writes[0].record.promised, B(2, 1, 2));
  EXPECT_GE(r->writes[0].record.watermark, Slot{1}) << "promised with durable chosen >= r";
  r.Durable();
  EXPECT_EQ(r.Last<Promise>()->promised, B(2, 1, 2));
}

TEST(SealRuleTest, Step8WhoKnowsTheSealAnswersOldTrafficSealed) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  r.Durable();
  ASSERT_EQ(r.replica().config().epoch, Epoch{2});
  const std::vector<Message> old_traffic = {Prepare{B(1, 7, 3), Slot{1}},
                                            r.AcceptOf(B(1, 7, 3), 0, 1, {Command("x")}),
                                            Heartbeat{B(1, 1, 2), Slot{1}, 5}, PreVote{B(1, 7, 3)}};
  for (const Message& m : old_traffic) {
    r.Forget();
    r.Get(3, m);
    ASSERT_TRUE(r.Last<Sealed>()) << Describe(m);
    EXPECT_EQ(r.Last<Sealed>()->epoch, Epoch{1});
    EXPECT_EQ(r.Last<Sealed>()->seal, Slot{1});
  }
  EXPECT_EQ(r.replica().promised(), B(1, 1, 2));
}

TEST(SealRuleTest, LearnIsServedInAnyEpochAndToAnybody) {
  OneReplica r;
  r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
  r.Get(2, Heartbeat{B(1, 1, 2), Slot{1}, 0});
  r.Get(99, Learn{Slot{1}});
  ASSERT_TRUE(r.Last<Learned>());
  EXPECT_EQ(r.Last<Learned>()->decrees.size(), 1u);
}

// Knows the Seal at slot 1 and has a vote of epoch 1 above it, as a pipelining leader may leave it.
class AfterSealTest : public ::testing::Test {
 protected:
  AfterSealTest() {
    r.Get(2, r.AcceptOf(B(1, 1, 2), 0, 1, {Command("a"), Command("above")}));
    r.Get(3, r.AcceptOf(B(1, 2, 3), 0, 1, {SealOf(MoveId{1}, {1, 2, 3})}));
    r.Get(3, Heartbeat{B(1, 2, 3), Slot{1}, 0});
    r.Durable();
    EXPECT_EQ(r.VoteAt(2), "1.1.2 above");
    EXPECT_EQ(r.replica().config().epoch, Epoch{2});
  }
  OneReplica r;
};

TEST_F(AfterSealTest, Scenario52_VotesOfEarlierEpochsAboveTheSealAreVoid) {
  r.Get(3, Prepare{B(2, 1, 3), Slot{2}});
  r.Durable();
  EXPECT_TRUE(r.Last<Promise>()->slots.empty()) << "not reported";
  r.Restart();
  r.Wait(1s);
  r.Get(2, PreVoteReply{B(2, 2, 1), true, {}, {}});
  r.Durable();
  r.Get(2, Promise{B(2, 2, 1),
                   B(2, 2, 1),
                   Slot{1},
                   {},
                   0,
                   1,
                   {PromisedSlot{Slot{2}, false, B(1, 1, 2), Command("above")}}});
  EXPECT_EQ(r.VoteAt(2), "2.2.1 epoch-start") << "not proposed, its own one neither";
  EXPECT_EQ(r.VoteAt(3), "none") << "EpochStart is the barrier";
}

TEST_F(AfterSealTest, Step10LaterLeadersProposeEpochStartAgainAndTheirBarrierAbove) {
  r.Wait(1s);
  r.Get(2, PreVoteReply{B(2, 1, 1), true, {}, {}});
  r.Durable();
  Decree start;
  start.kind = DecreeKind::kEpochStart;
  r.Get(2, Promise{B(2, 1, 1),
                   B(2, 1, 1),
                   Slot{1},
                   {},
                   0,
                   1,
                   {PromisedSlot{Slot{2}, false, B(2, 0, 2), start}}});
  EXPECT_EQ(r.VoteAt(2), "2.1.1 epoch-start");
  EXPECT_EQ(r.VoteAt(3), "2.1.1 noop");
}

// The leader of epoch 1, which stays, got the Seal of epoch 2 chosen and campaigns there.
class TakeOverTest : public ::testing::Test {
 protected:
  TakeOverTest() {
    const Ballot old = B(1, 1, 1);
    r.Lead();
    for (const std::uint64_t voter : {2, 3}) r.Get(voter, Accepted{old, old, Slot{1}, {}});
    EXPECT_EQ(r->Propose(r.now, SealOf(MoveId{1}, {1, 2, 3})).code, ProposeCode::kProposed);
    r.Durable();
    r.Get(2, Accepted{old, old, Slot{2}, {}});
    EXPECT_EQ(r.replica().config().epoch, Epoch{2});
    EXPECT_EQ(r.replica().role(), Role::kCandidate);
    r.Durable();
    r->leadership_changes.clear();
  }
  OneReplica r;
};

TEST_F(TakeOverTest, LosingItToAHigherPromiseIsSaid) {
  r.Get(2, Promise{B(2, 1, 1), B(2, 2, 3), Slot{2}, {}, 0, 1, {}});
  EXPECT_EQ(r->leadership_changes, std::vector<Role>{Role::kFollower});
}

TEST_F(TakeOverTest, LosingItToAnotherLeaderIsSaid) {
  r.Get(3, Heartbeat{B(2, 2, 3), Slot{2}, 1});
  EXPECT_EQ(r->leadership_changes, std::vector<Role>{Role::kFollower});
}

TEST_F(TakeOverTest, LosingItToATimeOutIsSaid) {
  r.Wait(600ms);
  EXPECT_EQ(r->leadership_changes, std::vector<Role>{Role::kPreCandidate});
}

TEST_F(TakeOverTest, AHigherBallotOfItsOwnIsStillTheSameTakeOver) {
  r.Get(2, Promise{B(2, 1, 1), B(2, 1, 1), Slot{9}, Slot{9}, 0, 1, {}});  // base cannot be fetched
  r.Wait(600ms);
  ASSERT_EQ(r.replica().role(), Role::kCandidate);
  EXPECT_EQ(r.replica().promised(), B(2, 2, 1));
  EXPECT_TRUE(r->leadership_changes.empty());
  r->Read(r.now, 7);
  EXPECT_TRUE(r->reads.empty()) << "reads wait for its end";
  r.Get(3, Heartbeat{B(2, 3, 3), Slot{9}, 1});
  EXPECT_EQ(r->leadership_changes, std::vector<Role>{Role::kFollower});
  ASSERT_EQ(r->reads.size(), 1u);
  EXPECT_FALSE(r->reads[0].ok);
}

TEST(SealRuleTest, Scenario55_ALeaderThatLearnsItsSlotsGoesOn) {
  OneReplica r;
  r.Lead();
  r.Durable();
  r.Get(2, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{1}, {}});
  ASSERT_EQ(r->Propose(r.now, Command("a")).slot, Slot{2});
  r.Get(2, Learned{Slot{0}, Slot{2}, Slot{1}, {Decree{}, Command("a")}});
  EXPECT_EQ(r.replica().chosen(), Slot{2});
  EXPECT_EQ(r.replica().role(), Role::kLeader);
  ASSERT_EQ(r->Propose(r.now, Command("b")).slot, Slot{3});
  r.Durable();
  r.Get(3, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{3}, {}});
  EXPECT_EQ(r.replica().chosen(), Slot{3});
}

TEST(SealRuleTest, ALeaderThatLearnsAnotherValueStepsDown) {
  OneReplica r;
  r.Lead();
  r.Durable();
  r.Get(2, Learned{Slot{0}, Slot{1}, Slot{1}, {Command("another's")}});
  EXPECT_EQ(r.replica().role(), Role::kFollower);
  EXPECT_EQ(Describe(r.replica().ChosenAt(Slot{1})->decree), "another's");
}

TEST(SealRuleTest, Scenario58_ALearnersVoteCountsForNothing) {
  OneReplica r(GenesisOf({1, 2, 3}, {4}));
  r.Lead();
  r.Durable();
  r.Get(4, Accepted{B(1, 1, 1), B(1, 1, 1), Slot{1}, Slot{1}});
  r.Get(4, HeartbeatReply{B(1, 1, 1), B(1, 1, 1), 1, Slot{1}, Slot{1}});
  EXPECT_EQ(r.replica().chosen(), Slot{0});
}

}  // namespace
}  // namespace decree::consensus::testing
