#include "server/net/peers.h"

#include <map>
#include <mutex>
#include <span>
#include <utility>

#include "server/net/peer.h"
#include "server/net/worker.h"

namespace decree::net {
namespace {

using consensus::Envelope;
using node::Channel;

// One frame for all, as Encode(vector<Envelope>) would be; halves if that is too long for a frame.
void AppendEnvelopes(std::string& out, std::span<const Envelope> envelopes, const LogSink& log) {
  const std::size_t begin = BeginFrame(out);
  Writer writer(out);
  writer.Varint(envelopes.size());
  for (const Envelope& envelope : envelopes) Put(writer, envelope);
  if (out.size() - begin - kFrameHeaderBytes <= kMaxFramePayload) {
    return FinishFrame(out, begin, static_cast<std::uint16_t>(FrameType::kConsensus));
  }
  out.resize(begin);
  if (envelopes.size() == 1) {
    if (log) log(LogLevel::kError, "a consensus message exceeds a frame and is dropped");
    return;
  }
  const std::size_t half = envelopes.size() / 2;
  AppendEnvelopes(out, envelopes.first(half), log);
  AppendEnvelopes(out, envelopes.subspan(half), log);
}

}  // namespace

struct Peers::Impl : std::enable_shared_from_this<Peers::Impl> {
  using PeerKey = std::pair<NodeId, Channel>;

  Impl(Runtime& r, LogSink l) : runtime(r), log(std::move(l)) {}

  std::shared_ptr<Peer> Find(NodeId node, Channel channel);
  std::shared_ptr<Peer> FindAddress(const std::string& address);
  std::shared_ptr<Peer> Make(NodeId node, const std::string& address, std::size_t spread,
                             std::function<void()> on_down = {});
  void Sweep(std::size_t worker);
  void DeliverHere(std::vector<Envelope> envelopes);
  void CallHere(Executor& on, RpcRequest request, RpcReply reply);

  Runtime& runtime;
  const LogSink log;
  const PeerTuning tuning;
  LinkIdentity identity;
  NodeDoor* door = nullptr;

