// Pages that come on two threads at once, as those of an embedded node do.
#include "client/scan_run.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>

namespace decree::detail {
namespace {

constexpr std::uint32_t kShards = 4;
constexpr std::size_t kRows = 400;  // of a shard

// Every shard holds its rows in one page, which comes on one of two threads.
class TwoThreads : public ClientBackend {
 public:
  ~TwoThreads() override { pool_.join(); }
  void Start(std::uint64_t, Operation operation,
             std::function<void(OperationResult)> done) override {
    Post([shard = operation.shard.value, done = std::move(done)] {
      OperationResult result;
      result.scan.complete = true;
      for (std::size_t i = 0; i < kRows; ++i) {
        result.scan.rows.push_back({std::to_string(10'000 + i * kShards + shard), "v", 1});
      }
      done(std::move(result));
    });
  }
  void Cancel(std::uint64_t) override {}
  void Admin(AdminCall, std::function<void(Result<AdminReply>)>) override {}
  void CountShards(std::chrono::milliseconds,
                   std::function<void(Result<std::uint32_t>)> done) override {
    Post([done = std::move(done)] { done(kShards); });
  }
  void Post(std::function<void()> task) override { boost::asio::post(pool_, std::move(task)); }
  bool OnOwnThread() const override { return false; }
  void Close() override {}

 private:
  boost::asio::thread_pool pool_{2};
};

TEST(ScanRunTest, TwoPagesThatComeLastTogetherAreAnsweredOnce) {
  const auto backend = std::make_shared<TwoThreads>();
  for (int round = 0; round < 300; ++round) {
    std::promise<Result<ScanPage>> answer;
    KeyRange range;
    range.limit = kMaxScanRows;
    std::make_shared<ScanRun>(
        backend, range, std::chrono::seconds(20),
        [&answer](Result<ScanPage> page) { answer.set_value(std::move(page)); })
        ->Start();
    const Result<ScanPage> page = answer.get_future().get();
    ASSERT_TRUE(page);
    ASSERT_EQ(page->rows.size(), kRows * kShards) << "round " << round;
    ASSERT_TRUE(page->complete);
    ASSERT_EQ(page->rows.front().key, "10000");
  }
}

TEST(ScanRunTest, ACancelledScanAnswersOnce) {
  const auto backend = std::make_shared<TwoThreads>();
  for (int round = 0; round < 300; ++round) {
    std::promise<Result<ScanPage>> answer;  // a second answer would throw
    const auto run = std::make_shared<ScanRun>(
        backend, KeyRange{}, std::chrono::seconds(20),
        [&answer](Result<ScanPage> page) { answer.set_value(std::move(page)); });
    run->Start();
    run->Cancel();
    const Result<ScanPage> page = answer.get_future().get();
    ASSERT_TRUE(page || page.error() == Errc::kCancelled);
  }
}

}  // namespace
}  // namespace decree::detail
