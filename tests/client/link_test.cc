#include "client/link.h"

#include <gtest/gtest.h>

#include <future>

#include "kv/base/frame.h"
#include "tests/client/fake_server.h"

namespace decree::client {
namespace {

using test::FakeServer;

// A loop and a way to make one call on it and wait for the answer.
class LinkTest : public ::testing::Test {
 protected:
  ~LinkTest() override {
    std::promise<void> closed;
    loop_->Post([this, &closed] {
      if (link_) link_->Close();
      link_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop_->Stop([] { return false; });
  }

  void Dial(const std::string& address, LinkOptions options = {}) {
    link_ = std::make_shared<Link>(*loop_, shared_, address, options);
  }
  Duration Backoff() {
    std::promise<Duration> backoff;
    loop_->Post([this, &backoff] { backoff.set_value(link_->backoff()); });
    return backoff.get_future().get();
  }

  std::future<RpcResponse> Start(std::uint64_t timeout_ms = 5000, std::string body = {}) {
    auto promise = std::make_shared<std::promise<RpcResponse>>();
    loop_->Post([this, promise, timeout_ms, body] {
      RpcRequest request;
      request.timeout_ms = timeout_ms;
      request.body = body;
      link_->Call(request, [promise](RpcResponse response) { promise->set_value(response); });
    });
    return promise->get_future();
  }
  RpcResponse Call(std::uint64_t timeout_ms = 5000, std::string body = {}) {
    return Start(timeout_ms, std::move(body)).get();
  }

  std::shared_ptr<IoLoop> loop_ = IoLoop::Start();
  std::shared_ptr<LinkShared> shared_ = std::make_shared<LinkShared>();
  std::shared_ptr<Link> link_;
};

void Echo(const RpcRequest& request, const FakeServer::Respond& respond) {
  respond(FakeServer::Ok("echo " + request.body));
}

TEST_F(LinkTest, AnswersAreMatchedToTheirCallsInAnyOrder) {
  std::vector<FakeServer::Respond> waiting;
  FakeServer server([&waiting](const RpcRequest& request, const FakeServer::Respond& respond) {
    waiting.push_back(
        [respond, body = request.body](RpcResponse) { respond(FakeServer::Ok(body)); });
    if (waiting.size() < 3) return;
    for (auto it = waiting.rbegin(); it != waiting.rend(); ++it) (*it)({});
  });
  Dial(server.address());
  auto a = Start(5000, "a");
  auto b = Start(5000, "b");
  auto c = Start(5000, "c");
  EXPECT_EQ(a.get().body, "a");
  EXPECT_EQ(b.get().body, "b");
  EXPECT_EQ(c.get().body, "c");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(LinkTest, LargeBodiesTravelBothWays) {
  FakeServer server(Echo);
  Dial(server.address());
  const std::string body(3'000'000, 'x');
  EXPECT_EQ(Call(5000, body).body, "echo " + body);
}

TEST_F(LinkTest, ARequestThatNoFrameHoldsIsRefusedAndTheNextOneGoesThrough) {
  FakeServer server(Echo);
  Dial(server.address());
  EXPECT_EQ(Call(5000, std::string(kMaxFramePayload, 'x')).code, Errc::kTooLarge);
  EXPECT_EQ(Call(5000, "y").body, "echo y");
}

TEST_F(LinkTest, NobodyListeningIsUnavailableAndCertainlyNotSent) {
  std::string address;
  { address = FakeServer(Echo).address(); }
  Dial(address);
  const RpcResponse response = Call();
  EXPECT_EQ(response.code, Errc::kUnavailable);
  EXPECT_NE(response.detail.find(address), std::string::npos) << response.detail;
}

TEST_F(LinkTest, ACallThatWasSentAndNotAnsweredIsOutcomeUnknown) {
  FakeServer server([](const RpcRequest&, const FakeServer::Respond&) {});
  Dial(server.address());
  EXPECT_EQ(Call(50).code, Errc::kOutcomeUnknown);
}

TEST_F(LinkTest, ABrokenConnectionIsOutcomeUnknownAndDialledAgain) {
  FakeServer* self = nullptr;
  int calls = 0;
  FakeServer server([&](const RpcRequest& request, const FakeServer::Respond& respond) {
    if (++calls == 1) return self->CutConnections();
    Echo(request, respond);
  });
  self = &server;
  Dial(server.address());
  EXPECT_EQ(Call().code, Errc::kOutcomeUnknown);
  RpcResponse response;
  do {  // within the pause after a failure calls are refused at once
    response = Call();
  } while (response.code == Errc::kUnavailable);
  EXPECT_EQ(response.code, Errc::kOk);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(LinkTest, ANodeOfAnotherClusterIsRefused) {
  FakeServer server(Echo, ClusterId{5});
  shared_->cluster = ClusterId{6};
  Dial(server.address());
  const RpcResponse response = Call();
  EXPECT_EQ(response.code, Errc::kWrongCluster);
  EXPECT_NE(response.detail.find("cluster 5"), std::string::npos) << response.detail;
}

TEST_F(LinkTest, TheFirstHelloFixesTheCluster) {
  FakeServer server(Echo, ClusterId{5});
  Dial(server.address());
  EXPECT_EQ(Call().code, Errc::kOk);
  EXPECT_EQ(shared_->cluster, ClusterId{5});
}

TEST_F(LinkTest, AServerOfAnotherProtocolIsRefusedBeforeAnythingIsSent) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  Dial("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  auto answer = Start();
  auto socket = acceptor.accept();
  boost::asio::write(socket, boost::asio::buffer(std::string("HTTP/1.1 400 Bad Request\r\n\r\n")));
  const RpcResponse response = answer.get();
  EXPECT_EQ(response.code, Errc::kUnavailable);
  EXPECT_NE(response.detail.find("does not speak"), std::string::npos) << response.detail;
}

TEST_F(LinkTest, OneThatHangsUpAfterItsHelloIsDialledEverLessOften) {
  FakeServer* self = nullptr;
  FakeServer server([&](const RpcRequest&, const FakeServer::Respond&) { self->CutConnections(); });
  self = &server;
  LinkOptions options;
  options.backoff_first = 1ms;
  Dial(server.address(), options);
  while (server.connections() < 6) EXPECT_NE(Call().code, Errc::kOk);
  EXPECT_GE(Backoff(), 16 * options.backoff_first);
}

TEST_F(LinkTest, NobodyWaitsForALinkThatFailedBefore) {
  boost::asio::io_context io;  // takes connections and says nothing
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  LinkOptions options;
  options.connect_timeout = 50ms;
  Dial("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()), options);
  RpcResponse response = Call();
  EXPECT_EQ(response.detail.find("tried again"), std::string::npos) << response.detail;
  do {
    response = Call();
    EXPECT_EQ(response.code, Errc::kUnavailable);
    EXPECT_NE(response.detail.find("in time"), std::string::npos) << response.detail;
  } while (response.detail.find("tried again") == std::string::npos);
}

TEST_F(LinkTest, CloseAnswersWhatIsPending) {
  FakeServer server([](const RpcRequest&, const FakeServer::Respond&) {});
  Dial(server.address());
  auto pending = Start();
  loop_->Post([this] { link_->Close(); });
  EXPECT_NE(pending.get().code, Errc::kOk);
  EXPECT_EQ(Call().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace decree::client
