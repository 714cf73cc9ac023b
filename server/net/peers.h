// The transport over TCP: one connection a peer for consensus and calls, another for bulk, dialled
// when there is something to send.
#pragma once

#include <memory>

#include "kv/base/log_sink.h"
#include "server/net/door.h"
#include "server/net/runtime.h"
#include "server/node/transport.h"

namespace decree::net {

class Peers final : public node::Transport {
 public:
  // The runtime outlives the transport.
  Peers(Runtime& runtime, LogSink log);
  ~Peers() override;  // after the runtime stopped

  // Where messages to this node itself go. Before anything is sent.
  void SetDoor(NodeDoor* door);
  const LinkIdentity& identity() const;
  // Ends all links; calls are answered kUnavailable or kOutcomeUnknown, later ones too.
  void Shutdown();

  void Send(std::vector<consensus::Envelope> envelopes) override;
  void Call(Executor& on, NodeId to, node::Channel channel, RpcRequest request,
            RpcReply reply) override;
  void CallAddress(Executor& on, const std::string& rpc_address, RpcRequest request,
                   RpcReply reply) override;
  void SetAddresses(std::map<NodeId, std::string> rpc_addresses) override;
  void SetIdentity(ClusterId cluster, NodeId node) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::net
