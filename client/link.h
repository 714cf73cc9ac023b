// One connection to one node over the native protocol (kv/base/frame.h, kv/api/rpc.h): Hello both
// ways, then calls with ids. It connects when it is first needed, and again after a failure, with
// backoff. What is queued in one turn of the loop goes out as one write. On the loop's thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/io_loop.h"
#include "kv/api/rpc.h"

namespace decree::client {

struct LinkOptions {
  Duration connect_timeout = 1s;  // with name resolution and Hello
  Duration backoff_first = 20ms;
  Duration backoff_max = 1s;
  std::size_t max_queued_bytes = std::size_t{64} << 20;
};

// What all links of a client share: the cluster they belong to (0: not known yet), whether its map
// has come, and how many name look-ups are under way, which cannot be interrupted.
struct LinkShared {
  ClusterId cluster;
  bool has_map = false;
  std::atomic<int> resolving{0};
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(IoLoop& loop, std::shared_ptr<LinkShared> shared, std::string address,
       LinkOptions options = {});

  // Answers exactly once, never inside this call. kUnavailable: certainly not sent; at once while
  // a link that failed is dialled again.
  // kOutcomeUnknown: sent, then the link broke or request.timeout_ms passed. kWrongCluster: another
  // cluster lives there (with a map, which names others to ask: kUnavailable).
  void Call(RpcRequest request, RpcReply reply);
  // Answers what is pending; nothing is connected or called afterwards.
  void Close();

  bool open() const { return state_ == State::kOpen; }
  // In the pause after a failure: a call would be refused at once.
  bool resting() const { return state_ == State::kIdle && loop_.Now() < next_attempt_; }
  // Calls have timed out since anything was heard: somebody else may know better.
  bool silent() const { return silent_since_ != kNever; }
  Duration backoff() const { return backoff_; }  // the longest pause after the next failure
  const std::string& address() const { return address_; }

 private:
  enum class State { kIdle, kConnecting, kGreeting, kOpen, kClosed };
  struct Pending {
    RpcReply reply;
    Instant deadline;
    RpcRequest request;  // kept until it is sent
    bool sent = false;
  };

  void Refuse(RpcReply reply, Errc code, const std::string& why);
  void Connect();
  void Resolve(const std::string& host, const std::string& port);
  void ConnectTo(std::vector<boost::asio::ip::tcp::endpoint> endpoints);
  void OnConnected();
  void Read();
  bool OnBytes();
  bool OnFrame(std::uint16_t type, std::string_view payload);
  bool OnHello(std::string_view payload);
  bool OnResponse(std::string_view payload);
  void Send(std::uint64_t id, Pending& pending);
  void ScheduleFlush();
  void Flush();
  void Sweep();
  void Fail(Errc code, const std::string& why);
  void AnswerAll(Errc unsent, const std::string& why);
  // Handlers of an earlier connection find a newer generation and do nothing.
  template <class F>
  auto Guard(F f) {
    return [ self = shared_from_this(), generation = generation_, f = std::move(f) ](
        auto&&... args) requires std::invocable<const F&, Link&, decltype(args)...> {
      if (self->generation_ == generation) f(*self, std::forward<decltype(args)>(args)...);
    };
  }

  IoLoop& loop_;
  const std::shared_ptr<LinkShared> shared_;
  const std::string address_;
  const LinkOptions options_;
  State state_ = State::kIdle;
  std::uint64_t generation_ = 0;
  boost::asio::ip::tcp::socket socket_;
  Instant next_attempt_{};
  Duration backoff_;
  bool failed_ = false;  // since a call was answered: nobody is kept waiting for the next try
  std::string failure_;  // the latest
  Instant silent_since_ = kNever;  // when a call timed out and nothing was heard since
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, Pending> pending_;
  bool sweeping_ = false;
  std::string in_;
  std::string out_;  // gathers while the write before is under way
  std::string writing_;
  bool flush_scheduled_ = false;
};

}  // namespace decree::client
