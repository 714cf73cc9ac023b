// HTTP/1.1 on the wire: order, limits, manners, bad company.
#include <chrono>
#include <future>

#include "tests/net/http_fixture.h"

namespace decree::net {
namespace {

using HttpWireTest = HttpTest;

std::string Put(const std::string& key, const std::string& body, const std::string& fields = {}) {
  return "PUT /v1/kv/" + key + " HTTP/1.1\r\nHost: t\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string Get(const std::string& key) {
  return "GET /v1/kv/" + key + " HTTP/1.1\r\nHost: t\r\n\r\n";
}

TEST_F(HttpWireTest, PipelinedRequestsAreAnsweredInOrderEachSeeingThoseBefore) {
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += Put("k", std::to_string(i)) + Get("k");
  const auto answers = Exchange(bytes, 400);
  ASSERT_EQ(answers.size(), 400u);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(answers[2 * i].status, i == 0 ? 201 : 200);
    EXPECT_EQ(answers[2 * i + 1].body, std::to_string(i));
  }
}

TEST_F(HttpWireTest, PipelinedReadsRunSideBySideAndAreAnsweredInOrder) {
  std::vector<std::pair<std::string, OperationCallback>> waiting;
  door.on_operate = [&](std::size_t worker, Operation operation, OperationCallback done) {
    waiting.emplace_back(operation.key, std::move(done));
    if (waiting.size() < 5) return;
    // The test may be over as soon as the last answer is out: nothing of it is used after.
    runtime_.executor(worker).Post([asked = std::move(waiting)] {
      for (auto last = asked.rbegin(); last != asked.rend(); ++last) {  // answered first
        OperationResult result;
        result.read = {last->first, 1, 0};
        last->second(result);
      }
    });
  };
  const auto answers = Exchange(Get("a") + Get("b") + Get("c") + Get("d") + Get("e"), 5);
  ASSERT_EQ(answers.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(answers[i].body, std::string(1, char('a' + i)));
}

TEST_F(HttpWireTest, ARequestMayComeByteByByte) {
  RawSocket socket(port());
  for (const char c : Put("a", "hello") + Get("a")) socket.Send({&c, 1});
  const auto answers = ReadAnswers(socket, 2);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].body, "hello");
}

TEST_F(HttpWireTest, AClientThatFinishedSendingStillGetsItsAnswers) {
  RawSocket socket(port());
  socket.Send(Put("a", "x") + Get("a"));
  socket.FinishSending();
  const auto answers = ReadAnswers(socket, 2);
  ASSERT_EQ(answers.size(), 2u);
  socket.ReadToEnd();
  EXPECT_TRUE(socket.ended());
}

TEST_F(HttpWireTest, ConnectionCloseIsHonoured) {
  RawSocket socket(port());
  socket.Send("GET /livez HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  std::string held = socket.ReadToEnd();
  EXPECT_TRUE(socket.ended());
  EXPECT_EQ(TakeAnswer(held)->Field("Connection"), "close");
}

TEST_F(HttpWireTest, Http10ClosesUnlessAskedToStay) {
  RawSocket socket(port());
  socket.Send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /livez HTTP/1.0\r\n\r\n");
  std::string held = socket.ReadToEnd();
  EXPECT_TRUE(socket.ended());
  EXPECT_EQ(TakeAnswer(held)->Field("Connection"), "keep-alive");
  EXPECT_EQ(TakeAnswer(held)->Field("Connection"), "close");
}

TEST_F(HttpWireTest, AChunkedBodyIsPutTogether) {
  const auto answers = Exchange(
      "PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: z\r\n\r\n" +
          Get("a"),
      2);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].body, "hello world");
}

TEST_F(HttpWireTest, PutWithoutALengthIs411) {
  const auto answers =
      Exchange("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\n\r\nGET /livez HTTP/1.1\r\nHost: t\r\n\r\n", 2);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 411);
  EXPECT_EQ(answers[1].status, 200);
}

