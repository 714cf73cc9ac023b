#include "server/net/peer.h"

#include <algorithm>
#include <utility>

#include "server/net/names.h"

namespace decree::net {
namespace {

std::uint64_t Jittered(std::uint64_t word, Duration upto) {
  return static_cast<std::uint64_t>(upto.count()) / 2 +
         word % (static_cast<std::uint64_t>(upto.count()) / 2 + 1);
}

}  // namespace

Peer::Peer(Worker& worker, const LinkIdentity& identity, const PeerTuning& tuning, LogSink log,
           NodeId node, std::string address, std::function<void()> on_down)
    : worker_(worker),
      identity_(identity),
      tuning_(tuning),
      log_(std::move(log)),
      node_(node),
      on_down_(std::move(on_down)),
      outbox_(tuning.outbox_bytes),
      address_(std::move(address)) {}

std::string Peer::address() const {
  std::lock_guard lock(mutex_);
  return address_;
}

std::string Peer::Name() const {
  return node_ ? "node " + ToString(node_) + " at " + address() : address();
}

// ---- any thread ----

void Peer::Wake() {
  worker_.Post([self = shared_from_this()] { self->Kick(); });
}

void Peer::Send(std::string_view frames) {
  const Outbox::Appended appended = outbox_.Append(frames);
  if (appended.wake) Wake();
}

void Peer::Call(Executor& on, const RpcRequest& request, RpcReply reply) {
  const Instant deadline = worker_.Now() + milliseconds(request.timeout_ms);
  std::uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    id = next_call_++;
    earliest_ = std::min(earliest_, deadline);
    calls_.emplace(id, Pending{deadline, &on, std::move(reply)});
  }
  std::string frame;
  const bool fits = AppendCallFrame(frame, FrameType::kRequest, id, request);
  const std::size_t size = frame.size();
  const Outbox::Appended appended =
      fits ? outbox_.Append(std::move(frame)) : Outbox::Appended{true, false, 0};
  if (appended.refused) {
    return Refuse(id, fits ? Error(Errc::kUnavailable, "the link to " + Name() + " is full")
                           : Error(Errc::kTooLarge, "the request exceeds a frame"));
  }
  {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(id);
    if (found != calls_.end()) {
      found->second.placed = true;
      found->second.offset = appended.offset;
      found->second.size = size;
    }
  }
  if (appended.wake) Wake();
}

void Peer::Refuse(std::uint64_t id, const Error& error) {
  Pending pending;
  if (!TakeCall(id, &pending)) return;
  RpcResponse answer;
  answer.code = error.code();
  answer.detail = error.detail();
  Answer(std::move(pending), std::move(answer));
}

bool Peer::TakeCall(std::uint64_t id, Pending* pending) {
  std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;  // its time ran out before
  *pending = std::move(found->second);
  calls_.erase(found);
  return true;
}

void Peer::SetAddress(const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    if (address_ == address) return;
    address_ = address;
  }
  worker_.Post([self = shared_from_this()] {
    if (self->state_ == State::kShut) return;
    if (self->state_ != State::kIdle) self->CloseLink("the node has a new address");
    self->retry_at_ = Instant{};
  });
}

// A link that is up is told before anything that is sent from now on; one that is being greeted
// said something else in its Hello and begins again.
void Peer::IdentityChanged() {
  if (up_.load()) Send(EncodeFrame(FrameType::kHello, identity_.ToHello()));
  worker_.Post([self = shared_from_this()] {
    if (self->state_ != State::kGreeting) return;
    self->CloseLink("this node learned who it is");
    self->retry_at_ = Instant{};
  });
}

void Peer::Shutdown() {
  worker_.Post([self = shared_from_this()] {
    self->told_ = true;
    self->CloseLink("this node is stopping");
    self->state_ = State::kShut;
  });
}

void Peer::Sever() {
  if (link_) link_->Close();
  link_.reset();
}

// ---- on the worker ----

