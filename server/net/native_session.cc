#include "server/net/native_session.h"

#include <iterator>
#include <utility>

#include "server/net/names.h"
#include "server/net/peer.h"

namespace decree::net {
namespace {

constexpr std::size_t kMaxUnanswered = 1024;  // of a client: then it is not read any further
constexpr std::size_t kMaxUnansweredPeer =
    16384;  // of a peer: consensus must be read, so it is told
constexpr std::size_t kOutboxBytes = std::size_t{64} << 20;
constexpr std::size_t kSlowReaderBytes = std::size_t{8} << 20;  // unread answers: read no requests

}  // namespace

NativeSession::NativeSession(Acceptor::Accepted accepted, NodeDoor& door,
                             const LinkIdentity& identity, LogSink log,
                             std::function<void(NativeSession*)> on_end)
    : worker_(accepted.worker),
      door_(door),
      identity_(identity),
      log_(std::move(log)),
      on_end_(std::move(on_end)),
      ticket_(std::move(accepted.ticket)),
      crowded_(accepted.crowded),
      socket_(std::move(accepted.socket)),
      outbox_(kOutboxBytes) {}

void NativeSession::Start(Duration hello_timeout) {
  worker_.RunAt(worker_.Now() + hello_timeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->greeted_) self->Close("no Hello in time");
  });
  link_ = std::make_shared<FrameLink>(std::move(socket_), shared_from_this(), outbox_);
  remote_ = link_->remote();
  link_->Start(EncodeFrame(FrameType::kHello, identity_.ToHello()));
  link_->OpenOutbox();
}

void NativeSession::Close(const std::string& reason) {
  if (!link_) return;
  if (!reason.empty() && log_) {
    log_(LogLevel::kWarn, "connection from " + remote_ + " closed: " + reason);
  }
  link_->Close();
  End();
}

void NativeSession::OnClosed(const std::string& reason) {
  if (log_) {
    log_(greeted_ ? LogLevel::kDebug : LogLevel::kWarn,
         "connection from " + remote_ + " ended: " + reason);
  }
  End();
}

void NativeSession::End() {
  link_.reset();
  ticket_.reset();
  on_end_(this);
}

bool NativeSession::IsPeer() const {
  const std::uint64_t ours = identity_.cluster.load();
  return hello_.node && ours != 0 && hello_.cluster.value == ours;
}

void NativeSession::OnFrame(const Frame& frame) {
  const auto type = static_cast<FrameType>(frame.type);
  if (type == FrameType::kHello) return OnHello(frame);
  if (!greeted_) return Close("its first frame is no Hello");
  if (type == FrameType::kRequest) return OnRequest(frame);
  if (type == FrameType::kConsensus) return OnConsensus(frame);
  Close("a frame of unknown type " + std::to_string(frame.type));
}

// A node that joins says Hello again once it knows who it is.
void NativeSession::OnHello(const Frame& frame) {
  const auto hello = Decode<Hello>(frame.payload);
  if (!hello) return Close("a malformed Hello");
  if (hello->protocol != 1) {
    return Close("it speaks protocol " + std::to_string(hello->protocol) + ", this node 1");
  }
  const ClusterId ours{identity_.cluster.load()};
  if (ours && hello->cluster && hello->cluster != ours) {
    return Close("it belongs to cluster " + ClusterName(hello->cluster) + ", this node to " +
                 ClusterName(ours));
  }
  if (hello_.node && hello->node != hello_.node) return Close("it changed its node id");
  hello_ = *hello;
  greeted_ = true;
  if (crowded_ && !IsPeer()) {
    Close("too many connections: the last ones are kept for the nodes of this cluster");
  }
}

void NativeSession::OnRequest(const Frame& frame) {
  std::uint64_t id = 0;
  RpcRequest request;
  if (!ParseCallFrame(frame.payload, &id, &request)) return Close("a malformed request");
  const bool peer = IsPeer();
  const bool between_nodes = IsBetweenNodes(request.method);
  ++unanswered_;
  if (between_nodes && !peer && identity_.cluster.load() != 0) {
    return Refuse(id, Errc::kUnauthorized, "only nodes of this cluster may ask for that");
  }
  if (unanswered_ > kMaxUnansweredPeer && peer) {
    return Refuse(id, Errc::kBusy, "too many requests of this node wait for their answers");
  }
  if (draining_ && !between_nodes) {
    return Refuse(id, Errc::kUnavailable, "this node is stopping");
  }
  if (!between_nodes) ++serving_;
  door_.OnRequest(peer ? hello_.node : NodeId{}, std::move(request),
                  [self = shared_from_this(), id, between_nodes](const RpcResponse& response) {
                    self->Reply(id, response);
                    if (!between_nodes) --self->serving_;
                  });
}

void NativeSession::Refuse(std::uint64_t id, Errc code, std::string detail) {
  RpcResponse response;
  response.code = code;
  response.detail = std::move(detail);
  Reply(id, response);
}

bool NativeSession::Drain() {
  draining_ = true;
  if (serving_ != 0) return true;
  return !IsPeer() && (outbox_.size() != 0 || (link_ && link_->writing()));
}

void NativeSession::Reply(std::uint64_t id, const RpcResponse& response) {
  std::string frame;
  if (!AppendCallFrame(frame, FrameType::kResponse, id, response)) {
    RpcResponse too_large;
    too_large.code = Errc::kTooLarge;
    too_large.detail = "the answer exceeds a frame";
    AppendCallFrame(frame, FrameType::kResponse, id, too_large);
  }
  const Outbox::Appended appended = outbox_.Append(std::move(frame));
  --unanswered_;
  // The flag is raised before MayRead looks at the count again, so that no wake-up is lost.
  const bool resume = paused_.load() && unanswered_.load() <= kMaxUnanswered / 2;
  if (!appended.wake && !appended.refused && !resume) return;
  worker_.Post([self = shared_from_this(), refused = appended.refused] {
    if (!self->link_) return;
    if (refused) return self->Close("it does not read its answers");
    self->link_->Kick();
    self->link_->Resume();
  });
}

bool NativeSession::MayRead() {
  if (IsPeer()) return true;
  const auto fine = [this] {
    return unanswered_.load() < kMaxUnanswered && outbox_.size() < kSlowReaderBytes;
  };
  if (fine()) {
    paused_ = false;
    return true;
  }
  paused_ = true;
  return fine();
}

void NativeSession::OnConsensus(const Frame& frame) {
  if (!IsPeer()) return Close("a consensus message from something that is no node of this cluster");
  auto envelopes = Decode<std::vector<consensus::Envelope>>(frame.payload);
  if (!envelopes) return Close("a malformed consensus message");
  for (consensus::Envelope& envelope : *envelopes) {
    if (envelope.from.node == hello_.node) {
      envelopes_.push_back(std::move(envelope));
    } else if (!std::exchange(told_strange_, true) && log_) {
      log_(LogLevel::kError, "node " + ToString(hello_.node) +
                                 " sent a message in the name of node " +
                                 ToString(envelope.from.node) + ": dropped");
    }
  }
}

void NativeSession::OnReadDone() {
  if (!envelopes_.empty()) door_.OnEnvelopes(std::exchange(envelopes_, {}));
}

}  // namespace decree::net
