#include "decree/client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "tests/client/fake_store.h"

namespace decree {
namespace {

using namespace std::chrono_literals;

class ClientTest : public ::testing::Test {
 protected:
  Client Connect(std::chrono::milliseconds timeout = 5s) {
    ClientOptions options;
    options.endpoints = {store_.address()};
    options.timeout = timeout;
    auto client = Client::Connect(options);
    EXPECT_TRUE(client) << client.error().ToString();
    return std::move(*client);
  }

  test::FakeStore store_;
};

TEST_F(ClientTest, WritesReadsAndDeletes) {
  Client db = Connect();
  const auto put = db.Put("k", "v1");
  ASSERT_TRUE(put) << put.error().ToString();
  EXPECT_GT(put->value, 0u);
  const auto got = db.Get("k");
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->value, "v1");
  EXPECT_TRUE(*db.Del("k"));
  EXPECT_FALSE(*db.Del("k"));
  EXPECT_EQ(db.Get("k").error(), Errc::kNotFound);
}

TEST_F(ClientTest, AFailedConditionNamesThePresentVersion) {
  Client db = Connect();
  ASSERT_TRUE(db.Put("k", "v1"));
  const auto again = db.PutIfAbsent("k", "v2");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), Errc::kPreconditionFailed);
  EXPECT_NE(again.error().detail().find("version 2"), std::string::npos);
}

TEST_F(ClientTest, RefusesBadArgumentsWithoutSendingThem) {
  Client db = Connect();
  EXPECT_EQ(db.Put("", "v").error(), Errc::kInvalidArgument);
  EXPECT_EQ(db.Put(std::string(kMaxKeyBytes + 1, 'k'), "v").error(), Errc::kTooLarge);
  EXPECT_EQ(db.Put("k", std::string(kMaxValueBytes + 1, 'v')).error(), Errc::kTooLarge);
  WriteOptions both;
  both.if_absent = true;
  both.if_version = Version{1};
  EXPECT_EQ(db.Put("k", "v", both).error(), Errc::kInvalidArgument);
  EXPECT_EQ(db.Cas("k", "a", "b", both).error(), Errc::kInvalidArgument);
  EXPECT_EQ(store_.version, 0u);
}

TEST_F(ClientTest, AdminCarriesStatusLocationAndBody) {
  Client db = Connect();
  const auto reply = db.Admin("POST", "/v1/admin/moves", "{}");
  ASSERT_TRUE(reply) << reply.error().ToString();
  EXPECT_EQ(reply->status, 202u);
  EXPECT_EQ(reply->location, "/elsewhere");
  EXPECT_EQ(reply->body, R"({"echo":"POST /v1/admin/moves"})");
}

TEST_F(ClientTest, ScansAllShardsInKeyOrderPageByPage) {
  Client db = Connect();
  for (int i = 10; i < 40; ++i) ASSERT_TRUE(db.Put("k" + std::to_string(i), "v"));
  ScanOptions options;
  options.limit = 7;
  std::vector<std::string> keys;
  for (bool complete = false; !complete;) {
    const auto page = db.Scan(options);
    ASSERT_TRUE(page) << page.error().ToString();
    for (const Row& row : page->rows) keys.push_back(row.key);
    options.after = keys.back();
    complete = page->complete;
  }
  ASSERT_EQ(keys.size(), 30u);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(keys[i], "k" + std::to_string(10 + i));
  EXPECT_EQ(db.Scan({.start = "k12", .end = "k14", .keys_only = true})->rows.size(), 2u);
  EXPECT_EQ(db.Scan({.limit = 0}).error(), Errc::kInvalidArgument);
  EXPECT_EQ(db.ScanShard(0, {.start = "k"}).error(), Errc::kInvalidArgument);
}

TEST_F(ClientTest, AScanCanBeCancelledAndEndsWithItsClient) {
  store_.swallow_scans = true;
  Client db = Connect();
  boost::asio::io_context context;
  boost::asio::cancellation_signal signal;
  std::optional<Errc> cancelled;
  db.AsyncScan({}, boost::asio::bind_executor(
                       context, boost::asio::bind_cancellation_slot(
                                    signal.slot(), [&](Result<ScanPage> page) {
                                      cancelled = page ? Errc::kOk : page.error().code();
                                    })));
  store_.AwaitSwallowed(4);
  signal.emit(boost::asio::cancellation_type::terminal);
  context.run();
  EXPECT_EQ(cancelled, Errc::kCancelled);
  std::future<Result<ScanPage>> pending;
  {
    Client short_lived = Connect();
    pending = short_lived.AsyncScan({}, boost::asio::use_future);
    store_.AwaitSwallowed(8);
  }
  EXPECT_EQ(pending.get().error(), Errc::kCancelled);
}

TEST_F(ClientTest, ShardCountComesFromTheMap) { EXPECT_EQ(*Connect().ShardCount(), 4u); }

TEST_F(ClientTest, NobodyThereIsUnavailableWithinTheTimeout) {
  const std::string address = store_.address();
  store_.Leave();
  Client db = *Client::Connect("decree://" + address + "/?timeout=200ms");
  const auto started = std::chrono::steady_clock::now();
  const auto got = db.Get("k");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), Errc::kUnavailable) << got.error().ToString();
  EXPECT_EQ(db.Admin("GET", "/x").error(), Errc::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
}

TEST_F(ClientTest, AWriteWithoutAnAnswerIsOutcomeUnknown) {
  store_.swallow_writes = true;
  Client db = Connect(300ms);
  EXPECT_EQ(db.Put("k", "v").error(), Errc::kOutcomeUnknown);
}

