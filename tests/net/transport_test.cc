#include <gtest/gtest.h>

#include "tests/net/native_net.h"
#include "tests/net/raw_socket.h"

namespace decree::net {
namespace {

using consensus::Envelope;
using node::Channel;

Envelope Beat(std::uint32_t from, std::uint32_t to, std::uint64_t round) {
  return {ShardId{5},
          {ReplicaId{from}, NodeId{from}},
          {ReplicaId{to}, NodeId{to}},
          consensus::Heartbeat{{Epoch{1}, 1, ReplicaId{from}}, Slot{round}, round}};
}

// Calls until the link is up again; each failure must be an honest one.
RpcResponse CallUntilAnswered(Net& net, std::uint32_t to) {
  const Instant limit = net.runtime().executor(0).Now() + 20s;
  RpcResponse response;
  do {
    response = net.Call(to, Ask("again", 500));
  } while (response.code != Errc::kOk && net.runtime().executor(0).Now() < limit);
  return response;
}

TEST(TransportTest, ACallIsAnsweredByTheOtherNode) {
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  for (const Channel channel : {Channel::kControl, Channel::kBulk}) {
    const RpcResponse response = a.Call(2, Ask("hello"), channel);
    EXPECT_EQ(response.code, Errc::kOk) << response.detail;
    EXPECT_EQ(response.body, "echo:hello");
  }
  EXPECT_EQ(b.door.callers, (std::vector<NodeId>{NodeId{1}, NodeId{1}}));
  EXPECT_EQ(b.door.requests[0].shard, ShardId{3});
}

TEST(TransportTest, ManyCallsAtOnceGetEachItsOwnAnswer) {
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  constexpr int kCalls = 3000;
  Monitor monitor;
  int right = 0, answered = 0;
  for (int i = 0; i < kCalls; ++i) {
    a.peers().Call(a.runtime().executor(static_cast<std::size_t>(i % 2)), NodeId{2},
                   Channel::kControl, Ask(std::to_string(i)), [&, i](const RpcResponse& response) {
                     monitor.Do([&] {
                       ++answered;
                       right += response.body == "echo:" + std::to_string(i);
                     });
                   });
  }
  ASSERT_TRUE(monitor.Wait([&] { return answered == kCalls; }));
  EXPECT_EQ(right, kCalls);
}

TEST(TransportTest, ABodyOfManyMegabytesArrivesWhole) {
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  std::string body(12 << 20, 'x');
  body[12345678] = 'y';
  EXPECT_EQ(a.Call(2, Ask(body)).body, "echo:" + body);
}

TEST(TransportTest, ABodyOverTheFrameLimitIsTooLarge) {
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  EXPECT_EQ(a.Call(2, Ask(std::string(17 << 20, 'x'))).code, Errc::kTooLarge);
  EXPECT_EQ(a.Call(2, Ask("still up")).body, "echo:still up");
}

TEST(TransportTest, EnvelopesOfOneTurnArriveInOrderAndTogether) {
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  std::vector<Envelope> turn;
  for (std::uint64_t round = 1; round <= 100; ++round) turn.push_back(Beat(1, 2, round));
  a.peers().Send(std::move(turn));
  ASSERT_TRUE(b.door.monitor.Wait([&] { return b.door.envelopes.size() == 100; }));
  EXPECT_EQ(b.door.batches, 1u);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto& beat = std::get<consensus::Heartbeat>(b.door.envelopes[i].message);
    EXPECT_EQ(beat.round, i + 1);
    EXPECT_EQ(b.door.envelopes[i].from.node, NodeId{1});
  }
}

TEST(TransportTest, ALinkThatGoesDownIsToldToTheNode) {
  Net a(7, 1);
  {
    Net b(7, 2);
    a.Knows(2, b);
    EXPECT_EQ(a.Call(2, Ask("there?")).code, Errc::kOk);
    a.door.monitor.Do([&] { EXPECT_TRUE(a.door.lost.empty()); });
  }
  ASSERT_TRUE(a.door.monitor.Wait([&] { return !a.door.lost.empty(); }));
  EXPECT_EQ(a.Call(2, Ask("again")).code, Errc::kUnavailable);
  a.door.monitor.Do([&] {
    EXPECT_EQ(a.door.lost, std::vector<NodeId>{NodeId{2}}) << "once: it was not up again";
  });
}

TEST(TransportTest, EnvelopesToThisNodeItselfAreDelivered) {
  Net a(7, 1);
  a.peers().Send({Beat(1, 1, 9)});
  ASSERT_TRUE(a.door.monitor.Wait([&] { return a.door.envelopes.size() == 1; }));
}

TEST(TransportTest, ACallToThisNodeItselfIsAnswered) {
  Net a(7, 1);
  EXPECT_EQ(a.Call(1, Ask("self")).body, "echo:self");
}

TEST(TransportTest, ACallToAnUnknownNodeIsUnavailable) {
  Net a(7, 1);
  EXPECT_EQ(a.Call(9, Ask("x")).code, Errc::kUnavailable);
}

TEST(TransportTest, ACallToAClosedPortIsUnavailable) {
  Net a(7, 1);
  std::string address;
  {
    Net b(7, 2);
    address = b.address();
  }
  EXPECT_EQ(a.CallAddress(address, Ask("x")).code, Errc::kUnavailable);
}

TEST(TransportTest, AnUnansweredCallHasAnUnknownOutcomeWhenItsTimeIsOver) {
  Net a(7, 1), b(7, 2);
  b.door.on_request = [](NodeId, RpcRequest, RpcReply) {};
  a.Knows(2, b);
  EXPECT_EQ(a.Call(2, Ask("x", 50)).code, Errc::kOutcomeUnknown);
}

TEST(TransportTest, ACallWhoseTimeEndsBeforeTheGreetingIsNeverSent) {
  Net a(7, 1);
  // A port that takes connections and says nothing.
  auto silent = Acceptor::Bind(a.runtime(), "127.0.0.1:0", {}).value();
  EXPECT_EQ(a.CallAddress(ToString(silent->bound()), Ask("x", 50)).code, Errc::kUnavailable);
}

TEST(TransportTest, CallsInFlightHaveAnUnknownOutcomeWhenTheLinkBreaks) {
  Net a(7, 1);
  auto b = std::make_unique<Net>(7, 2);
  std::promise<void> arrived;
  b->door.on_request = [&](NodeId, RpcRequest, RpcReply) { arrived.set_value(); };
  a.Knows(2, *b);
  std::promise<Errc> code;
  a.peers().Call(a.runtime().executor(0), NodeId{2}, Channel::kControl, Ask("x", 60'000),
                 [&](const RpcResponse& response) { code.set_value(response.code); });
  arrived.get_future().wait();
  b.reset();
  EXPECT_EQ(code.get_future().get(), Errc::kOutcomeUnknown);
}

TEST(TransportTest, ALinkComesBackAfterTheOtherNodeRestarts) {
  Net a(7, 1);
  auto b = std::make_unique<Net>(7, 2);
  const std::uint16_t port = b->port();
  a.Knows(2, *b);
  EXPECT_EQ(a.Call(2, Ask("1")).code, Errc::kOk);
  b.reset();
  EXPECT_NE(a.Call(2, Ask("2", 300)).code, Errc::kOk);
  b = std::make_unique<Net>(7, 2, port);
  EXPECT_EQ(CallUntilAnswered(a, 2).code, Errc::kOk);
}

TEST(TransportTest, ANodeThatMovedIsFoundAtItsNewAddress) {
  Net a(7, 1);
  auto b = std::make_unique<Net>(7, 2);
  a.Knows(2, *b);
  EXPECT_EQ(a.Call(2, Ask("1")).code, Errc::kOk);
  b.reset();
  Net elsewhere(7, 2);
  a.Knows(2, elsewhere);
  EXPECT_EQ(CallUntilAnswered(a, 2).code, Errc::kOk);
}

TEST(TransportTest, AnotherClusterIsRefusedByBothSides) {
  Net a(7, 1), b(8, 2);
  const RpcResponse response = a.CallAddress(b.address(), Ask("x"));
  EXPECT_EQ(response.code, Errc::kWrongCluster) << response.detail;
  EXPECT_TRUE(a.log.WaitFor("belongs to cluster 0000000000000008"));
  EXPECT_TRUE(b.log.WaitFor("belongs to cluster 0000000000000007"));
  EXPECT_TRUE(b.door.requests.empty());
}

TEST(TransportTest, ANodeThatIsNotTheOneExpectedGetsNothing) {
  Net a(7, 1), b(7, 3);
  a.Knows(2, b);
  EXPECT_EQ(a.Call(2, Ask("x", 300)).code, Errc::kUnavailable);
  EXPECT_TRUE(b.door.requests.empty());
}

TEST(TransportTest, AJoiningNodeSendsConsensusMessagesOnceItKnowsItself) {
  Net a(0, 0), b(7, 2);
  EXPECT_EQ(a.CallAddress(b.address(), Ask("join")).code, Errc::kOk);
  EXPECT_EQ(b.door.callers.back(), NodeId{});
  a.peers().SetIdentity(ClusterId{7}, NodeId{4});
  EXPECT_EQ(a.CallAddress(b.address(), Ask("as 4")).code, Errc::kOk);
  EXPECT_EQ(b.door.callers.back(), NodeId{4});
  a.Knows(2, b);
  a.peers().Send({Beat(4, 2, 1)});
  ASSERT_TRUE(b.door.monitor.Wait([&] { return b.door.envelopes.size() == 1; }));
}

TEST(TransportTest, ShutdownAnswersWhatIsPending) {
  Net a(7, 1), b(7, 2);
  std::promise<void> arrived;
  b.door.on_request = [&](NodeId, RpcRequest, RpcReply) { arrived.set_value(); };
  a.Knows(2, b);
  std::promise<Errc> code;
  a.peers().Call(a.runtime().executor(0), NodeId{2}, Channel::kControl, Ask("x", 60'000),
                 [&](const RpcResponse& response) { code.set_value(response.code); });
  arrived.get_future().wait();
  a.peers().Shutdown();
  EXPECT_EQ(code.get_future().get(), Errc::kOutcomeUnknown);
  EXPECT_EQ(a.Call(2, Ask("late")).code, Errc::kUnavailable);
}

// ---- bad company on the port ----

// Whether the port closes a connection that sends these bytes, and still serves others.
void ExpectRefused(Net& net, const std::string& bytes, const std::string& log_line) {
  RawSocket socket(net.port());
  ASSERT_TRUE(socket.connected());
  socket.Send(bytes);
  socket.ReadToEnd();
  EXPECT_TRUE(net.log.WaitFor(log_line)) << log_line;
  Net other(7, 9);
  other.Knows(2, net);
  EXPECT_EQ(other.Call(2, Ask("alive")).code, Errc::kOk);
}

TEST(NativePortTest, GarbageIsClosedWithALogLine) {
  Net b(7, 2);
  ExpectRefused(b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no frame");
}

TEST(NativePortTest, AFrameLongerThanTheLimitIsRefusedAtItsHeader) {
  Net b(7, 2);
  std::string frame = Greeting(0, 0);
  std::string header;
  AppendFrame(header, static_cast<std::uint16_t>(FrameType::kRequest), "x");
  header[8] = header[9] = header[10] = header[11] = '\x7f';
  ExpectRefused(b, frame + header, "no frame");
}

TEST(NativePortTest, AFlippedBitIsRefused) {
  Net b(7, 2);
  std::string bytes = Greeting(0, 0);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ExpectRefused(b, bytes, "no frame");
}

TEST(NativePortTest, ARequestBeforeHelloIsRefused) {
  Net b(7, 2);
  std::string bytes;
  AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kRequest), "xxxx");
  ExpectRefused(b, bytes, "no Hello");
}

TEST(NativePortTest, AMalformedRequestIsRefused) {
  Net b(7, 2);
  std::string bytes = Greeting(0, 0);
  AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kRequest), "\x01\xff\xff\xff");
  ExpectRefused(b, bytes, "malformed request");
}

