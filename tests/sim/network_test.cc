// What faults can do to links.
#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "kv/api/rpc.h"

namespace decree::sim {
namespace {

class Listener : public Endpoint {
 public:
  Listener(Network& network, MachineId machine)
      : network_(network), life_(std::make_shared<Life>(Life{machine, 1, true, 0})) {
    network_.Attach(machine, *this);
  }
  ~Listener() override { network_.Detach(life_->machine); }
  const std::shared_ptr<Life>& life() const override { return life_; }
  void OnFrame(const Frame& frame) override { heard += frame.bytes; }
  void OnReset(MachineId) override {}
  void Restart() { ++life_->generation; }
  void Pause(Nanos until, std::uint64_t dice) {
    life_->paused_until = until;
    life_->wake_dice = dice;
  }

  std::string heard;

 private:
  Network& network_;
  std::shared_ptr<Life> life_;
};

class NetworkTest : public testing::Test {
 protected:
  void Send(MachineId from, MachineId to, std::string bytes,
            FrameKind kind = FrameKind::kEnvelopes) {
    Frame frame;
    frame.kind = kind;
    frame.from = from;
    frame.bytes = std::move(bytes);
    network_.Send(to, std::move(frame));
    world_.RunFor(1 * kSeconds);
  }
  // Ten requests, of which some are late. How many came in time.
  std::size_t SendLateCalls() {
    network_.MakeCallsLate({{1, 2}}, {.most = 10 * kSeconds});
    for (int i = 0; i < 10; ++i) {
      network_.Send(2, {FrameKind::kRequest, 1, NodeId{}, NodeId{}, 0, false, "r"});
    }
    world_.RunFor(50 * kMillis);
    return two_.heard.size();
  }