TEST_F(HttpWireTest, ABodyOverTheLimitIsDrainedAndItsConnectionStaysUsable) {
  RawSocket socket(port());
  const std::string body(3 << 20, 'x');
  ASSERT_TRUE(socket.Send(Put("a", body) + Get("a")));
  const auto answers = ReadAnswers(socket, 2);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 413);
  EXPECT_EQ(answers[1].status, 404);
}

TEST_F(HttpWireTest, AValueOfExactlyTheLimitIsTaken) {
  const std::string body(1 << 20, 'x');
  const auto answers = Exchange(Put("a", body) + Put("b", body + "x") + Get("a"), 3);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].status, 201);
  EXPECT_EQ(answers[1].status, 413);
  EXPECT_EQ(answers[2].body, body);
}

TEST_F(HttpWireTest, AChunkedBodyOverTheLimitIs413) {
  std::string bytes = "PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) bytes += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  const auto answers = Exchange(bytes + "0\r\n\r\n" + Get("a"), 2);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 413);
  EXPECT_EQ(answers[1].status, 404);
}

TEST_F(HttpWireTest, AnEndlessBodyIsAnsweredAtOnceAndTheAnswerArrives) {
  tuning.limits.drained_bytes = 2 << 20;
  RawSocket socket(port());
  socket.Send("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n");
  ASSERT_TRUE(socket.Send(std::string(8 << 20, 'x')));  // goes on sending, as many clients do
  const auto answers = ReadAnswers(socket, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 413);
  EXPECT_EQ(answers[0].Field("Connection"), "close");
}

TEST_F(HttpWireTest, ExpectContinueIsAnsweredBeforeTheBody) {
  RawSocket socket(port());
  socket.Send(
      "PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  const std::string first = socket.ReadUntil(
      [](const std::string& held) { return held.find("\r\n\r\n") != std::string::npos; });
  EXPECT_EQ(first, "HTTP/1.1 100 Continue\r\n\r\n");
  socket.Send("hello");
  std::string held = socket.ReadUntil(
      [](const std::string& bytes) { return bytes.find("ETag") != std::string::npos; });
  EXPECT_NE(held.find("201 Created"), std::string::npos);
}

TEST_F(HttpWireTest, ExpectContinueOfTooMuchIsRefusedWithoutTheBody) {
  const auto answers = Exchange(
      "PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\n"
      "Expect: 100-continue\r\n\r\n",
      1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 413);
}

TEST_F(HttpWireTest, AHeaderOverTheLimitIs431) {
  const auto answers =
      Exchange("GET /livez HTTP/1.1\r\nHost: t\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n", 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 431);
}

TEST_F(HttpWireTest, ATargetOverTheLimitIs414) {
  for (const std::size_t size : {9'000u, 60'000u}) {
    const auto answers =
        Exchange("GET /" + std::string(size, 'x') + " HTTP/1.1\r\nHost: t\r\n\r\n", 1);
    ASSERT_EQ(answers.size(), 1u) << size;
    EXPECT_EQ(answers[0].status, 414) << size;
  }
}

