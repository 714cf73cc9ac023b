// One node's network over real sockets: workers, port and links, with a fake node behind.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "kv/base/frame.h"
#include "server/net/native_listener.h"
#include "server/net/peers.h"
#include "tests/net/fake_door.h"

namespace decree::net {

class Net {
 public:
  explicit Net(std::uint64_t cluster, std::uint32_t node, std::uint16_t port = 0,
               std::size_t max_connections = 0, NativeTuning tuning = {})
      : runtime_({.workers = 2}), peers_(runtime_, log.sink()) {
    auto acceptor =
        Acceptor::Bind(runtime_, "127.0.0.1:" + std::to_string(port), log.sink(), max_connections)
            .value();
    listener_ = std::make_unique<NativeListener>(runtime_, std::move(acceptor), door,
                                                 peers_.identity(), log.sink(), tuning);
    peers_.SetDoor(&door);
    if (cluster != 0) peers_.SetIdentity(ClusterId{cluster}, NodeId{node});
    listener_->Start();
    runtime_.Start();
  }
  ~Net() { runtime_.Stop(); }

  std::uint16_t port() const { return listener_->bound().port; }
  std::string address() const { return ToString(listener_->bound()); }
  void Knows(std::uint32_t node, const Net& other) {
    peers_.SetAddresses({{NodeId{node}, other.address()}});
  }
  RpcResponse Call(std::uint32_t to, RpcRequest request,
                   node::Channel channel = node::Channel::kControl) {
    std::promise<RpcResponse> done;
    peers_.Call(runtime_.executor(0), NodeId{to}, channel, std::move(request),
                [&done](RpcResponse response) { done.set_value(std::move(response)); });
    return done.get_future().get();
  }
  RpcResponse CallAddress(const std::string& address, RpcRequest request) {
    std::promise<RpcResponse> done;
    peers_.CallAddress(runtime_.executor(0), address, std::move(request),
                       [&done](RpcResponse response) { done.set_value(std::move(response)); });
    return done.get_future().get();
  }
  void Drain(std::function<void()> done) { listener_->Drain(std::move(done)); }
  Peers& peers() { return peers_; }
  Runtime& runtime() { return runtime_; }

  LogLines log;
  FakeDoor door;

 private:
  Runtime runtime_;
  Peers peers_;
  std::unique_ptr<NativeListener> listener_;
};

inline RpcRequest Ask(std::string body, std::uint64_t timeout_ms = 60'000) {
  RpcRequest request;
  request.method = Method::kRead;
  request.shard = ShardId{3};
  request.timeout_ms = timeout_ms;
  request.body = std::move(body);
  return request;
}

inline std::string Greeting(std::uint64_t cluster, std::uint32_t node) {
  std::string out;
  AppendFrame(out, static_cast<std::uint16_t>(FrameType::kHello),
              Encode(Hello{1, ClusterId{cluster}, NodeId{node}}));
  return out;
}

}  // namespace decree::net