TEST(NativePortTest, ConsensusMessagesOfAClientAreRefused) {
  Net b(7, 2);
  std::string bytes = Greeting(0, 0);
  AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kConsensus),
              Encode(std::vector<Envelope>{Beat(1, 2, 1)}));
  ExpectRefused(b, bytes, "no node of this cluster");
  EXPECT_TRUE(b.door.envelopes.empty());
}

TEST(NativePortTest, MethodsBetweenNodesAreRefusedToWhoeverIsNone) {
  Net b(7, 2);
  Net stranger(0, 0);
  RpcRequest destroy = Ask("replica 1");
  destroy.method = Method::kDestroyReplica;
  EXPECT_EQ(stranger.CallAddress(b.address(), destroy).code, Errc::kUnauthorized);
  RpcRequest join = Ask("may I");
  join.method = Method::kJoin;
  EXPECT_EQ(stranger.CallAddress(b.address(), join).code, Errc::kOk);
  Net peer(7, 1);
  peer.Knows(2, b);
  EXPECT_EQ(peer.Call(2, destroy).code, Errc::kOk);
  ASSERT_EQ(b.door.requests.size(), 2u);
  EXPECT_EQ(b.door.requests[0].method, Method::kJoin);
}

// It has no replica that could be harmed, and says that it is not ready rather than who may ask.
TEST(NativePortTest, ANodeThatIsNoMemberYetLeavesTheRefusalToItself) {
  Net joining(0, 0);
  Net leader(7, 1);
  RpcRequest create = Ask("replica 1");
  create.method = Method::kCreateReplica;
  EXPECT_EQ(leader.CallAddress(joining.address(), create).code, Errc::kOk);
  EXPECT_EQ(joining.door.requests.size(), 1u);
}