  World world_{3};
  Network network_{world_, {}};
  Listener one_{network_, 1};
  Listener two_{network_, 2};
};

TEST_F(NetworkTest, ACloggedLinkDeliversNothingThenEverythingInOrder) {
  network_.Clog({{1, 2}});
  for (const char* text : {"a", "b", "c", "d"}) Send(1, 2, text);
  Send(2, 1, "x");
  EXPECT_EQ(two_.heard, "");
  EXPECT_EQ(one_.heard, "x") << "the other direction works";
  network_.Unclog({{1, 2}});
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(two_.heard, "abcd");
}

TEST_F(NetworkTest, TheLastPromisesToACandidateArriveAgain) {
  const ReplicaKey candidate{ShardId{1}, ReplicaId{7}};
  EXPECT_FALSE(network_.WasPromised(candidate));
  for (const char* text : {"a", "b", "c", "d", "e", "f", "g"}) {
    Frame frame;
    frame.from = 2;
    frame.bytes = text;
    network_.RememberPromise(1, frame, candidate);
  }
  EXPECT_TRUE(network_.WasPromised(candidate));
  EXPECT_FALSE(network_.WasPromised({ShardId{2}, ReplicaId{7}}));
  network_.ReplayPromises(candidate);
  world_.RunFor(1 * kSeconds);
  std::sort(one_.heard.begin(), one_.heard.end());
  EXPECT_EQ(one_.heard, "bcdefg");
  EXPECT_EQ(two_.heard, "");
}

TEST_F(NetworkTest, ACallThatWaitedInAClogDoesNotReachTheNextProcess) {
  network_.Clog({{1, 2}});
  Send(1, 2, "envelopes");
  Send(1, 2, "request", FrameKind::kRequest);
  two_.Restart();
  network_.Unclog({{1, 2}});
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(two_.heard, "envelopes");
}

TEST_F(NetworkTest, ALinkCutTwiceWorksWhenBothCutsAreHealed) {
  network_.Cut({{1, 2}});
  network_.Cut({{1, 2}});
  network_.Heal({{1, 2}});
  Send(1, 2, "a");
  network_.Heal({{1, 2}});
  Send(1, 2, "b");
  EXPECT_EQ(two_.heard, "b");
}

TEST_F(NetworkTest, ASlowLinkDeliversLateAndInTheEndAsBefore) {
  network_.Slow({{1, 2}}, 1'500 * kMillis);
  network_.Slow({{1, 2}}, 1'000 * kMillis);
  Send(1, 2, "a");
  Send(2, 1, "x");
  EXPECT_EQ(one_.heard, "x") << "the other direction is as fast as ever";
  EXPECT_EQ(two_.heard, "") << "two seconds are over";
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(two_.heard, "a");
  network_.Quicken({{1, 2}}, 1'000 * kMillis);
  EXPECT_FALSE(network_.healthy());
  network_.Quicken({{1, 2}}, 1'500 * kMillis);
  EXPECT_TRUE(network_.healthy());
  Send(1, 2, "b");
  EXPECT_EQ(two_.heard, "ab");
}

// Two connections, each in its order.
TEST_F(NetworkTest, AMachineThatGoesOnReadsItsConnectionsInAnyOrder) {
  const Listener three(network_, 3);
  std::set<std::string> orders;
  for (std::uint64_t dice = 1; dice <= 20; ++dice) {
    two_.heard.clear();
    two_.Pause(world_.now() + 10 * kSeconds, dice);
    for (const char* text : {"a", "b"}) Send(1, 2, text);
    for (const char* text : {"x", "y"}) Send(3, 2, text);
    EXPECT_EQ(two_.heard, "");
    world_.RunFor(10 * kSeconds);
    orders.insert(two_.heard);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"abxy", "xyab"}));
}

TEST_F(NetworkTest, AReplayBringsOldEnvelopesAgainAndNeverCalls) {
  Random dice(1);
  EXPECT_EQ(network_.Replay(dice, 5), 0u);
  for (int i = 0; i < 100; ++i) Send(1, 2, "r", FrameKind::kRequest);
  EXPECT_EQ(network_.Replay(dice, 5), 0u);
  Send(1, 2, "E");
  two_.heard.clear();
  EXPECT_EQ(network_.Replay(dice, 3), 3u);
  world_.RunFor(2 * kSeconds);
  EXPECT_EQ(two_.heard, "EEE");
}

TEST_F(NetworkTest, CallsThatAreLateArriveOnceAfterWhatWasSentLater) {
  const std::size_t in_time = SendLateCalls();
  EXPECT_LT(in_time, 10u);
  EXPECT_GT(in_time, 0u);
  network_.EndLateCalls({{1, 2}});
  Send(1, 2, "s", FrameKind::kRequest);
  EXPECT_LT(two_.heard.find('s'), 10u) << "some are later than what was sent after them";
  EXPECT_FALSE(network_.healthy());
  world_.RunFor(10 * kSeconds);
  EXPECT_EQ(two_.heard.size(), 11u) << "each arrives once";
  EXPECT_TRUE(network_.healthy());
}

TEST_F(NetworkTest, CallsThatChangeReplicasMayBeLateAlone) {
  network_.MakeCallsLate({{1, 2}}, {10 * kSeconds, 1, true});
  const auto send = [this](Method method) {
    RpcRequest request;
    request.method = method;
    network_.Send(2, {FrameKind::kRequest, 1, NodeId{}, NodeId{}, 0, false, Encode(request)});
    world_.RunFor(50 * kMillis);
    return !two_.heard.empty();
  };
  EXPECT_FALSE(send(Method::kCreateReplica));
  EXPECT_FALSE(send(Method::kDestroyReplica));
  EXPECT_FALSE(send(Method::kChangeMembers));
  EXPECT_TRUE(send(Method::kReplicaStatus));
}

TEST_F(NetworkTest, HealingBringsWhatIsLateAtOnce) {
  EXPECT_LT(SendLateCalls(), 10u);
  network_.HealAll();
  world_.RunFor(1 * kMillis);
  EXPECT_EQ(two_.heard.size(), 10u);
}

TEST_F(NetworkTest, ALateCallEndsWithTheProcessItWasMadeTo) {
  const std::size_t in_time = SendLateCalls();
  two_.Restart();
  world_.RunFor(10 * kSeconds);
  EXPECT_EQ(two_.heard.size(), in_time);
}

TEST(LinksTest, AStarKeepsTheHubsLinksOnly) {
  const Links cut = LinksButStar(2, 3);
  EXPECT_EQ(cut, (Links{{1, 3}, {3, 1}}));
}

TEST(LinksTest, AChainKeepsNeighboursOnly) {
  EXPECT_EQ(LinksButChain(1, 3), (Links{{1, 3}, {3, 1}}));
  EXPECT_EQ(LinksButChain(2, 3), (Links{{1, 2}, {2, 1}})) << "2 - 3 - 1";
  EXPECT_EQ(LinksButChain(1, 5).size(), 20u - 8u);
}

}  // namespace
}  // namespace decree::sim
