// Coroutines that count together: async_client decree://127.0.0.1:4740
#include <decree/client.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

namespace {

constexpr int kCounters = 3;
constexpr int kTimes = 20;

std::uint64_t ToNumber(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Adds one to a number that others change, too: whoever comes second reads again.
asio::awaitable<decree::Status> AddOne(decree::Client& db, std::string key) {
  for (;;) {
    const decree::Result<decree::Value> seen = co_await db.AsyncGet(key, asio::use_awaitable);
    decree::WriteOptions options;
    std::uint64_t number = 0;
    if (seen) {
      options.if_version = seen->version;
      number = ToNumber(seen->value);
    } else if (seen.error() == decree::Errc::kNotFound) {
      options.if_absent = true;
    } else {
      co_return seen.error();
    }
    const std::string next = std::to_string(number + 1);
    const auto put = co_await db.AsyncPut(key, next, options, asio::use_awaitable);
    if (put) co_return decree::Status();
    if (put.error() != decree::Errc::kPreconditionFailed) co_return put.error();
  }
}

asio::awaitable<void> Count(decree::Client& db, std::string key, int* done) {
  for (int i = 0; i < kTimes; ++i) {
    const decree::Status added = co_await AddOne(db, key);
    if (!added) {
      std::cerr << added.error().ToString() << '\n';
      co_return;
    }
    ++*done;
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto db = decree::Client::Connect(argc > 1 ? argv[1] : "decree://127.0.0.1:4740");
  if (!db) {
    std::cerr << db.error().ToString() << '\n';
    return 2;
  }
  const std::string key = "counter";
  if (const auto reset = db->Del(key); !reset) {
    std::cerr << reset.error().ToString() << '\n';
    return 1;
  }
  asio::io_context loop;  // everything below runs on this thread
  int done = 0;
  for (int i = 0; i < kCounters; ++i) {
    asio::co_spawn(loop, Count(*db, key, &done), [](std::exception_ptr) {});
  }
  loop.run();
  const auto end = db->Get(key);
  if (!end || done != kCounters * kTimes || ToNumber(end->value) != kCounters * kTimes) return 1;
  std::cout << kCounters << " coroutines counted to " << end->value << '\n';
}
