// What answers cost in memory when clients ask for more than they read.
#include "tests/net/http_fixture.h"

namespace decree::net {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::string Get(const std::string& key) {
  return "GET /v1/kv/" + key + " HTTP/1.1\r\nHost: t\r\n\r\n";
}
std::string Times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

class HttpMemoryTest : public HttpTest {
 protected:
  static OperationResult Value(const std::string& key) {
    OperationResult result;
    result.read = {key == "large" ? std::string(kMiB, 'x') : key, 1, 0};
    return result;
  }
};

TEST_F(HttpMemoryTest, ReadsUnderWayAreCountedAtTheirLargestAnswer) {
  tuning.connection_bytes = 4 * kMiB;
  std::vector<std::pair<std::size_t, OperationCallback>> waiting;
  Monitor monitor;
  door.on_operate = [&](std::size_t worker, Operation, OperationCallback done) {
    monitor.Do([&] { waiting.emplace_back(worker, std::move(done)); });
  };
  RawSocket socket(port());
  socket.Send(Times(20, Get("large")));
  std::size_t answered = 0;
  while (answered < 20) {
    ASSERT_TRUE(monitor.Wait([&] { return !waiting.empty(); }));
    std::vector<std::pair<std::size_t, OperationCallback>> now;
    monitor.Do([&] { now.swap(waiting); });
    EXPECT_LE(now.size(), 3u);
    answered += now.size();
    for (auto& [worker, done] : now) {
      runtime_.executor(worker).Post([done = std::move(done)] { done(Value("large")); });
    }
    EXPECT_EQ(ReadAnswers(socket, now.size()).size(), now.size());
  }
}

TEST_F(HttpMemoryTest, AClientThatDoesNotReadIsReadNoFurther) {
  tuning.connection_bytes = 4 * kMiB;
  std::atomic<int> started{0};
  door.on_operate = [&](std::size_t worker, Operation, OperationCallback done) {
    ++started;
    runtime_.executor(worker).Post([done = std::move(done)] { done(Value("large")); });
  };
  RawSocket slow(port(), 4096);
  slow.Send(Times(200, Get("large")));
  // The kernel takes some; what the node holds beyond is bounded, and all arrives in the end.
  std::size_t taken = 0;
  for (; taken < 200; ++taken) {
    const int ahead = started - static_cast<int>(taken);
    EXPECT_LE(ahead, 40);
    if (ReadAnswers(slow, 1).size() != 1) break;
  }
  EXPECT_EQ(taken, 200u);
}

TEST_F(HttpMemoryTest, AWorkerThatHoldsTooMuchRefusesLargeAnswersAndGivesSmallOnes) {
  tuning.worker_bytes = 2 * kMiB;
  door.on_operate = [&](std::size_t, Operation operation, const OperationCallback& done) {
    done(Value(operation.key));
  };
  EXPECT_EQ(Ask("GET", "/v1/kv/large").status, 200);
  std::vector<std::unique_ptr<RawSocket>> slow;
  Answer answer;
  for (int i = 0; i < 64 && answer.status != 429; ++i) {
    for (int worker = 0; worker < 2; ++worker) {  // connections go to the workers in turn
      slow.push_back(std::make_unique<RawSocket>(port(), 4096));
      slow.back()->Send(Times(16, Get("large")));
    }
    answer = Ask("GET", "/v1/kv/large");
  }
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(answer.Field("Retry-After"));
  EXPECT_NE(answer.body.find("\"outcome\":\"not_applied\""), std::string::npos);
  EXPECT_EQ(Ask("GET", "/v1/kv/small").body, "small");
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
  slow.clear();
  do {
    answer = Ask("GET", "/v1/kv/large");
  } while (answer.status == 429);
  EXPECT_EQ(answer.body.size(), kMiB);
}

}  // namespace
}  // namespace decree::net
