#include "client/link.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

#include "kv/base/frame.h"

namespace decree::client {
namespace {

using boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kReadChunk = 64 * 1024;
constexpr Duration kSweepEvery = 20ms;
// A connection on which calls time out and nothing else is heard is taken for dead after this.
constexpr Duration kGiveUpAfter = 2s;
constexpr std::size_t kRequestOverhead = 64;  // what a frame holds beside the body, at most

RpcResponse Failure(Errc code, std::string detail) {
  RpcResponse response;
  response.code = code;
  response.detail = std::move(detail);
  return response;
}

}  // namespace

Link::Link(IoLoop& loop, std::shared_ptr<LinkShared> shared, std::string address,
           LinkOptions options)
    : loop_(loop),
      shared_(std::move(shared)),
      address_(std::move(address)),
      options_(options),
      socket_(loop.io()),
      backoff_(options.backoff_first) {}

void Link::Call(RpcRequest request, RpcReply reply) {
  if (request.body.size() > kMaxFramePayload - kRequestOverhead) {
    return Refuse(std::move(reply), Errc::kTooLarge, "the request exceeds a frame of 16 MiB");
  }
  if (out_.size() > options_.max_queued_bytes) {
    return Refuse(std::move(reply), Errc::kUnavailable,
                  "the send queue to " + address_ + " is full");
  }
  if (state_ == State::kClosed)
    return Refuse(std::move(reply), Errc::kUnavailable, "the client is closing");
  if (resting()) return Refuse(std::move(reply), Errc::kUnavailable, failure_);
  if (failed_ && state_ != State::kOpen) {
    if (state_ == State::kIdle) Connect();
    return Refuse(std::move(reply), Errc::kUnavailable, failure_ + "; it is being tried again");
  }
  const std::uint64_t id = next_id_++;
  Pending& pending = pending_[id];
  pending.reply = std::move(reply);
  pending.deadline = loop_.Now() + milliseconds(request.timeout_ms);
  pending.request = std::move(request);
  if (state_ == State::kOpen) Send(id, pending);
  if (state_ == State::kIdle) Connect();
  Sweep();
}

void Link::Refuse(RpcReply reply, Errc code, const std::string& why) {
  loop_.Post([reply = std::move(reply), code, why] { reply(Failure(code, why)); });
}

void Link::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  ++generation_;
  ErrorCode ignored;
  socket_.close(ignored);
  AnswerAll(Errc::kUnavailable, "the client is closing");
}

// ---- connecting ----

void Link::Connect() {
  ++generation_;
  state_ = State::kConnecting;
  socket_ = tcp::socket(loop_.io());
  in_.clear();
  out_.clear();
  loop_.RunAt(loop_.Now() + options_.connect_timeout, Guard([](Link& link) {
                if (link.open()) return;
                link.Fail(Errc::kUnavailable, "no answer from " + link.address_ + " in time");
              }));
  const auto colon = address_.rfind(':');
  std::string host = address_.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string port = address_.substr(colon + 1);
  ErrorCode code;
  const auto literal = boost::asio::ip::make_address(host, code);
  if (code) return Resolve(host, port);
  ConnectTo({tcp::endpoint(literal, static_cast<std::uint16_t>(std::stoul(port)))});
}

void Link::Resolve(const std::string& host, const std::string& port) {
  auto resolver = std::make_shared<tcp::resolver>(loop_.io());
  ++shared_->resolving;
  auto then =
      Guard([](Link& link, const ErrorCode& code, const tcp::resolver::results_type& found) {
        if (code) {
          return link.Fail(Errc::kUnavailable,
                           "cannot resolve " + link.address_ + ": " + code.message());
        }
        std::vector<tcp::endpoint> endpoints;
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
        link.ConnectTo(std::move(endpoints));
      });
  resolver->async_resolve(
      host, port, [resolver, shared = shared_, then](const ErrorCode& code, const auto& found) {
        --shared->resolving;
        then(code, found);
      });
}

void Link::ConnectTo(std::vector<tcp::endpoint> endpoints) {
  auto list = std::make_shared<std::vector<tcp::endpoint>>(std::move(endpoints));
  boost::asio::async_connect(
      socket_, *list, Guard([list](Link& link, const ErrorCode& code, const tcp::endpoint&) {
        if (!code) return link.OnConnected();
        link.Fail(Errc::kUnavailable, "cannot connect to " + link.address_ + ": " + code.message());
      }));
}

void Link::OnConnected() {
  state_ = State::kGreeting;
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  Hello hello;
  hello.cluster = shared_->cluster;
  AppendFrame(out_, static_cast<std::uint16_t>(FrameType::kHello), Encode(hello));
  ScheduleFlush();
  Read();
}

// ---- receiving ----

void Link::Read() {
  const std::size_t old = in_.size();
  in_.resize(old + kReadChunk);
  socket_.async_read_some(
      boost::asio::buffer(in_.data() + old, kReadChunk),
      Guard([old](Link& link, const ErrorCode& code, std::size_t size) {
        link.in_.resize(old + size);
        if (code) {
          return link.Fail(Errc::kUnavailable,
                           "the connection to " + link.address_ + " ended: " + code.message());
        }
        if (link.OnBytes()) link.Read();
      }));
}

