#include "tests/sim/transport.h"

#include <algorithm>
#include <utility>

#include "kv/base/frame.h"

namespace decree::sim {

SimTransport::SimTransport(World& world, Network& network, std::shared_ptr<Life> life)
    : world_(world), network_(network), life_(std::move(life)) {
  network_.Attach(life_->machine, *this);
  // Calls of one life are never answered in another.
  last_call_ = std::uint64_t{life_->generation} << 40;
}

SimTransport::~SimTransport() { Close(); }

void SimTransport::Listen(OnEnvelopes on_envelopes, OnRequest on_request, OnLinkDown on_link_down) {
  on_envelopes_ = std::move(on_envelopes);
  on_request_ = std::move(on_request);
  on_link_down_ = std::move(on_link_down);
}

void SimTransport::Close() {
  if (!on_envelopes_ && !on_request_ && !network_.Attached(life_->machine)) return;
  on_envelopes_ = nullptr;
  on_request_ = nullptr;
  on_link_down_ = nullptr;
  network_.Detach(life_->machine);
}

MachineId SimTransport::MachineOf(NodeId node) const {
  if (self_ && node == self_) return life_->machine;
  const auto found = addresses_.find(node);
  return found == addresses_.end() ? 0 : MachineAt(found->second);
}

void SimTransport::Send(std::vector<consensus::Envelope> envelopes) {
  if (!life_->alive) return;
  std::map<NodeId, std::vector<consensus::Envelope>> by_node;
  for (consensus::Envelope& envelope : envelopes) {
    network_.checker().OnSend(envelope);
    network_.core_checker().OnSend(envelope);
    RememberPromise(envelope);
    by_node[envelope.to.node].push_back(std::move(envelope));
  }
  for (const auto& [node, batch] : by_node) {
    const MachineId to = MachineOf(node);
    if (to == 0) continue;
    std::string bytes = Encode(batch);
    if (bytes.size() > kMaxFramePayload) CheckThatEachFits(batch);
    network_.Send(to,
                  {FrameKind::kEnvelopes, life_->machine, self_, node, 0, false, std::move(bytes)});
  }
}

// Which may arrive again when the candidate asks for another.
void SimTransport::RememberPromise(const consensus::Envelope& envelope) {
  const auto* promise = std::get_if<consensus::Promise>(&envelope.message);
  const MachineId to = promise != nullptr ? MachineOf(envelope.to.node) : 0;
  if (to == 0 || promise->promised != promise->ballot) return;
  network_.RememberPromise(to,
                           {FrameKind::kEnvelopes, life_->machine, self_, envelope.to.node, 0,
                            false, Encode(std::vector{envelope})},
                           {envelope.shard, envelope.to.id});
}

// The real transport divides a batch that exceeds a frame, and drops a message that does so alone:
// at every try.
void SimTransport::CheckThatEachFits(const std::vector<consensus::Envelope>& batch) {
  for (const consensus::Envelope& envelope : batch) {
    if (Encode(std::vector{envelope}).size() <= kMaxFramePayload) continue;
    world_.Fail("a message to replica " + ToString(envelope.to.id) + " exceeds a frame");
  }
}

void SimTransport::Call(Executor& on, NodeId to, node::Channel channel, RpcRequest request,
                        RpcReply reply) {
  SendCall(on, MachineOf(to), to, channel == node::Channel::kBulk, std::move(request),
           std::move(reply));
}

void SimTransport::CallAddress(Executor& on, const std::string& rpc_address, RpcRequest request,
                               RpcReply reply) {
  SendCall(on, MachineAt(rpc_address), NodeId{}, false, std::move(request), std::move(reply));
}

void SimTransport::SetAddresses(std::map<NodeId, std::string> rpc_addresses) {
  addresses_ = std::move(rpc_addresses);
}

void SimTransport::SetIdentity(ClusterId cluster, NodeId node) {
  world_.Trace("identity", life_->machine, cluster.value, node.value);
  self_ = node;
  network_.Identify(life_->machine, node);
}

void SimTransport::SendCall(Executor& on, MachineId to, NodeId to_node, bool bulk,
                            RpcRequest request, RpcReply reply) {
  if (!life_->alive) return;
  const std::uint64_t call = ++last_call_;
  pending_[call] = {to, &on, std::move(reply)};
  SayCall(call, request);
  if (to == 0) return AnswerAfter(1 * kMicros, call, Errc::kUnavailable, "no address");
  // Nobody listens: refused, if word of it gets back.
  if (!network_.Attached(to) && network_.Reachable(life_->machine, to) &&
      network_.Reachable(to, life_->machine) && world_.random().Chance(0.9)) {
    return AnswerAfter(2 * network_.Delay(), call, Errc::kUnavailable, "connection refused");
  }
  // A link known to be down is not written to; one not known to be down swallows the call.
  if (!network_.Reachable(life_->machine, to) && world_.random().Chance(0.5)) {
    return AnswerAfter(network_.Delay(), call, Errc::kUnavailable, "no connection");
  }
  const auto timeout = std::min<std::uint64_t>(request.timeout_ms, 3'600'000);
  AnswerAfter(static_cast<Nanos>(timeout) * kMillis, call, Errc::kOutcomeUnknown, "no answer");
  network_.Send(to,
                {FrameKind::kRequest, life_->machine, self_, to_node, call, bulk, Encode(request)});
}

void SimTransport::SayCall(std::uint64_t call, const RpcRequest& request) const {
  if (!world_.tracing()) return;
  world_.Say(life_->machine, "call " + std::to_string(call) + " to n" +
                                 std::to_string(pending_.at(call).to) + ": method " +
                                 std::to_string(static_cast<int>(request.method)) + " of shard " +
                                 ToString(request.shard));
}

void SimTransport::SayAnswer(std::uint64_t call, const RpcResponse& response) const {
  if (!world_.tracing()) return;
  world_.Say(life_->machine, "call " + std::to_string(call) + " is answered: " +
                                 Error(response.code, response.detail).ToString());
}

void SimTransport::AnswerAfter(Nanos delay, std::uint64_t call, Errc code, const char* detail) {
  RpcResponse response;
  response.code = code;
  response.detail = detail;
  world_.At(world_.now() + delay, EventKind::kNetwork, life_, 0,
            [this, call, response] { Answer(call, response); });
}

void SimTransport::Answer(std::uint64_t call, RpcResponse response) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  SayAnswer(call, response);
  pending.on->Post(
      [reply = std::move(pending.reply), response = std::move(response)] { reply(response); });
}

