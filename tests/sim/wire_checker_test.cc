#include "tests/sim/wire_checker.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

using namespace consensus;  // NOLINT: the messages are the vocabulary of these tests

class WireCheckerTest : public testing::Test {
 protected:
  void Send(std::uint64_t replica, Message message) {
    Envelope envelope;
    envelope.shard = ShardId{1};
    envelope.from = {ReplicaId{replica}, NodeId{1}};
    envelope.message = std::move(message);
    checker_.OnSend(envelope);
  }
  bool Broken() const { return !world_.failures().empty(); }

  static Ballot B(std::uint64_t round, std::uint64_t epoch = 1) {
    return {Epoch{epoch}, round, ReplicaId{1}};
  }
  static Decree Batch(const std::string& text) {
    Decree decree;
    decree.kind = DecreeKind::kCommandBatch;
    decree.payload = std::make_shared<const std::string>(text);
    return decree;
  }
  static Decree Of(DecreeKind kind) {
    Decree decree;
    decree.kind = kind;
    return decree;
  }
  static Accept Accepting(std::uint64_t round, std::uint64_t slot, const std::string& text) {
    return {B(round), Slot{0}, Slot{slot}, {Batch(text)}, Slot{0}};
  }
  static Learned Teaching(std::uint64_t first, std::vector<Decree> decrees) {
    return {Slot{0}, Slot{100}, Slot{first}, std::move(decrees)};
  }
  static Promise Promising(std::uint64_t round, std::vector<PromisedSlot> slots) {
    Promise promise;
    promise.ballot = promise.promised = B(round);
    promise.slots = std::move(slots);
    return promise;
  }

  World world_{1};
  WireChecker checker_{world_};
};

TEST_F(WireCheckerTest, AcceptsAnOrdinaryCourse) {
  Send(1, Prepare{B(1), Slot{1}});
  Send(2, Promising(1, {}));
  Send(1, Accepting(1, 1, "a"));
  Send(1, Accepting(1, 1, "a"));
  Send(2, Accepted{B(1), B(1), Slot{1}, Slot{0}});
  Send(3, Prepare{B(2), Slot{1}});
  Send(2, Promising(2, {{Slot{1}, false, B(1), Batch("a")}}));
  Send(1, Teaching(1, {Batch("a"), Of(DecreeKind::kSeal), Of(DecreeKind::kEpochStart)}));
  EXPECT_FALSE(Broken());
  EXPECT_EQ(checker_.chosen_seen(), 3u);
}

TEST_F(WireCheckerTest, RejectsTwoValuesInOneBallotAndSlot) {
  Send(1, Accepting(1, 1, "a"));
  Send(1, Accepting(1, 1, "b"));
  EXPECT_TRUE(Broken());
}

TEST_F(WireCheckerTest, RejectsTwoChosenValuesOfOneSlot) {
  Send(1, Teaching(1, {Batch("a")}));
  Send(2, Teaching(1, {Batch("b")}));
  EXPECT_TRUE(Broken());
}

TEST_F(WireCheckerTest, RejectsAPromiseThatFell) {
  Send(2, Promising(5, {}));
  Send(2, HeartbeatReply{B(4), B(4), 1, Slot{0}, Slot{0}});
  EXPECT_TRUE(Broken());
}

// Two dead of five voters, and one that lives, may be made learners by a repair (seed 379).
TEST_F(WireCheckerTest, AVoterThatBecameALearnerTellsNoPromise) {
  Send(2, HeartbeatReply{B(4), B(4), 1, Slot{0}, Slot{0}});
  Send(2, HeartbeatReply{B(5), {}, 0, {}, Slot{3}});
  EXPECT_FALSE(Broken());
  Send(2, HeartbeatReply{B(5), B(3), 1, {}, Slot{3}});
  EXPECT_TRUE(Broken());
}

TEST_F(WireCheckerTest, RejectsAVoteThatWasAcknowledgedAndForgotten) {
  Send(1, Prepare{B(1), Slot{1}});
  Send(2, Accepted{B(1), B(1), Slot{3}, Slot{0}});
  Send(3, Prepare{B(2), Slot{1}});
  Send(2, Promising(2, {{Slot{1}, false, B(1), Batch("a")}, {Slot{2}, false, B(1), Batch("b")}}));
  EXPECT_TRUE(Broken());
}

TEST_F(WireCheckerTest, WaitsForAllPagesOfAPromise) {
  Send(2, Accepted{B(1), B(1), Slot{2}, Slot{0}});
  Send(3, Prepare{B(2), Slot{1}});
  Promise first = Promising(2, {{Slot{1}, false, B(1), Batch("a")}});
  first.pages = 2;
  Send(2, first);
  EXPECT_FALSE(Broken());
  Promise second = Promising(2, {{Slot{2}, false, B(1), Batch("b")}});
  second.pages = 2;
  second.page = 1;
  Send(2, second);
  EXPECT_FALSE(Broken());
}

TEST_F(WireCheckerTest, RejectsAVoidVoteInAPromiseOfTheNextEpoch) {
  Promise promise = Promising(1, {{Slot{4}, true, B(9), Batch("chosen")}});
  promise.ballot = promise.promised = B(1, 2);
  Send(2, promise);
  EXPECT_FALSE(Broken()) << "what is chosen is no vote";
  promise.slots.push_back({Slot{6}, false, B(9), Batch("above the Seal")});
  Send(2, promise);
  EXPECT_TRUE(Broken());
}

TEST_F(WireCheckerTest, RejectsAnythingButEpochStartAfterASeal) {
  Send(1, Teaching(2, {Batch("x")}));
  EXPECT_FALSE(Broken());
  Send(1, Teaching(1, {Of(DecreeKind::kSeal)}));
  EXPECT_TRUE(Broken());
}

}  // namespace
}  // namespace decree::sim
