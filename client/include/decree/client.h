// The client of a Decree store: of a cluster over the network, or of a node embedded in this
// process (decree/node.h), with the same interface.
//
//   auto db = decree::Client::Connect("decree://127.0.0.1:4740,127.0.0.1:4741/?timeout=500ms");
//   if (!db) return Fail(db.error().ToString());
//   decree::Result<decree::Version> put = db->Put("k", "v1");
//   decree::Result<decree::Value> got = db->Get("k");
//   if (!got && got.error() == decree::Errc::kNotFound) ...
//
// Calls find the shard's leader, follow it through elections and live moves, and retry with backoff
// until their timeout. A write executes at most once, whatever was retried. Its errors say what is
// known: kOutcomeUnknown means it may have been applied, every other error that it was not.
//
// Each call has a blocking form and an Async form that takes any Asio completion token with the
// signature void(Result<T>): a callback, use_future, use_awaitable, deferred, bind_executor(...).
// Handlers run on their associated executor; one that has none runs on a thread of Decree and must
// neither block nor throw. A blocking call made there, on whichever client, returns
// kInvalidArgument instead of waiting for itself.
//
// Limits: keys 1..1024 bytes, values up to 1 MiB; both are any bytes. Larger ones are kTooLarge.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decree/detail/completion.h"
#include "decree/result.h"
#include "decree/types.h"

namespace decree {

class ClientBackend;

struct ClientOptions {
  // host:port of any nodes' --listen addresses; the others are learnt from these. IPv6 in brackets.
  std::vector<std::string> endpoints;
  // Of every call that does not name its own. Milliseconds, above zero.
  std::chrono::milliseconds timeout = kDefaultTimeout;
};

// "decree://host:port,host:port/?timeout=500ms". The port may be left out (4740); times are a
// number with ms, s or m. kInvalidArgument names what is wrong with it.
Result<ClientOptions> ParseClientUri(std::string_view uri);
// "500ms", "2s", "10m", also "1.5s"; above zero.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The answer of the administration interface, the same as over HTTP.
struct AdminReply {
  std::uint32_t status = 200;  // an HTTP status
  std::string location;        // of a 202: where to look; else empty
  std::string body;            // JSON; application/problem+json from 400 up
};

struct Row {
  std::string key;
  std::string value;
  Version version;
};
// Rows in key order. The next page begins after the last of them.
struct ScanPage {
  std::vector<Row> rows;
  bool complete = false;  // nothing follows
};
struct ScanOptions {
  std::string prefix;  // only keys that start with it
  std::string start;   // only keys from it on; empty: from the first
  std::string end;     // only keys below it; empty: to the last
  std::string after;   // only keys above it; empty: from the first
  // Rows, 1..10,000. A page ends earlier where its keys and values reach 4 MiB, but not before its
  // first row.
  std::uint32_t limit = 1000;
  bool keys_only = false;  // the values are left empty
  ReadOptions read;
};

namespace detail {

struct ClientState;  // what moves with the client; shared with calls under way

template <class T>
using Done = std::function<void(Result<T>)>;

struct GetCall {
  std::string key;
  ReadOptions options;
};
struct PutCall {
  std::string key;
  std::string value;
  WriteOptions options;
};
struct DelCall {
  std::string key;
  WriteOptions options;
};
struct CasCall {
  std::string key;
  std::string expected;
  std::string value;
  WriteOptions options;
};
struct ScanShardCall {
  std::uint32_t shard = 0;
  ScanOptions options;
};
struct ScanCall {
  ScanOptions options;
};

using StatePtr = std::shared_ptr<ClientState>;
std::uint64_t NewCall(const StatePtr& state);
void CancelCall(const std::weak_ptr<ClientState>& state, std::uint64_t call);
void Launch(const StatePtr& state, std::uint64_t call, GetCall get, Done<Value> done);
void Launch(const StatePtr& state, std::uint64_t call, PutCall put, Done<Version> done);
void Launch(const StatePtr& state, std::uint64_t call, DelCall del, Done<bool> done);
void Launch(const StatePtr& state, std::uint64_t call, CasCall cas, Done<Version> done);
void Launch(const StatePtr& state, std::uint64_t call, ScanShardCall scan, Done<ScanPage> done);
void Launch(const StatePtr& state, std::uint64_t call, ScanCall scan, Done<ScanPage> done);

// Everything is copied into the initiation, which a lazy token runs later or never.
template <class T, class Call, class Token>
auto StartAsync(StatePtr state, Call call, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<T>)>(
      [state = std::move(state)](auto&& handler, Call request) {
        auto start = [&state, &request](std::uint64_t id, Done<T> done) {
          Launch(state, id, std::move(request), std::move(done));
        };
        auto cancel = [weak = std::weak_ptr<ClientState>(state)](std::uint64_t id) {
          CancelCall(weak, id);
        };
        using Handler = std::decay_t<decltype(handler)>;
        Initiate<T, Handler>(std::forward<decltype(handler)>(handler), NewCall(state),
                             std::move(start), std::move(cancel));
      },
      token, std::move(call));
}

}  // namespace detail

