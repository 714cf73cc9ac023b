#include "kv/api/map_fetcher.h"

#include <gtest/gtest.h>

#include "tests/api/caller_fixture.h"

namespace decree {
namespace {

class MapFetcherTest : public CallerTest {};

TEST_F(MapFetcherTest, RefreshesShareOneFetch) {
  int fetched = 0;
  for (int i = 0; i < 5; ++i) {
    caller_->RefreshMap(1s, [&](Errc code) { fetched += code == Errc::kOk; });
  }
  EXPECT_EQ(fetched, 0);
  executor_.RunFor(10ms);
  EXPECT_EQ(fetched, 5);
  EXPECT_EQ(courier_.map_calls.size(), 1u);
}

TEST_F(MapFetcherTest, RefreshIsTriedUntilItsTimeIsOver) {
  courier_.on_map = nullptr;
  std::optional<Errc> answer;
  caller_->RefreshMap(1s, [&](Errc code) { answer = code; });
  executor_.RunFor(999ms);
  EXPECT_FALSE(answer.has_value());
  executor_.RunFor(300ms);
  EXPECT_EQ(answer, Errc::kUnavailable);
  EXPECT_GE(courier_.map_calls.size(), 2u);
}

TEST_F(MapFetcherTest, WrongClusterIsToldByItsName) {
  courier_.on_map = [](const SeenCall&) { return Refuses(Errc::kWrongCluster); };
  std::optional<Errc> answer;
  caller_->RefreshMap(100ms, [&](Errc code) { answer = code; });
  executor_.RunFor(1s);
  EXPECT_EQ(answer, Errc::kWrongCluster);
}

TEST_F(MapFetcherTest, NodeWithoutAMapIsAskedAgain) {
  int calls = 0;
  courier_.on_map = [&](const SeenCall&) {
    RpcResponse response;
    response.body = Encode(++calls < 3 ? ShardMap{} : *map_);
    return response;
  };
  std::optional<Errc> answer;
  caller_->RefreshMap(1s, [&](Errc code) { answer = code; });
  executor_.RunFor(1s);
  EXPECT_EQ(answer, Errc::kOk);
  EXPECT_EQ(calls, 3);
}

TEST_F(MapFetcherTest, MalformedMapIsNoMap) {
  courier_.on_map = [](const SeenCall&) {
    RpcResponse response;
    response.body = "\xff\xff";
    return response;
  };
  std::optional<Errc> answer;
  caller_->RefreshMap(100ms, [&](Errc code) { answer = code; });
  executor_.RunFor(1s);
  EXPECT_EQ(answer, Errc::kUnavailable);
  EXPECT_EQ(caller_->map(), nullptr);
}

TEST_F(MapFetcherTest, LateAnswerIsTakenAllTheSame) {
  courier_.on_map = nullptr;
  std::optional<Errc> answer;
  caller_->RefreshMap(2s, [&](Errc code) { answer = code; });
  executor_.RunFor(700ms);
  RpcResponse response;
  response.body = Encode(*map_);
  courier_.map_calls.at(0).reply(response);
  EXPECT_EQ(answer, Errc::kOk);
}

TEST(FullJitterTest, LimitDoublesUpToTheMaximum) {
  VirtualExecutor executor;
  const CallerOptions options;
  for (unsigned tries = 0; tries < 40; ++tries) {
    const Duration limit = tries < 6 ? options.backoff_first * (1 << tries) : options.backoff_max;
    Duration longest{};
    for (int i = 0; i < 200; ++i) {
      const Duration drawn = FullJitter(executor, options, tries);
      ASSERT_GT(drawn.count(), 0);
      ASSERT_LE(drawn, limit);
      longest = std::max(longest, drawn);
    }
    EXPECT_GT(longest, limit * 8 / 10);
  }
}

}  // namespace
}  // namespace decree
