// One dialled connection to another node: dials when there is something to send, says Hello,
// carries envelopes and calls, answers every call once. After a failure it fails fast until the
// next try.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "kv/api/rpc.h"
#include "kv/base/log_sink.h"
#include "server/net/address.h"
#include "server/net/door.h"
#include "server/net/frame_link.h"

namespace decree::net {

struct PeerTuning {
  std::size_t outbox_bytes = std::size_t{64} << 20;
  Duration connect_timeout = 2s;  // until the other side's Hello
  Duration backoff_first = 20ms;
  Duration backoff_max = 500ms;
  Duration sweep_every = 20ms;
};

class Peer final : public FrameLink::Owner, public std::enable_shared_from_this<Peer> {
 public:
  // Node 0: whoever lives at the address. `on_down` runs on the worker when a link that was up is
  // lost.
  Peer(Worker& worker, const LinkIdentity& identity, const PeerTuning& tuning, LogSink log,
       NodeId node, std::string address, std::function<void()> on_down);

  // ---- any thread ----
  void Send(std::string_view frames);  // dropped when the link is down or its outbox full
  void Call(Executor& on, const RpcRequest& request, RpcReply reply);
  void SetAddress(const std::string& address);
  void IdentityChanged();
  void Shutdown();  // answers all calls; dials no more
  void Sever();     // only when no worker runs: lets go of the link

  // ---- on the worker ----
  void Sweep(Instant now);
  bool idle() const;  // nothing pending, not connected
  Worker& worker() { return worker_; }

 private:
  enum class State { kIdle, kDialling, kGreeting, kUp, kBackoff, kShut };
  struct Pending {
    Instant deadline;
    Executor* on = nullptr;
    RpcReply reply;
    bool placed = false;       // in the outbox; until then it counts as sent
    std::uint64_t offset = 0;  // in the outbox's stream
    std::size_t size = 0;
  };

  void OnFrame(const Frame& frame) override;
  void OnClosed(const std::string& reason) override;

  void Wake();
  void Kick();
  void Dial();
  void Connect(const std::vector<tcp::endpoint>& endpoints, std::uint64_t attempt);
  void OnConnected(tcp::socket socket);
  void OnHello(const Frame& frame);
  void OnResponse(const Frame& frame);
  void Down(const std::string& reason, Errc unsent = Errc::kUnavailable);
  void CloseLink(const std::string& reason, Errc unsent = Errc::kUnavailable);
  void FailCalls(const Outbox::Dropped& dropped, Errc unsent, const std::string& reason);
  void Refuse(std::uint64_t id, const Error& error);
  bool TakeCall(std::uint64_t id, Pending* pending);
  void Answer(Pending pending, RpcResponse response);
  void Expire(Instant now);
  std::string Name() const;
  std::string address() const;

  Worker& worker_;
  const LinkIdentity& identity_;
  const PeerTuning& tuning_;
  const LogSink log_;
  const NodeId node_;
  const std::function<void()> on_down_;
  Outbox outbox_;

  mutable std::mutex mutex_;  // guards the address and the calls
  std::string address_;
  std::unordered_map<std::uint64_t, Pending> calls_;
  std::uint64_t next_call_ = 1;
  Instant earliest_ = kNever;  // no call's deadline is before it

  std::atomic<bool> up_{false};
  // Of the worker.
  std::uint32_t said_node_ = 0;  // in the Hello of this link
  State state_ = State::kIdle;
  std::uint64_t attempt_ = 0;  // a late completion of an earlier attempt is ignored
  Instant state_deadline_ = kNever;
  Instant retry_at_{};
  Duration backoff_{};
  bool told_ = false;  // the failure was logged; once until it works again
  std::shared_ptr<FrameLink> link_;
  std::shared_ptr<tcp::socket> dialling_;
};

// A frame with a call in it: varint id, then the encoded body (RpcRequest or RpcResponse).
template <class Body>
bool AppendCallFrame(std::string& out, FrameType type, std::uint64_t id, const Body& body) {
  constexpr std::size_t kAround = 128;  // the body's, roughly: a large one is copied once
  out.reserve(out.size() + kAround + body.body.size());
  const std::size_t begin = BeginFrame(out);
  Writer(out).Varint(id);
  AppendEncoded(out, body);
  if (out.size() - begin - kFrameHeaderBytes > kMaxFramePayload) {
    out.resize(begin);
    return false;
  }
  FinishFrame(out, begin, static_cast<std::uint16_t>(type));
  return true;
}

template <class Body>
bool ParseCallFrame(std::string_view payload, std::uint64_t* id, Body* body) {
  Reader reader(payload);
  *id = reader.Varint();
  Get(reader, *body);
  return reader.done();
}

template <class Body>
std::string EncodeFrame(FrameType type, const Body& body) {
  std::string out;
  const std::size_t begin = BeginFrame(out);
  AppendEncoded(out, body);
  FinishFrame(out, begin, static_cast<std::uint16_t>(type));
  return out;
}

}  // namespace decree::net