bool Peer::idle() const {
  std::lock_guard lock(mutex_);
  return calls_.empty() && (state_ == State::kIdle || state_ == State::kBackoff);
}

void Peer::Kick() {
  switch (state_) {
    case State::kUp:
      return link_->Kick();
    case State::kDialling:
    case State::kGreeting:
      return;  // written once the other side said Hello
    case State::kIdle:
      return Dial();
    case State::kBackoff:
      if (worker_.Now() >= retry_at_) return Dial();
      [[fallthrough]];
    case State::kShut:
      return FailCalls(outbox_.Drop(), Errc::kUnavailable, Name() + " cannot be reached");
  }
}

void Peer::Dial() {
  const auto address = ParseHostPort(this->address());
  state_ = State::kDialling;
  state_deadline_ = worker_.Now() + tuning_.connect_timeout;
  const std::uint64_t attempt = ++attempt_;
  if (!address) return Down(address.error().detail());
  boost::system::error_code error;
  const auto host = asio::ip::make_address(address->host, error);
  if (!error) return Connect({tcp::endpoint(host, address->port)}, attempt);
  auto resolver = std::make_shared<tcp::resolver>(worker_.io());
  resolver->async_resolve(
      address->host, std::to_string(address->port),
      [self = shared_from_this(), resolver, attempt](boost::system::error_code failed,
                                                     const tcp::resolver::results_type& found) {
        if (self->attempt_ != attempt) return;
        if (failed) return self->Down("resolve: " + failed.message());
        self->Connect({found.begin(), found.end()}, attempt);
      });
}

void Peer::Connect(const std::vector<tcp::endpoint>& endpoints, std::uint64_t attempt) {
  dialling_ = std::make_shared<tcp::socket>(worker_.io());
  asio::async_connect(*dialling_, endpoints,
                      [self = shared_from_this(), socket = dialling_, attempt](
                          boost::system::error_code failed, const tcp::endpoint&) {
                        if (self->attempt_ != attempt) return;
                        if (failed) return self->Down("connect: " + failed.message());
                        self->OnConnected(std::move(*socket));
                      });
}

void Peer::OnConnected(tcp::socket socket) {
  dialling_.reset();
  state_ = State::kGreeting;
  link_ = std::make_shared<FrameLink>(std::move(socket), shared_from_this(), outbox_);
  const Hello hello = identity_.ToHello();
  said_node_ = hello.node.value;
  link_->Start(EncodeFrame(FrameType::kHello, hello));
}

void Peer::OnFrame(const Frame& frame) {
  if (frame.type == static_cast<std::uint16_t>(FrameType::kHello)) return OnHello(frame);
  if (state_ == State::kUp && frame.type == static_cast<std::uint16_t>(FrameType::kResponse)) {
    return OnResponse(frame);
  }
  CloseLink("an unexpected frame of type " + std::to_string(frame.type));
}

void Peer::OnHello(const Frame& frame) {
  const auto hello = Decode<Hello>(frame.payload);
  if (!hello) return CloseLink("a malformed Hello");
  if (hello->protocol != 1) {
    return CloseLink("it speaks protocol " + std::to_string(hello->protocol) + ", this node 1");
  }
  const ClusterId ours{identity_.cluster.load()};
  if (ours && hello->cluster && hello->cluster != ours) {
    return CloseLink("it belongs to cluster " + ClusterName(hello->cluster) + ", this node to " +
                         ClusterName(ours),
                     Errc::kWrongCluster);
  }
  if (node_ && hello->node != node_) {
    return CloseLink("node " + ToString(hello->node) + " answers there");
  }
  if (state_ == State::kUp) return;
  if (said_node_ != identity_.node.load()) {
    CloseLink("this node learned who it is");
    retry_at_ = Instant{};
    return;
  }
  state_ = State::kUp;
  up_ = true;
  state_deadline_ = kNever;
  backoff_ = Duration{};
  told_ = false;
  link_->OpenOutbox();
}

