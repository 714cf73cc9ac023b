// One accepted connection of a peer or a native client.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "consensus/messages.h"
#include "kv/base/log_sink.h"
#include "server/net/acceptor_impl.h"
#include "server/net/door.h"
#include "server/net/frame_link.h"

namespace decree::net {

class NativeSession final : public FrameLink::Owner,
                            public std::enable_shared_from_this<NativeSession> {
 public:
  NativeSession(Acceptor::Accepted accepted, NodeDoor& door, const LinkIdentity& identity,
                LogSink log, std::function<void(NativeSession*)> on_end);

  void Start(Duration hello_timeout);
  void Close(const std::string& reason);  // with a log line unless the reason is empty
  // Takes no more requests of clients. True while some are not answered yet. May be asked again.
  bool Drain();

 private:
  void OnFrame(const Frame& frame) override;
  void OnReadDone() override;
  bool MayRead() override;
  void OnClosed(const std::string& reason) override;

  void OnHello(const Frame& frame);
  void OnRequest(const Frame& frame);
  void OnConsensus(const Frame& frame);
  void Reply(std::uint64_t id, const RpcResponse& response);     // any thread
  void Refuse(std::uint64_t id, Errc code, std::string detail);  // instead of asking the door
  bool IsPeer() const;
  void End();

  Worker& worker_;
  NodeDoor& door_;
  const LinkIdentity& identity_;
  const LogSink log_;
  const std::function<void(NativeSession*)> on_end_;
  std::shared_ptr<void> ticket_;
  const bool crowded_;  // what is left of the port's connections is for nodes of the cluster
  tcp::socket socket_;  // until Start
  Outbox outbox_;
  std::shared_ptr<FrameLink> link_;
  bool greeted_ = false;
  Hello hello_;  // the other side's
  std::string remote_;
  std::vector<consensus::Envelope> envelopes_;  // of the read that is being parsed
  bool told_strange_ = false;
  bool draining_ = false;
  std::atomic<std::size_t> unanswered_{0};
  std::atomic<std::size_t> serving_{0};  // of these, the requests that any client may make
  std::atomic<bool> paused_{false};
};

}  // namespace decree::net
