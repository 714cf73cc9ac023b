// A machine's end of the simulated network, as its node sees it. Envelopes and calls travel
// encoded, so that every run exercises the codec.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/node/transport.h"
#include "tests/sim/network.h"

namespace decree::sim {

class SimTransport : public node::Transport, public Endpoint {
 public:
  using OnEnvelopes = std::function<void(std::vector<consensus::Envelope>)>;
  using OnRequest = std::function<void(NodeId from, RpcRequest, RpcReply)>;
  using OnLinkDown = std::function<void(NodeId)>;

  SimTransport(World& world, Network& network, std::shared_ptr<Life> life);
  ~SimTransport() override;

  // What arrives goes there; a machine that only calls others leaves them out.
  void Listen(OnEnvelopes on_envelopes, OnRequest on_request, OnLinkDown on_link_down = {});
  void Close();  // from now on nothing arrives

  // ---- node::Transport ----
  void Send(std::vector<consensus::Envelope> envelopes) override;
  void Call(Executor& on, NodeId to, node::Channel channel, RpcRequest request,
            RpcReply reply) override;
  void CallAddress(Executor& on, const std::string& rpc_address, RpcRequest request,
                   RpcReply reply) override;
  void SetAddresses(std::map<NodeId, std::string> rpc_addresses) override;
  void SetIdentity(ClusterId cluster, NodeId node) override;

  // ---- Endpoint ----
  const std::shared_ptr<Life>& life() const override { return life_; }
  void OnFrame(const Frame& frame) override;
  void OnReset(MachineId peer) override;

 private:
  struct Pending {
    MachineId to = 0;
    Executor* on = nullptr;
    RpcReply reply;
  };

  MachineId MachineOf(NodeId node) const;
  void RememberPromise(const consensus::Envelope& envelope);
  void CheckThatEachFits(const std::vector<consensus::Envelope>& batch);
  void SendCall(Executor& on, MachineId to, NodeId to_node, bool bulk, RpcRequest request,
                RpcReply reply);
  void Answer(std::uint64_t call, RpcResponse response);
  // With --trace.
  void SayCall(std::uint64_t call, const RpcRequest& request) const;
  void SayAnswer(std::uint64_t call, const RpcResponse& response) const;
  void AnswerAfter(Nanos delay, std::uint64_t call, Errc code, const char* detail);
  void OnStrayFrame(const Frame& frame);
  void OnRequestFrame(const Frame& frame);

  World& world_;
  Network& network_;
  const std::shared_ptr<Life> life_;
  OnEnvelopes on_envelopes_;
  OnRequest on_request_;
  OnLinkDown on_link_down_;
  std::map<NodeId, std::string> addresses_;
  NodeId self_;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace decree::sim
