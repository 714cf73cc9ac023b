#include "server/net/runtime.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "kv/base/check.h"

namespace decree::net {
namespace {

TEST(RuntimeTest, RunsThePostsOfOnePosterInOrder) {
  Runtime runtime({.workers = 2});
  runtime.Start();
  std::vector<int> seen;
  std::promise<void> done;
  for (int i = 0; i < 5000; ++i) {
    runtime.executor(1).Post([&seen, i] { seen.push_back(i); });
  }
  runtime.executor(1).Post([&done] { done.set_value(); });
  done.get_future().wait();
  ASSERT_EQ(seen.size(), 5000u);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(RuntimeTest, NeverRunsAPostInsideThePost) {
  Runtime runtime({.workers = 1});
  runtime.Start();
  std::promise<bool> nested;
  runtime.executor(0).Post([&] {
    auto ran = std::make_shared<bool>(false);
    runtime.executor(0).Post([ran] { *ran = true; });
    nested.set_value(*ran);
  });
  EXPECT_FALSE(nested.get_future().get());
}

TEST(RuntimeTest, LosesNoPostOfManyThreads) {
  Runtime runtime({.workers = 2});
  runtime.Start();
  constexpr int kThreads = 4, kPosts = 5000;
  std::atomic<int> ran{0};
  std::promise<void> done;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        runtime.executor(static_cast<std::size_t>(t % 2)).Post([&] {
          if (++ran == kThreads * kPosts) done.set_value();
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  done.get_future().wait();
  EXPECT_EQ(ran.load(), kThreads * kPosts);
}

TEST(RuntimeTest, RunsTimersInTheirOrderAndNeverEarly) {
  Runtime runtime({.workers = 1});
  runtime.Start();
  Executor& worker = runtime.executor(0);
  std::vector<int> order;
  bool early = false;
  std::promise<void> done;
  worker.Post([&] {
    const Instant start = worker.Now();
    for (const int ms : {30, 10, 20, 0}) {
      worker.RunAt(start + milliseconds(ms), [&, start, ms] {
        early |= worker.Now() < start + milliseconds(ms);
        order.push_back(ms);
        if (ms == 30) done.set_value();
      });
    }
  });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{0, 10, 20, 30}));
  EXPECT_FALSE(early);
}

TEST(RuntimeTest, ATimerCanSetAnEarlierOneThanTheArmed) {
  Runtime runtime({.workers = 1});
  runtime.Start();
  Executor& worker = runtime.executor(0);
  std::promise<Duration> done;
  worker.Post([&] {
    const Instant start = worker.Now();
    worker.RunAt(start + std::chrono::hours(2), [] {});
    worker.RunAt(start + milliseconds(5), [&, start] { done.set_value(worker.Now() - start); });
  });
  EXPECT_LT(done.get_future().get(), std::chrono::minutes(1));
}

TEST(RuntimeTest, AFailedCheckStopsAllWorkersAndCallsOnFatalOnce) {
  std::promise<std::string> fatal;
  std::atomic<int> calls{0};
  Runtime runtime({.workers = 2, .on_fatal = [&](const std::string& reason) {
                     ++calls;
                     fatal.set_value(reason);
                   }});
  runtime.Start();
  bool after = false;
  runtime.executor(1).Post([] { DECREE_CHECK_MSG(1 + 1 == 3, "sums"); });
  runtime.executor(1).Post([&after] { after = true; });
  const std::string reason = fatal.get_future().get();
  EXPECT_NE(reason.find("1 + 1 == 3"), std::string::npos) << reason;
  runtime.Stop();
  EXPECT_TRUE(runtime.failed());
  EXPECT_FALSE(after);
  EXPECT_EQ(calls.load(), 1);
}

TEST(RuntimeTest, StopDropsWhatNeverRanAndAllowsLatePosts) {
  auto held = std::make_shared<int>(7);
  std::weak_ptr<int> watch = held;
  Runtime runtime({.workers = 1});
  runtime.executor(0).Post([held = std::move(held)] {});
  runtime.Stop();
  EXPECT_TRUE(watch.expired());
  runtime.executor(0).Post([] {});
}

TEST(RuntimeTest, WorkersDrawDifferentRandomWords) {
  Runtime runtime({.workers = 2});
  std::set<std::uint64_t> words;
  for (std::size_t i = 0; i < 2; ++i) {
    for (int draw = 0; draw < 8; ++draw) words.insert(runtime.executor(i).RandomWord());
  }
  EXPECT_EQ(words.size(), 16u);
}

}  // namespace
}  // namespace decree::net
