// How a node reaches other nodes: the network seam. The real one is server/net (Asio), the
// simulator has its own. Best effort: messages may be lost, delayed, duplicated or reordered; calls
// are carried out at most once, and answered once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "consensus/messages.h"
#include "kv/api/rpc.h"
#include "kv/base/executor.h"

namespace decree::node {

// Consensus traffic and calls share a connection; snapshot chunks have one of their own, so that a
// move never delays a heartbeat.
enum class Channel : std::uint8_t { kControl, kBulk };

class Transport {
 public:
  virtual ~Transport() = default;

  // Fire and forget, to to.node of each envelope; batched to one write a peer and turn. Any thread.
  virtual void Send(std::vector<consensus::Envelope> envelopes) = 0;
  // Calls a node. The reply runs on `on`, exactly once, never inside this call; without an answer
  // in request.timeout_ms its code is kUnavailable (never sent) or kOutcomeUnknown. Any thread.
  virtual void Call(Executor& on, NodeId to, Channel channel, RpcRequest request,
                    RpcReply reply) = 0;
  // The same to an address: before a node knows who lives there (join).
  virtual void CallAddress(Executor& on, const std::string& rpc_address, RpcRequest request,
                           RpcReply reply) = 0;
  // Who lives where. Called whenever the node learns of it; replaces the former table. Any thread.
  virtual void SetAddresses(std::map<NodeId, std::string> rpc_addresses) = 0;
  // Who this node is, for Hello: known after bootstrap, join or restart. Any thread.
  virtual void SetIdentity(ClusterId cluster, NodeId node) = 0;
};

}  // namespace decree::node