TEST_F(ClientTest, TakesAFuture) {
  Client db = Connect();
  std::future<Result<Version>> put = db.AsyncPut("k", "v", boost::asio::use_future);
  ASSERT_TRUE(put.get());
  EXPECT_EQ(db.AsyncGet("k", boost::asio::use_future).get()->value, "v");
}

TEST_F(ClientTest, RunsHandlersOnTheirExecutorAndKeepsItRunning) {
  Client db = Connect();
  ASSERT_TRUE(db.Put("k", "v"));
  boost::asio::io_context io;
  std::thread::id handled_on;
  db.AsyncGet("k", boost::asio::bind_executor(io, [&](Result<Value> value) {
                EXPECT_EQ(value->value, "v");
                handled_on = std::this_thread::get_id();
              }));
  io.run();  // returns at once unless the pending call counts as work
  EXPECT_EQ(handled_on, std::this_thread::get_id());
}

TEST_F(ClientTest, TakesMoveOnlyHandlers) {
  Client db = Connect();
  std::promise<bool> done;
  auto owned = std::make_unique<int>(5);
  db.AsyncPut("k", "v", [owned = std::move(owned), &done](Result<Version> version) {
    done.set_value(version && *owned == 5);
  });
  EXPECT_TRUE(done.get_future().get());
}

TEST_F(ClientTest, ALazyTokenStartsNothingUntilItIsCalled) {
  Client db = Connect();
  auto later = db.AsyncPut("k", "v", boost::asio::deferred);
  ASSERT_TRUE(db.Put("other", "x"));
  EXPECT_FALSE(store_.rows.contains("k"));
  EXPECT_TRUE(std::move(later)(boost::asio::use_future).get());
  EXPECT_EQ(db.Get("k")->value, "v");
}

TEST_F(ClientTest, ACancellationSignalEndsTheCall) {
  store_.swallow_reads = true;
  Client db = Connect();
  boost::asio::cancellation_signal signal;
  std::promise<Errc> done;
  db.AsyncGet("k", boost::asio::bind_cancellation_slot(signal.slot(), [&](Result<Value> value) {
                done.set_value(value.error().code());
              }));
  store_.AwaitSwallowed();
  signal.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(done.get_future().get(), Errc::kCancelled);
}

TEST_F(ClientTest, TheDestructorAnswersWhatIsPending) {
  store_.swallow_writes = true;
  store_.swallow_reads = true;
  Errc read = Errc::kOk;
  Errc write = Errc::kOk;
  {
    Client db = Connect();
    db.AsyncGet("k", [&](Result<Value> value) { read = value.error().code(); });
    db.AsyncPut("k", "v", [&](Result<Version> version) { write = version.error().code(); });
    store_.AwaitSwallowed(2);
  }
  EXPECT_EQ(read, Errc::kCancelled);
  EXPECT_EQ(write, Errc::kOutcomeUnknown);
}

TEST_F(ClientTest, MayBeDestroyedInsideItsOwnHandler) {
  auto db = std::make_unique<Client>(Connect());
  std::promise<Errc> second;
  std::promise<void> first;
  Client& client = *db;
  client.AsyncPut("k", "v", [&](Result<Version>) {
    store_.swallow_reads = true;
    db->AsyncGet("k", [&](Result<Value> value) { second.set_value(value.error().code()); });
    db.reset();
    first.set_value();
  });
  first.get_future().wait();
  EXPECT_EQ(second.get_future().get(), Errc::kCancelled);
}

TEST_F(ClientTest, ABlockingCallInsideAHandlerIsRefusedRatherThanStuck) {
  Client db = Connect();
  std::promise<Errc> inside;
  db.AsyncPut("k", "v", [&](Result<Version>) { inside.set_value(db.Get("k").error().code()); });
  EXPECT_EQ(inside.get_future().get(), Errc::kInvalidArgument);
}

TEST_F(ClientTest, ABlockingCallOfAnotherClientInsideAHandlerIsRefusedToo) {
  Client db = Connect();
  Client other = Connect();
  std::promise<Errc> inside;
  db.AsyncPut("k", "v", [&](Result<Version>) { inside.set_value(other.Get("k").error().code()); });
  EXPECT_EQ(inside.get_future().get(), Errc::kInvalidArgument);
}

TEST_F(ClientTest, HandlersMayDestroyEachOthersClients) {
  auto a = std::make_unique<Client>(Connect());
  auto b = std::make_unique<Client>(Connect());
  std::promise<void> a_inside, b_inside, a_done, b_done;
  auto a_ready = a_inside.get_future().share();
  auto b_ready = b_inside.get_future().share();
  a->AsyncPut("k", "v", [&](Result<Version>) {
    a_inside.set_value();
    b_ready.wait();
    b.reset();
    a_done.set_value();
  });
  b->AsyncPut("k", "v", [&](Result<Version>) {
    b_inside.set_value();
    a_ready.wait();
    a.reset();
    b_done.set_value();
  });
  a_done.get_future().wait();
  b_done.get_future().wait();
}

TEST_F(ClientTest, AnotherClusterAtADeadNodesAddressIsPassedOver) {
  test::FakeServer stranger([](const RpcRequest&, const test::FakeServer::Respond&) {},
                            ClusterId{88});
  store_.neighbour = stranger.address();
  ASSERT_TRUE(Connect().Put("k", "v"));
  for (int i = 0; i < 8; ++i) {  // which replica is asked first is drawn
    Client db = Connect();
    EXPECT_EQ(db.Get("k").value().value, "v");
    EXPECT_TRUE(db.Admin("GET", "/x"));
  }
}

TEST_F(ClientTest, ServesManyThreadsAtOnce) {
  Client db = Connect();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        if (db.Put(key, key) && db.Get(key)->value == key) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace decree