TEST_F(HttpWireTest, AChunkLineOrATrailerWithoutAnEndIs400AndTheConnectionCloses) {
  for (const char* begin : {"5;ext=", "5\r\nhello\r\n0\r\nTrailer: "}) {
    RawSocket socket(port());
    socket.Send(std::string("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n") +
                begin + std::string(140'000, 'a'));
    std::string held = socket.ReadToEnd();
    const auto answer = TakeAnswer(held);
    ASSERT_TRUE(answer) << begin;
    EXPECT_EQ(answer->status, 400) << begin;
    EXPECT_TRUE(socket.ended()) << begin;
  }
  EXPECT_EQ(Ask("GET", "/v1/kv/a").status, 404);
}

TEST_F(HttpWireTest, GarbageIs400AndTheConnectionCloses) {
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("hello\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("GET /livez HTTP/1.1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost t\r\n\r\n"),
        std::string("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n"),
        std::string("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n"
                    "Content-Length: 2\r\n\r\nab"),
        std::string("PUT /v1/kv/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        std::string("DCR1\x01\x00\x00\x00\x00\x00\x00\x00........", 20)}) {
    RawSocket socket(port());
    socket.Send(garbage);
    std::string held = socket.ReadToEnd();
    const auto answer = TakeAnswer(held);
    ASSERT_TRUE(answer) << garbage;
    EXPECT_EQ(answer->status, 400) << garbage;
    EXPECT_TRUE(socket.ended()) << garbage;
  }
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
}

TEST_F(HttpWireTest, RequestsBeforeGarbageAreAnsweredFirst) {
  const auto answers = Exchange(Put("a", "x") + Get("a") + "garbage\r\n\r\n", 3);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[1].body, "x");
  EXPECT_EQ(answers[2].status, 400);
}

TEST_F(HttpWireTest, ASlowHeaderAndASlowBodyAre408) {
  tuning.header_timeout = 30ms;
  tuning.body_timeout = 30ms;
  tuning.sweep_every = 10ms;
  std::string half_body = Put("a", "xx");
  half_body.pop_back();
  for (const std::string& beginning : {std::string("GET /livez HT"), half_body}) {
    RawSocket socket(port());
    socket.Send(beginning);
    std::string held = socket.ReadToEnd();
    const auto answer = TakeAnswer(held);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408);
  }
}

TEST_F(HttpWireTest, AnIdleConnectionIsClosed) {
  tuning.idle_timeout = 30ms;
  tuning.sweep_every = 10ms;
  RawSocket socket(port());
  EXPECT_EQ(socket.ReadToEnd(), "");
  EXPECT_TRUE(socket.ended());
}

TEST_F(HttpWireTest, AClientThatLeavesDoesNotDisturbTheOthers) {
  std::vector<OperationCallback> held;
  Monitor monitor;
  door.on_operate = [&](std::size_t, Operation, OperationCallback done) {
    monitor.Do([&] { held.push_back(std::move(done)); });
  };
  {
    RawSocket socket(port());
    socket.Send(Get("a"));
    ASSERT_TRUE(monitor.Wait([&] { return held.size() == 1; }));
  }
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
  std::promise<void> cleared;
  runtime_.executor(0).Post([&] {
    held.clear();
    cleared.set_value();
  });
  cleared.get_future().wait();
}

TEST_F(HttpWireTest, StopAnswersWhatWasAskedThenCloses) {
  std::vector<std::pair<std::size_t, OperationCallback>> held;
  Monitor monitor;
  door.on_operate = [&](std::size_t worker, Operation, OperationCallback done) {
    monitor.Do([&] { held.emplace_back(worker, std::move(done)); });
  };
  auto busy = std::make_unique<RawSocket>(port());
  RawSocket idle(port());
  idle.Send("GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(ReadAnswers(idle, 1).size(), 1u);
  busy->Send(Put("a", "x"));
  ASSERT_TRUE(monitor.Wait([&] { return held.size() == 1; }));
  bool stopped = false;
  listener_->Stop([&] { monitor.Do([&] { stopped = true; }); });
  idle.ReadToEnd();
  EXPECT_TRUE(idle.ended());
  monitor.Do([&] { EXPECT_FALSE(stopped); });
  runtime_.executor(held[0].first).Post([&] { held[0].second({}); });
  std::string bytes = busy->ReadToEnd();
  const auto answer = TakeAnswer(bytes);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->Field("Connection"), "close");
  EXPECT_TRUE(busy->ended());
  busy.reset();
  EXPECT_TRUE(monitor.Wait([&] { return stopped; }));
}

}  // namespace
}  // namespace decree::net
