// How many connections a port takes, and for how long one may stay silent.
#include <gtest/gtest.h>

#include "tests/net/native_net.h"
#include "tests/net/raw_socket.h"

namespace decree::net {
namespace {

TEST(ConnectionsPerPortTest, ThreeQuartersOfTheDescriptorsAreLeftToTheEngine) {
  for (const std::uint64_t descriptors : {1024u, 4096u, 20'000u}) {
    EXPECT_LE(2 * ConnectionsPerPort(descriptors), descriptors / 4) << descriptors;
    EXPECT_GE(2 * ConnectionsPerPort(descriptors), descriptors / 6) << descriptors;
  }
  EXPECT_EQ(ConnectionsPerPort(1 << 20), 10'000u);
  EXPECT_GT(ConnectionsPerPort(0), 0u);
}

TEST(ConnectionsTest, AConnectionWithoutAHelloIsClosed) {
  Net b(7, 2, 0, 0, {.hello_timeout = 10ms});
  RawSocket silent(b.port());
  silent.ReadToEnd();
  EXPECT_TRUE(silent.ended());
  EXPECT_TRUE(b.log.WaitFor("no Hello in time"));
}

TEST(ConnectionsTest, OneThatSaidHelloMayStaySilent) {
  Net b(7, 2, 0, 0, {.hello_timeout = 10ms});
  RawSocket greeted(b.port());
  greeted.Send(Greeting(0, 0));
  RawSocket silent(b.port());
  silent.ReadToEnd();  // its time was over later
  std::string bytes;
  std::string payload;
  Writer(payload).Varint(1);
  AppendEncoded(payload, Ask("still here"));
  AppendFrame(bytes, static_cast<std::uint16_t>(FrameType::kRequest), payload);
  greeted.Send(bytes);
  EXPECT_TRUE(b.door.monitor.Wait([&] { return b.door.requests.size() == 1; }));
}

TEST(ConnectionsTest, AFullPortClosesMoreAndServesThoseItHas) {
  Net b(7, 2, 0, 8);
  std::vector<std::unique_ptr<RawSocket>> held;
  for (int i = 0; i < 8; ++i) {
    held.push_back(std::make_unique<RawSocket>(b.port()));
    held.back()->ReadUntil([](const std::string& bytes) { return !bytes.empty(); });  // its Hello
  }
  RawSocket more(b.port());
  EXPECT_EQ(more.ReadToEnd(), "");
  EXPECT_TRUE(b.log.WaitFor("more are closed at once"));
  held.clear();
  Net a(7, 1);
  a.Knows(2, b);
  RpcResponse response;
  do {
    response = a.Call(2, Ask("room again", 500));
  } while (response.code == Errc::kUnavailable);
  EXPECT_EQ(response.code, Errc::kOk) << response.detail;
}

TEST(ConnectionsTest, ADrainedPortAnswersWhatIsUnderWayAndRefusesNewRequestsOfClients) {
  std::vector<RpcReply> held;  // outlives the workers, who add to it
  Net a(7, 1), b(7, 2);
  a.Knows(2, b);
  b.door.on_request = [&](NodeId, const RpcRequest& request, RpcReply reply) {
    if (request.method == Method::kReport) return reply({});
    b.door.monitor.Do([&] { held.push_back(std::move(reply)); });
  };
  Monitor monitor;
  std::vector<Errc> codes;
  a.peers().Call(
      a.runtime().executor(0), NodeId{2}, node::Channel::kControl, Ask("under way"),
      [&](const RpcResponse& response) { monitor.Do([&] { codes.push_back(response.code); }); });
  ASSERT_TRUE(b.door.monitor.Wait([&] { return held.size() == 1; }));
  bool drained = false;
  b.Drain([&] { monitor.Do([&] { drained = true; }); });
  while (a.Call(2, Ask("late", 50)).code != Errc::kUnavailable) {
    std::vector<RpcReply> early;  // it came before the workers heard of it
    b.door.monitor.Do([&] {
      early.assign(held.begin() + 1, held.end());
      held.resize(1);
    });
    for (const RpcReply& reply : early) reply({});
  }
  RpcRequest report = Ask("between nodes");
  report.method = Method::kReport;
  EXPECT_EQ(a.Call(2, report).code, Errc::kOk);
  monitor.Do([&] { EXPECT_FALSE(drained); });
  held[0]({});
  EXPECT_TRUE(monitor.Wait([&] { return drained && codes.size() == 1; }));
  EXPECT_EQ(codes[0], Errc::kOk);
}

TEST(ConnectionsTest, TheLastQuarterIsForNodesOfTheCluster) {
  Net b(7, 2, 0, 8);
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<RawSocket>(b.port()));
    clients.back()->Send(Greeting(0, 0));
    clients.back()->ReadUntil([](const std::string& bytes) { return !bytes.empty(); });
  }
  RawSocket client(b.port());
  client.Send(Greeting(0, 0));
  client.ReadToEnd();
  EXPECT_TRUE(b.log.WaitFor("kept for the nodes"));
  Net a(7, 1);
  a.Knows(2, b);
  EXPECT_EQ(a.Call(2, Ask("a peer")).body, "echo:a peer");
}

}  // namespace
}  // namespace decree::net
