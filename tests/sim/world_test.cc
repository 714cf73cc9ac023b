// The simulator's own rules: order, death, links, calls.
#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kv/store/mem_disk.h"
#include "tests/sim/executor.h"
#include "tests/sim/transport.h"

namespace decree::sim {
namespace {

std::shared_ptr<Life> NewLife(MachineId machine) {
  return std::make_shared<Life>(Life{machine, 1, true, 0});
}

TEST(WorldTest, RunsEventsInTheOrderOfTimeThenOfTheirMaking) {
  World world(1);
  std::string order;
  world.After(2, [&] { order += "c"; });
  world.After(1, [&] { order += "a"; });
  world.After(1, [&] { order += "b"; });
  world.RunFor(10);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.now(), 10);
}

TEST(WorldTest, EventsOfAnEndedLifeNeverRun) {
  World world(1);
  const auto life = NewLife(1);
  bool ran = false;
  world.At(5, EventKind::kTask, life, 0, [&] { ran = true; });
  world.End(*life);
  world.At(6, EventKind::kTask, life, 0, [&] { ran = true; });
  world.RunFor(10);
  EXPECT_FALSE(ran);
}

TEST(WorldTest, APausedMachinesEventsWaitInTheirOrder) {
  World world(1);
  const auto life = NewLife(1);
  std::string order;
  world.At(3, EventKind::kTask, life, 0, [&] { order += "a"; });
  world.At(4, EventKind::kTask, life, 0, [&] { order += "b"; });
  life->paused_until = 100;
  world.RunFor(99);
  EXPECT_EQ(order, "");
  world.RunFor(1);
  EXPECT_EQ(order, "ab");
}

TEST(WorldTest, APauseThatEndsEarlyLeavesNothingBehindThatWaitedForItsEnd) {
  World world(1);
  const auto life = NewLife(1);
  std::string order;
  const auto add = [&](const char* name) {
    world.At(world.now(), EventKind::kTask, life, 0, [&order, name] { order += name; });
  };
  world.Pause(*life, 1'000);
  add("a");
  add("b");
  world.RunFor(10);
  world.Pause(*life, 500);
  add("c");
  world.RunFor(10);
  EXPECT_EQ(order, "");
  world.Pause(*life, world.now());
  add("d");
  world.RunFor(1);
  EXPECT_EQ(order, "abcd");
}

// It finds timers that are over and calls that came, in no order that anybody promised.
TEST(WorldTest, AMachineThatGoesOnMeetsItsTimersBeforeOrAfterWhatCameMeanwhile) {
  std::set<std::string> orders;
  for (std::uint64_t dice = 1; dice <= 20; ++dice) {
    World world(1);
    const auto life = NewLife(1);
    std::string order;
    for (const char* name : {"a", "b"}) {
      world.At(3, EventKind::kTimer, life, 0, [&order, name] { order += name; });
    }
    life->paused_until = 100;
    life->wake_dice = dice;
    const Nanos call = life->WakesFor(kFirstConnection);
    EXPECT_GE(call, 100);
    EXPECT_LT(call, 100 + Life::kLongestWaking);
    world.After(call, [&] { order += "call "; });
    world.RunFor(99);
    EXPECT_EQ(order, "");
    world.RunFor(2 * kMillis);
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"abcall ", "call ab"}));
}