// False: the link failed or was closed on the way, by bad bytes or by a reply's owner.
bool Link::OnBytes() {
  const std::uint64_t generation = generation_;
  silent_since_ = kNever;
  std::size_t done = 0;
  while (true) {
    Frame frame;
    std::size_t consumed = 0;
    const FrameState state = ParseFrame(std::string_view(in_).substr(done), &frame, &consumed);
    if (state == FrameState::kIncomplete) break;
    if (state == FrameState::kBad || !OnFrame(frame.type, frame.payload)) {
      if (generation == generation_) {
        Fail(Errc::kUnavailable, address_ + " does not speak Decree's protocol");
      }
      return false;
    }
    if (generation != generation_) return false;
    done += consumed;
  }
  in_.erase(0, done);
  return true;
}

bool Link::OnFrame(std::uint16_t type, std::string_view payload) {
  const auto frame = static_cast<FrameType>(type);
  if (state_ == State::kGreeting) return frame == FrameType::kHello && OnHello(payload);
  return frame == FrameType::kResponse && OnResponse(payload);
}

bool Link::OnHello(std::string_view payload) {
  const auto hello = Decode<Hello>(payload);
  if (!hello || hello->protocol != Hello{}.protocol) return false;
  if (hello->cluster && shared_->cluster && hello->cluster != shared_->cluster) {
    Fail(shared_->has_map ? Errc::kUnavailable : Errc::kWrongCluster,
         address_ + " belongs to cluster " + ToString(hello->cluster) + ", not to " +
             ToString(shared_->cluster));
    return false;
  }
  if (hello->cluster) shared_->cluster = hello->cluster;
  state_ = State::kOpen;
  for (auto& [id, pending] : pending_) Send(id, pending);
  return true;
}

bool Link::OnResponse(std::string_view payload) {
  Reader reader(payload);
  const std::uint64_t id = reader.Varint();
  RpcResponse response;
  Get(reader, response);
  if (!reader.done()) return false;
  // Not its Hello: one that is full says Hello too before it hangs up.
  backoff_ = options_.backoff_first;
  failed_ = false;
  const auto found = pending_.find(id);
  if (found == pending_.end()) return true;  // its caller was answered already: too late
  RpcReply reply = std::move(found->second.reply);
  pending_.erase(found);
  reply(std::move(response));
  return true;
}

// ---- sending ----

void Link::Send(std::uint64_t id, Pending& pending) {
  if (pending.sent) return;
  pending.sent = true;
  const std::size_t begin = BeginFrame(out_);
  Writer writer(out_);
  writer.Varint(id);
  AppendEncoded(out_, pending.request);
  FinishFrame(out_, begin, static_cast<std::uint16_t>(FrameType::kRequest));
  pending.request = {};
  ScheduleFlush();
}

void Link::ScheduleFlush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  loop_.Post([self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->Flush();
  });
}

void Link::Flush() {
  const bool connected = state_ == State::kGreeting || state_ == State::kOpen;
  if (!connected || !writing_.empty() || out_.empty()) return;
  writing_.swap(out_);
  boost::asio::async_write(
      socket_, boost::asio::buffer(writing_),
      [self = shared_from_this(), generation = generation_](const ErrorCode& code, std::size_t) {
        self->writing_.clear();  // of an earlier connection too: the buffer is free again
        if (code && self->generation_ == generation) {
          self->Fail(Errc::kUnavailable,
                     "cannot write to " + self->address_ + ": " + code.message());
        }
        self->Flush();
      });
}

// ---- failing ----

// One timer for all calls: their deadlines are looked through while there are any.
void Link::Sweep() {
  if (sweeping_ || pending_.empty()) return;
  sweeping_ = true;
  loop_.RunAt(loop_.Now() + kSweepEvery, [self = shared_from_this()] {
    self->sweeping_ = false;
    const Instant now = self->loop_.Now();
    std::vector<Pending> late;
    for (auto it = self->pending_.begin(); it != self->pending_.end();) {
      const bool is_late = it->second.deadline <= now;
      if (is_late) late.push_back(std::move(it->second));
      it = is_late ? self->pending_.erase(it) : std::next(it);
    }
    if (!late.empty() && self->open()) self->silent_since_ = std::min(self->silent_since_, now);
    for (Pending& pending : late) {
      pending.reply(Failure(pending.sent ? Errc::kOutcomeUnknown : Errc::kUnavailable,
                            "no answer from " + self->address_ + " in time"));
    }
    if (self->open() && self->silent() && now - self->silent_since_ >= kGiveUpAfter) {
      self->Fail(Errc::kUnavailable, self->address_ + " has stopped answering");
    }
    self->Sweep();
  });
}

void Link::Fail(Errc code, const std::string& why) {
  if (state_ == State::kClosed) return;
  ++generation_;
  state_ = State::kIdle;
  ErrorCode ignored;
  socket_.close(ignored);
  silent_since_ = kNever;
  failed_ = true;
  failure_ = why;
  // Full jitter up to the present ceiling, which doubles until a call is answered.
  const auto ceiling = static_cast<std::uint64_t>(backoff_.count());
  next_attempt_ = loop_.Now() + Duration(static_cast<std::int64_t>(loop_.RandomWord() % ceiling));
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  AnswerAll(code, why);
}

void Link::AnswerAll(Errc unsent, const std::string& why) {
  auto pending = std::move(pending_);
  pending_.clear();
  for (auto& [id, call] : pending) {
    call.reply(Failure(call.sent ? Errc::kOutcomeUnknown : unsent, why));
  }
}

}  // namespace decree::client