  std::mutex mutex;
  std::map<NodeId, std::string> addresses;
  std::map<PeerKey, std::shared_ptr<Peer>> peers;
  std::map<std::string, std::shared_ptr<Peer>> by_address;  // while joining
  std::vector<std::vector<std::shared_ptr<Peer>>> swept;    // by worker
  bool shut = false;
};

// Under the lock.
std::shared_ptr<Peer> Peers::Impl::Make(NodeId node, const std::string& address, std::size_t spread,
                                        std::function<void()> on_down) {
  const std::size_t index = spread % runtime.size();
  auto peer = std::make_shared<Peer>(runtime.worker(index), identity, tuning, log, node, address,
                                     std::move(on_down));
  swept.resize(runtime.size());
  swept[index].push_back(peer);
  if (swept[index].size() == 1) {
    runtime.executor(index).Post([self = shared_from_this(), index] { self->Sweep(index); });
  }
  return peer;
}

std::shared_ptr<Peer> Peers::Impl::Find(NodeId node, Channel channel) {
  std::lock_guard lock(mutex);
  const auto known = peers.find({node, channel});
  if (known != peers.end()) return known->second;
  const auto address = addresses.find(node);
  if (shut || address == addresses.end() || address->second.empty()) return nullptr;
  if (channel == Channel::kBulk) {
    return peers[{node, channel}] = Make(node, address->second, node.value + 1);
  }
  return peers[{node, channel}] = Make(node, address->second, node.value, [this, node] {
           if (door != nullptr) door->OnLinkDown(node);
         });
}

std::shared_ptr<Peer> Peers::Impl::FindAddress(const std::string& address) {
  std::lock_guard lock(mutex);
  const auto known = by_address.find(address);
  if (known != by_address.end()) return known->second;
  if (shut) return nullptr;
  return by_address[address] = Make(NodeId{}, address, by_address.size());
}

// One coarse sweep a worker looks after the time-outs of all its links.
void Peers::Impl::Sweep(std::size_t worker) {
  std::vector<std::shared_ptr<Peer>> mine;
  {
    std::lock_guard lock(mutex);
    if (shut) return;
    mine = swept[worker];
  }
  Executor& executor = runtime.executor(worker);
  const Instant now = executor.Now();
  for (const auto& peer : mine) peer->Sweep(now);
  executor.RunAt(now + tuning.sweep_every,
                 [self = shared_from_this(), worker] { self->Sweep(worker); });
}

void Peers::Impl::DeliverHere(std::vector<Envelope> envelopes) {
  if (door == nullptr || envelopes.empty()) return;
  std::map<std::size_t, std::vector<Envelope>> by_worker;
  for (Envelope& envelope : envelopes) {
    by_worker[envelope.shard.value % runtime.size()].push_back(std::move(envelope));
  }
  for (auto& [worker, batch] : by_worker) {
    runtime.executor(worker).Post(
        [door = door, batch = std::move(batch)]() mutable { door->OnEnvelopes(std::move(batch)); });
  }
}

void Peers::Impl::CallHere(Executor& on, RpcRequest request, RpcReply reply) {
  const std::size_t worker = request.shard.value % runtime.size();
  auto back = [&on, reply = std::move(reply)](RpcResponse response) {
    on.Post([reply, response = std::move(response)]() mutable { reply(std::move(response)); });
  };
  runtime.executor(worker).Post(
      [this, request = std::move(request), back = std::move(back)]() mutable {
        door->OnRequest(NodeId{identity.node.load()}, std::move(request), std::move(back));
      });
}

Peers::Peers(Runtime& runtime, LogSink log)
    : impl_(std::make_shared<Impl>(runtime, std::move(log))) {}

Peers::~Peers() {
  std::lock_guard lock(impl_->mutex);
  for (auto& worker : impl_->swept) {
    for (auto& peer : worker) peer->Sever();
  }
}

void Peers::SetDoor(NodeDoor* door) { impl_->door = door; }

const LinkIdentity& Peers::identity() const { return impl_->identity; }

void Peers::Shutdown() {
  std::lock_guard lock(impl_->mutex);
  impl_->shut = true;
  for (auto& worker : impl_->swept) {
    for (auto& peer : worker) peer->Shutdown();
  }
}

void Peers::Send(std::vector<Envelope> envelopes) {
  std::map<NodeId, std::vector<Envelope>> by_node;
  for (Envelope& envelope : envelopes) by_node[envelope.to.node].push_back(std::move(envelope));
  const NodeId here{impl_->identity.node.load()};
  std::string frames;
  for (auto& [to, group] : by_node) {
    if (to == here) {
      impl_->DeliverHere(std::move(group));
    } else if (const auto peer = impl_->Find(to, Channel::kControl)) {
      frames.clear();
      AppendEnvelopes(frames, group, impl_->log);
      peer->Send(frames);
    }
  }
}

void Peers::Call(Executor& on, NodeId to, Channel channel, RpcRequest request, RpcReply reply) {
  if (to && to.value == impl_->identity.node.load() && impl_->door != nullptr) {
    return impl_->CallHere(on, std::move(request), std::move(reply));
  }
  if (const auto peer = impl_->Find(to, channel)) {
    return peer->Call(on, request, std::move(reply));
  }
  on.Post([to, reply = std::move(reply)] {
    RpcResponse answer;
    answer.code = Errc::kUnavailable;
    answer.detail = "no address of node " + ToString(to) + " is known";
    reply(std::move(answer));
  });
}

void Peers::CallAddress(Executor& on, const std::string& rpc_address, RpcRequest request,
                        RpcReply reply) {
  if (const auto peer = impl_->FindAddress(rpc_address)) {
    return peer->Call(on, request, std::move(reply));
  }
  on.Post([reply = std::move(reply)] {
    RpcResponse answer;
    answer.code = Errc::kUnavailable;
    answer.detail = "this node is stopping";
    reply(std::move(answer));
  });
}

void Peers::SetAddresses(std::map<NodeId, std::string> rpc_addresses) {
  std::lock_guard lock(impl_->mutex);
  impl_->addresses = std::move(rpc_addresses);
  for (auto& [key, peer] : impl_->peers) {
    const auto found = impl_->addresses.find(key.first);
    if (found != impl_->addresses.end()) peer->SetAddress(found->second);
  }
}

void Peers::SetIdentity(ClusterId cluster, NodeId node) {
  impl_->identity.cluster = cluster.value;
  impl_->identity.node = node.value;
  std::lock_guard lock(impl_->mutex);
  for (auto& worker : impl_->swept) {
    for (auto& peer : worker) peer->IdentityChanged();
  }
}

}  // namespace decree::net