TEST(WorldTest, EqualSeedsGiveEqualDigestsAndOthersDoNot) {
  const auto digest_of = [](std::uint64_t seed) {
    World world(seed);
    for (int i = 0; i < 20; ++i) world.After(world.Between(0, 1'000), [] {});
    world.RunFor(1'000);
    return world.digest();
  };
  EXPECT_EQ(digest_of(7), digest_of(7));
  EXPECT_NE(digest_of(7), digest_of(8));
}

TEST(ExecutorTest, KeepsTheOrderOfOnePosterAndMixesPosters) {
  World world(3);
  const auto life = NewLife(1);
  const Clock clock;
  SimExecutor a(world, life, clock, {.max = 1 * kMillis});
  SimExecutor b(world, life, clock, {.max = 1 * kMillis});
  SimExecutor to(world, life, clock, {.max = 1 * kMillis});
  std::vector<int> from_a;
  std::vector<int> from_b;
  std::vector<int> all;
  for (int i = 0; i < 50; ++i) {
    a.Post([&, i] { to.Post([&, i] { from_a.push_back(i), all.push_back(i); }); });
    b.Post([&, i] { to.Post([&, i] { from_b.push_back(i), all.push_back(-i); }); });
  }
  world.RunFor(1 * kSeconds);
  EXPECT_EQ(from_a.size(), 50u);
  EXPECT_TRUE(std::is_sorted(from_a.begin(), from_a.end()));
  EXPECT_TRUE(std::is_sorted(from_b.begin(), from_b.end()));
  std::vector<int> taking_turns;
  for (int i = 0; i < 50; ++i) taking_turns.insert(taking_turns.end(), {i, -i});
  EXPECT_NE(all, taking_turns);
}

TEST(ExecutorTest, AStalledWorkerRunsItsTasksLateAndInOrder) {
  World world(3);
  const auto life = NewLife(1);
  const Clock clock;
  SimExecutor to(world, life, clock, {.max = 20 * kMicros, .stall = 1, .max_stall = 100 * kMillis});
  std::vector<int> ran;
  for (int i = 0; i < 20; ++i) to.Post([&, i] { ran.push_back(i); });
  world.RunFor(900 * kMicros);
  EXPECT_TRUE(ran.empty()) << "each stall is a millisecond or more";
  world.RunFor(100 * kMillis);
  EXPECT_EQ(ran.size(), 20u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(ExecutorTest, TimersDoNotRunEarlyOnADriftingClock) {
  for (const std::int64_t ppm : {-5'000, 0, 5'000}) {
    World world(1);
    const Clock clock{123'456'789, ppm, 0};
    SimExecutor executor(world, NewLife(1), clock, {.max = 501});
    world.RunFor(77'777'777);
    const Instant when = executor.Now() + Duration(50ms);
    std::optional<Instant> ran;
    executor.RunAt(when, [&] { ran = executor.Now(); });
    world.RunFor(1 * kSeconds);
    ASSERT_TRUE(ran);
    EXPECT_GE(*ran, when);
    EXPECT_LT(*ran - when, Duration(1ms));
  }
}

TEST(ExecutorTest, TimersOfAClockThatJumpedAheadAreDueSoMuchEarlier) {
  World world(1);
  const auto life = NewLife(1);
  Clock clock;
  SimExecutor executor(world, life, clock, {.max = 501});
  Nanos ran = 0;
  executor.RunAt(executor.Now() + Duration(5s), [&] { ran = world.now(); });
  world.RunFor(1 * kSeconds);
  clock.start += 3 * kSeconds;
  world.Hurry(*life, 3 * kSeconds);
  world.RunFor(10 * kSeconds);
  EXPECT_GE(ran, 2 * kSeconds);
  EXPECT_LT(ran, 2 * kSeconds + 1 * kMillis);
}

class TransportTest : public testing::Test {
 protected:
  struct Side {
    Side(World& world, Network& network, MachineId machine)
        : life(NewLife(machine)),
          executor(world, life, clock, {.max = 1'000}),
          transport(std::make_unique<SimTransport>(world, network, life)) {}
    const Clock clock;
    std::shared_ptr<Life> life;
    SimExecutor executor;
    std::unique_ptr<SimTransport> transport;
  };

  void Echo(Side& side) {
    side.transport->Listen(
        [this](std::vector<consensus::Envelope> envelopes) { received_ += envelopes.size(); },
        [this](NodeId, RpcRequest request, RpcReply reply) {
          ++served_;
          RpcResponse response;
          response.body = request.body;
          reply(response);
        });
  }

  void Call(std::uint64_t timeout_ms = 1'000) {
    one_.transport->CallAddress(one_.executor, "n2:1",
                                {Method::kGetMap, ShardId{}, timeout_ms, "hello"},
                                [this](RpcResponse response) { answers_.push_back(response); });
  }

  World world_{5};
  Network network_{world_, {}};
  Side one_{world_, network_, 1};
  Side two_{world_, network_, 2};
  std::uint64_t received_ = 0;
  std::uint64_t served_ = 0;
  std::vector<RpcResponse> answers_;
};

// The courier's promise to the caller (kv/api/caller.h): a refusal of one copy would be believed
// while the other is proposed.
TEST_F(TransportTest, ACallIsCarriedOutOnceAlsoWhenEnvelopesAreDoubled) {
  network_.options().duplicate = 1;
  Echo(two_);
  Call();
  EXPECT_TRUE(answers_.empty()) << "never inside the call";
  world_.RunFor(5 * kSeconds);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].code, Errc::kOk);
  EXPECT_EQ(answers_[0].body, "hello");
  EXPECT_EQ(served_, 1u);
}

TEST_F(TransportTest, ALostCallIsAnsweredOutcomeUnknownAtItsTimeout) {
  network_.options().loss = 1;
  Echo(two_);
  Call(300);
  world_.RunFor(299 * kMillis);
  EXPECT_TRUE(answers_.empty());
  world_.RunFor(10 * kMillis);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].code, Errc::kOutcomeUnknown);
}

TEST_F(TransportTest, ACutIsOneWay) {
  Echo(one_);
  Echo(two_);
  one_.transport->SetAddresses({{NodeId{2}, "n2:1"}});
  two_.transport->SetAddresses({{NodeId{1}, "n1:1"}});
  one_.transport->SetIdentity(ClusterId{1}, NodeId{1});
  two_.transport->SetIdentity(ClusterId{1}, NodeId{2});
  network_.Cut(1, 2);
  const auto envelope = [](std::uint32_t node) {
    consensus::Envelope envelope;
    envelope.to.node = NodeId{node};
    return std::vector{envelope};
  };
  one_.transport->Send(envelope(2));
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(received_, 0u);
  two_.transport->Send(envelope(1));
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(received_, 1u);
}

// Two nodes may have had one address: what was meant for the former does not reach the latter.
TEST_F(TransportTest, ANodeGetsNothingThatWasMeantForAnotherAtItsAddress) {
  Echo(two_);
  one_.transport->SetAddresses({{NodeId{2}, "n2:1"}});
  two_.transport->SetIdentity(ClusterId{1}, NodeId{3});
  consensus::Envelope envelope;
  envelope.to.node = NodeId{2};
  one_.transport->Send({envelope});
  one_.transport->Call(one_.executor, NodeId{2}, node::Channel::kControl,
                       {Method::kGetMap, ShardId{}, 1'000, "hello"},
                       [this](RpcResponse response) { answers_.push_back(response); });
  world_.RunFor(1 * kSeconds);
  EXPECT_EQ(received_, 0u);
  EXPECT_EQ(served_, 0u);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].code, Errc::kUnavailable);
}

TEST_F(TransportTest, ACallerThatDiedHearsNothing) {
  Echo(two_);
  Call();
  world_.End(*one_.life);
  one_.transport->Close();
  world_.RunFor(5 * kSeconds);
  EXPECT_TRUE(answers_.empty());
}

TEST_F(TransportTest, NobodyAtTheAddressIsACallThatWasNeverSentOrUnknown) {
  two_.transport->Close();
  for (int i = 0; i < 20; ++i) Call(200);
  world_.RunFor(1 * kSeconds);
  ASSERT_EQ(answers_.size(), 20u);
  for (const RpcResponse& answer : answers_) {
    EXPECT_TRUE(answer.code == Errc::kUnavailable || answer.code == Errc::kOutcomeUnknown);
  }
}

TEST(SimDiskTest, APowerLossTakesWhatWasNotSyncedAndTheReportOfIt) {
  World world(1);
  const auto life = NewLife(1);
  store::MemDiskOptions options;
  options.background = [&](Task task) {
    world.At(world.now() + 1 * kMillis, EventKind::kDisk, life, 0, std::move(task));
  };
  auto disk = std::make_unique<store::MemDisk>(options);
  const ReplicaKey key{ShardId{0}, ReplicaId{1}};
  int reports = 0;
  consensus::Persist record;
  record.promised = consensus::Ballot{Epoch{1}, 1, ReplicaId{1}};
  disk->log().Append(key, record, [&](Status) { ++reports; });
  world.RunFor(2 * kMillis);
  EXPECT_EQ(reports, 1);
  record.promised = consensus::Ballot{Epoch{1}, 2, ReplicaId{1}};
  disk->log().Append(key, record, [&](Status) { ++reports; });
  world.End(*life);
  disk = disk->Crash({});
  world.RunFor(2 * kMillis);
  EXPECT_EQ(reports, 1);
  const auto recovered = disk->log().Recover(key);
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->promised.round, 1u);
}

TEST(SimDiskTest, WhatIsQueuedForAForgottenReplicaIsNotWritten) {
  World world(1);
  const auto life = NewLife(1);
  store::MemDiskOptions options;
  options.background = [&](Task task) {
    world.At(world.now() + 1 * kMillis, EventKind::kDisk, life, 0, std::move(task));
  };
  int durable = 0;
  options.on_durable = [&](ReplicaKey, const consensus::Persist&) { ++durable; };
  store::MemDisk disk(options);
  const ReplicaKey key{ShardId{0}, ReplicaId{1}};
  int reports = 0;
  disk.log().Append(key, {}, [&](Status) { ++reports; });
  disk.log().Forget(key);
  world.RunFor(2 * kMillis);
  EXPECT_EQ(reports, 1);
  EXPECT_EQ(durable, 0);
  EXPECT_TRUE(disk.log().Replicas().empty());
}

}  // namespace
}  // namespace decree::sim