// Thread-safe: any number of threads may call. Movable; a client that was moved from may only be
// assigned to or destroyed. The destructor cancels what is pending, never waits for the network,
// and loses no handler: pending calls answer kCancelled, or kOutcomeUnknown for a write already
// sent. A client of an embedded node does not wait for that; another one has called its handlers
// when the destructor returns, unless it runs on a thread of Decree.
class Client {
 public:
  // Checks the options and returns at once; the network is first used by the first call, so a
  // client may be made before its cluster is up. kInvalidArgument: a bad URI, no or bad endpoints,
  // no timeout.
  static Result<Client> Connect(std::string_view uri);
  static Result<Client> Connect(const ClientOptions& options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // kNotFound: no such key. Linearizable unless the options say otherwise.
  Result<Value> Get(std::string_view key, ReadOptions options = {});
  // Writes and returns the new version. With if_version or if_absent: kPreconditionFailed when the
  // condition is false; the detail names the present version. Both at once are kInvalidArgument.
  Result<Version> Put(std::string_view key, std::string_view value, WriteOptions options = {});
  Result<Version> PutIfAbsent(std::string_view key, std::string_view value,
                              WriteOptions options = {});
  // True if a key was removed, false if there was none: both are success. if_version as in Put.
  Result<bool> Del(std::string_view key, WriteOptions options = {});
  // Replaces the value if it equals `expected`; else (also of an absent key) kPreconditionFailed.
  Result<Version> Cas(std::string_view key, std::string_view expected, std::string_view value,
                      WriteOptions options = {});

  // A page of the rows of all shards, in key order. The rows of one shard are as they were at one
  // moment, those of different shards and pages each at their own: a key that is there all the time
  // is seen, one that is written meanwhile may be. Asks every shard, unless the prefix holds a
  // whole {tag}; for a dump of everything ScanShard costs less.
  Result<ScanPage> Scan(ScanOptions options = {});
  // The shards are numbered 0..count-1, and each can be scanned by itself, with prefix, after and
  // limit. Scanning every shard visits every key.
  Result<std::uint32_t> ShardCount(ReadOptions options = {});
  Result<ScanPage> ScanShard(std::uint32_t shard, ScanOptions options = {});

  // The administration interface as documented for HTTP: Admin("GET", "/v1/admin/cluster"). An
  // answer with a status from 400 up is a value, not an error; an error means that nobody answered.
  Result<AdminReply> Admin(std::string_view method, std::string_view target,
                           std::string_view body = {}, std::chrono::milliseconds timeout = {});

  // ---- the same, asynchronously ----

  template <class Token>
  auto AsyncGet(std::string_view key, ReadOptions options, Token&& token) {
    return detail::StartAsync<Value>(state_, detail::GetCall{std::string(key), options},
                                     std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncGet(std::string_view key, Token&& token) {
    return AsyncGet(key, ReadOptions{}, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncPut(std::string_view key, std::string_view value, WriteOptions options, Token&& token) {
    return detail::StartAsync<Version>(
        state_, detail::PutCall{std::string(key), std::string(value), options},
        std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncPut(std::string_view key, std::string_view value, Token&& token) {
    return AsyncPut(key, value, WriteOptions{}, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncPutIfAbsent(std::string_view key, std::string_view value, WriteOptions options,
                        Token&& token) {
    options.if_absent = true;
    return AsyncPut(key, value, options, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncPutIfAbsent(std::string_view key, std::string_view value, Token&& token) {
    return AsyncPutIfAbsent(key, value, WriteOptions{}, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncDel(std::string_view key, WriteOptions options, Token&& token) {
    return detail::StartAsync<bool>(state_, detail::DelCall{std::string(key), options},
                                    std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncDel(std::string_view key, Token&& token) {
    return AsyncDel(key, WriteOptions{}, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncCas(std::string_view key, std::string_view expected, std::string_view value,
                WriteOptions options, Token&& token) {
    return detail::StartAsync<Version>(
        state_,
        detail::CasCall{std::string(key), std::string(expected), std::string(value), options},
        std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncCas(std::string_view key, std::string_view expected, std::string_view value,
                Token&& token) {
    return AsyncCas(key, expected, value, WriteOptions{}, std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncScan(ScanOptions options, Token&& token) {
    return detail::StartAsync<ScanPage>(state_, detail::ScanCall{std::move(options)},
                                        std::forward<Token>(token));
  }
  template <class Token>
  auto AsyncScanShard(std::uint32_t shard, ScanOptions options, Token&& token) {
    return detail::StartAsync<ScanPage>(state_, detail::ScanShardCall{shard, std::move(options)},
                                        std::forward<Token>(token));
  }

  // For the embedded node, which brings its own way of carrying calls.
  Client(std::shared_ptr<ClientBackend> backend, std::chrono::milliseconds timeout);

 private:
  std::shared_ptr<detail::ClientState> state_;
};

}  // namespace decree