TEST(NativePortTest, MessagesInAnothersNameAreDropped) {
  Net b(7, 2);
  RawSocket socket(b.port());
  std::string bytes = Greeting(7, 3);
  AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kConsensus),
              Encode(std::vector<Envelope>{Beat(1, 2, 1), Beat(3, 2, 2)}));
  socket.Send(bytes);
  ASSERT_TRUE(b.door.monitor.Wait([&] { return b.door.envelopes.size() == 1; }));
  EXPECT_EQ(b.door.envelopes[0].from.node, NodeId{3});
  EXPECT_TRUE(b.log.WaitFor("in the name of node 1"));
}

TEST(NativePortTest, AClientWithTooManyOpenRequestsIsNotReadUntilTheyAreAnswered) {
  Net b(7, 2);
  std::vector<RpcReply> held;
  b.door.on_request = [&](NodeId, RpcRequest, RpcReply reply) {
    b.door.monitor.Do([&] { held.push_back(std::move(reply)); });
  };
  RawSocket socket(b.port());
  std::string bytes = Greeting(0, 0);
  constexpr std::size_t kRequests = 3000;
  for (std::size_t id = 1; id <= kRequests; ++id) {
    std::string payload;
    Writer(payload).Varint(id);
    AppendEncoded(payload, Ask("x"));
    AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kRequest), payload);
  }
  ASSERT_TRUE(socket.Send(bytes));
  std::size_t answered = 0, most = 0;
  while (answered < kRequests) {
    std::vector<RpcReply> now;
    ASSERT_TRUE(b.door.monitor.Wait([&] { return !held.empty(); })) << answered;
    b.door.monitor.Do([&] { now.swap(held); });
    most = std::max(most, now.size());
    answered += now.size();
    for (auto& reply : now) reply({});
  }
  EXPECT_LE(most, 1024u);
}

}  // namespace
}  // namespace decree::net