void Peer::OnResponse(const Frame& frame) {
  std::uint64_t id = 0;
  RpcResponse response;
  if (!ParseCallFrame(frame.payload, &id, &response)) return CloseLink("a malformed answer");
  Pending pending;
  if (TakeCall(id, &pending)) Answer(std::move(pending), std::move(response));
}

void Peer::OnClosed(const std::string& reason) { Down(reason); }

void Peer::CloseLink(const std::string& reason, Errc unsent) {
  if (link_) link_->Close();
  Down(reason, unsent);
}

// The link is gone: everything in flight is answered, nothing is dialled before the backoff is
// over.
void Peer::Down(const std::string& reason, Errc unsent) {
  if (state_ == State::kShut) return;
  link_.reset();
  if (dialling_) {
    boost::system::error_code ignored;
    dialling_->close(ignored);
    dialling_.reset();
  }
  ++attempt_;
  state_ = State::kBackoff;
  const bool was_up = up_.exchange(false);
  state_deadline_ = kNever;
  backoff_ = std::clamp(backoff_ * 2, tuning_.backoff_first, tuning_.backoff_max);
  const auto wait = Jittered(worker_.RandomWord(), backoff_);
  retry_at_ = worker_.Now() + Duration(static_cast<Duration::rep>(wait));
  if (!std::exchange(told_, true) && log_) {
    log_(unsent == Errc::kWrongCluster ? LogLevel::kError : LogLevel::kInfo,
         "link to " + Name() + " is down: " + reason);
  }
  FailCalls(outbox_.Drop(), unsent, Name() + ": " + reason);
  if (was_up && on_down_) on_down_();
}

// What was still in the outbox was certainly never sent; what was taken before may have arrived.
void Peer::FailCalls(const Outbox::Dropped& dropped, Errc unsent, const std::string& reason) {
  std::vector<std::pair<Pending, bool>> failed;
  {
    std::lock_guard lock(mutex_);
    for (auto call = calls_.begin(); call != calls_.end();) {
      const Pending& pending = call->second;
      if (!pending.placed || pending.offset >= dropped.to) {  // appended since: it wakes us itself
        ++call;
        continue;
      }
      const bool sent = pending.offset < dropped.from;
      failed.emplace_back(std::move(call->second), sent);
      call = calls_.erase(call);
    }
  }
  for (auto& [pending, sent] : failed) {
    RpcResponse answer;
    answer.code = sent ? Errc::kOutcomeUnknown : unsent;
    answer.detail = reason;
    Answer(std::move(pending), std::move(answer));
  }
}

void Peer::Answer(Pending pending, RpcResponse response) {
  pending.on->Post([reply = std::move(pending.reply), response = std::move(response)]() mutable {
    reply(std::move(response));
  });
}

void Peer::Sweep(Instant now) {
  if (now >= state_deadline_) CloseLink("no answer to the dial");
  Expire(now);
}

void Peer::Expire(Instant now) {
  std::vector<std::pair<Pending, bool>> late;
  {
    std::lock_guard lock(mutex_);
    if (now < earliest_) return;
    earliest_ = kNever;
    for (auto call = calls_.begin(); call != calls_.end();) {
      if (now < call->second.deadline) {
        earliest_ = std::min(earliest_, call->second.deadline);
        ++call;
        continue;
      }
      const Pending& pending = call->second;
      const bool sent = !pending.placed || !outbox_.Cancel(pending.offset, pending.size);
      late.emplace_back(std::move(call->second), sent);
      call = calls_.erase(call);
    }
  }
  for (auto& [pending, sent] : late) {
    RpcResponse answer;
    answer.code = sent ? Errc::kOutcomeUnknown : Errc::kUnavailable;
    answer.detail = "no answer from " + Name() + " in time";
    Answer(std::move(pending), std::move(answer));
  }
}

}  // namespace decree::net