void SimTransport::OnReset(MachineId peer) {
  const Nanos delay = network_.Delay();
  for (const auto& [call, pending] : pending_) {
    if (pending.to == peer) AnswerAfter(delay, call, Errc::kOutcomeUnknown, "connection reset");
  }
  for (const auto& [node, address] : addresses_) {
    if (MachineAt(address) == peer && on_link_down_) on_link_down_(node);
  }
}

// Another node answers at the address than the link was made for: Hello says so before anything is
// sent.
void SimTransport::OnStrayFrame(const Frame& frame) {
  if (frame.kind != FrameKind::kRequest) return;
  RpcResponse response;
  response.code = Errc::kUnavailable;
  response.detail = "another node answers there";
  network_.Send(frame.from, {FrameKind::kResponse, life_->machine, self_, NodeId{}, frame.call,
                             frame.bulk, Encode(response)});
}

void SimTransport::OnFrame(const Frame& frame) {
  if (frame.to_node && frame.to_node != self_) return OnStrayFrame(frame);
  switch (frame.kind) {
    case FrameKind::kEnvelopes: {
      auto envelopes = Decode<std::vector<consensus::Envelope>>(frame.bytes);
      if (!envelopes) return world_.Fail("an envelope does not decode");
      if (on_envelopes_) on_envelopes_(std::move(*envelopes));
      return;
    }
    case FrameKind::kRequest:
      return OnRequestFrame(frame);
    case FrameKind::kResponse: {
      auto response = Decode<RpcResponse>(frame.bytes);
      if (!response) return world_.Fail("a response does not decode");
      return Answer(frame.call, std::move(*response));
    }
  }
}

void SimTransport::OnRequestFrame(const Frame& frame) {
  auto request = Decode<RpcRequest>(frame.bytes);
  if (!request) return world_.Fail("a request does not decode");
  if (!on_request_) return;
  auto answered = std::make_shared<bool>(false);
  const auto method = static_cast<std::uint64_t>(request->method);
  auto reply = [&world = world_, &network = network_, life = life_, answered, method, self = self_,
                to = frame.from, call = frame.call, bulk = frame.bulk](RpcResponse response) {
    if (!life->alive) return;
    if (*answered) world.Fail("method " + std::to_string(method) + " was answered twice");
    *answered = true;
    network.Send(
        to, {FrameKind::kResponse, life->machine, self, NodeId{}, call, bulk, Encode(response)});
  };
  on_request_(frame.from_node, std::move(*request), std::move(reply));
}

}  // namespace decree::sim
