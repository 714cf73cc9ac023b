// The node as its doors and links see it: NodeCore in a server (server.cc), a fake in tests.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "consensus/messages.h"
#include "kv/api/caller.h"
#include "kv/api/rpc.h"

namespace decree::net {

class NodeDoor {
 public:
  virtual ~NodeDoor() = default;

  // Any thread; as in NodeCore.
  virtual void OnEnvelopes(std::vector<consensus::Envelope> envelopes) = 0;
  virtual void OnRequest(NodeId from, RpcRequest request, RpcReply reply) = 0;
  virtual void OnLinkDown(NodeId) {}
  virtual void Admin(AdminRequest request, Duration timeout,
                     std::function<void(AdminResponse)> done) = 0;
  virtual NodeId id() const = 0;
  virtual bool ready() const = 0;

  // On that worker only; the answer comes on it, never inside the call.
  virtual void Operate(std::size_t worker, Operation operation, OperationCallback done) = 0;
  // How many shards the cluster has, from the map; fetched if there is none yet. On that worker
  // only; the answer comes on it, perhaps inside the call.
  virtual void CountShards(std::size_t worker, Duration timeout,
                           std::function<void(Result<std::uint32_t>)> done) = 0;
};

// Who this node says it is when a link begins. Written by the node, read by every link.
struct LinkIdentity {
  std::atomic<std::uint64_t> cluster{0};
  std::atomic<std::uint32_t> node{0};
  Hello ToHello() const { return {1, ClusterId{cluster.load()}, NodeId{node.load()}}; }
};

}  // namespace decree::net
