#include "consensus/membership.h"

#include "tests/consensus/bare_host.h"

namespace decree::consensus::testing {
namespace {

const Slot kSlot{10};

TEST(MembershipTest, AddLearnerOpensItsMove) {
  const Config c = Advance(GenesisOf({1, 2, 3}), kSlot, AddLearnerOf(MoveId{5}, 4));
  EXPECT_TRUE(c.IsLearner(ReplicaId{4}));
  EXPECT_EQ(c.open_move, MoveId{5});
  EXPECT_EQ(c.epoch, Epoch{1});
}

TEST(MembershipTest, AHigherMoveEndsAFillUpThatStayedLearner) {
  Config c = Advance(GenesisOf({1}), kSlot, AddLearnerOf(MoveId{5}, 4));
  c = Advance(c, kSlot, AddLearnerOf(MoveId{7}, 5));
  EXPECT_EQ(c.ended_move, MoveId{5});
  EXPECT_EQ(c.open_move, MoveId{7});
  EXPECT_TRUE(c.IsLearner(ReplicaId{4}));
  EXPECT_EQ(Advance(c, kSlot, AddLearnerOf(MoveId{6}, 6)), c);  // below the open one
}

TEST(MembershipTest, ALateAddLearnerOfAnEndedMoveIsNothing) {
  Config c = Advance(GenesisOf({1, 2, 3}), kSlot, RemoveLearnerOf(MoveId{5}, 4));
  EXPECT_EQ(c.ended_move, MoveId{5});
  EXPECT_EQ(Advance(c, kSlot, AddLearnerOf(MoveId{5}, 4)), c);
  EXPECT_EQ(Advance(c, kSlot, AddLearnerOf(MoveId{4}, 4)), c);
}

TEST(MembershipTest, RemoveLearnerEndsItsMove) {
  Config c = Advance(GenesisOf({1, 2, 3}), kSlot, AddLearnerOf(MoveId{5}, 4));
  c = Advance(c, kSlot, RemoveLearnerOf(MoveId{5}, 4));
  EXPECT_FALSE(c.IsLearner(ReplicaId{4}));
  EXPECT_EQ(c.open_move, MoveId{});
  EXPECT_EQ(c.ended_move, MoveId{5});
  EXPECT_EQ(Advance(c, kSlot, RemoveLearnerOf(MoveId{5}, 1)), c);
}

TEST(MembershipTest, AVoterIsNeverRemovedByRemoveLearner) {
  const Config c = Advance(GenesisOf({1, 2, 3}), kSlot, RemoveLearnerOf(MoveId{5}, 2));
  EXPECT_TRUE(c.IsVoter(ReplicaId{2}));
}

TEST(MembershipTest, SealBeginsTheNextEpochAndUnnamedLearnersVanish) {
  Config c = Advance(GenesisOf({1, 2, 3}), kSlot, AddLearnerOf(MoveId{5}, 4));
  c = Advance(c, kSlot, AddLearnerOf(MoveId{6}, 5));
  c = Advance(c, Slot{20}, SealOf(MoveId{6}, {5, 1, 2}));
  EXPECT_EQ(c.epoch, Epoch{2});
  EXPECT_EQ(c.start, Slot{21});
  EXPECT_EQ(c.voters, (std::vector<Member>{MemberOf(1), MemberOf(2), MemberOf(5)}));
  EXPECT_TRUE(c.learners.empty());
  EXPECT_EQ(c.ended_move, MoveId{6});
  EXPECT_EQ(c.open_move, MoveId{});
}

TEST(MembershipTest, ASealThatDoesNotFitChangesNothing) {
  const Config c = GenesisOf({1, 2, 3});
  EXPECT_EQ(Advance(c, kSlot, SealOf(MoveId{5}, {1, 2})), c);     // not 1, 3 or 5
  EXPECT_EQ(Advance(c, kSlot, SealOf(MoveId{5}, {1, 2, 9})), c);  // no member
  EXPECT_EQ(Advance(c, kSlot, SealOf(MoveId{5}, {1, 2, 2})), c);  // twice
  EXPECT_EQ(Advance(c, kSlot, SealOf(MoveId{5}, {})), c);
  EXPECT_NE(WhyUnfit(c, SealOf(MoveId{5}, {1, 2})), nullptr);
}

TEST(MembershipTest, QuorumsAreMajorities) {
  EXPECT_EQ(GenesisOf({1}).QuorumSize(), 1u);
  EXPECT_EQ(GenesisOf({1, 2, 3}).QuorumSize(), 2u);
  EXPECT_EQ(GenesisOf({1, 2, 3, 4, 5}).QuorumSize(), 3u);
}

}  // namespace
}  // namespace decree::consensus::testing
