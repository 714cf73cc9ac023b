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

  void Start();
  void Close(const std::string& reason);  // with a log line unless the reason is empty

 private:
  void OnFrame(const Frame& frame) override;
  void OnReadDone() override;
  bool MayRead() override;
  void OnClosed(const std::string& reason) override;

  void OnHello(const Frame& frame);
  void OnRequest(const Frame& frame);
  void OnConsensus(const Frame& frame);
  void Reply(std::uint64_t id, const RpcResponse& response);  // any thread
  bool IsPeer() const;
  void End();

  Worker& worker_;
  NodeDoor& door_;
  const LinkIdentity& identity_;
  const LogSink log_;
  const std::function<void(NativeSession*)> on_end_;
  std::shared_ptr<void> ticket_;
  tcp::socket socket_;  // until Start
  Outbox outbox_;
  std::shared_ptr<FrameLink> link_;
  bool greeted_ = false;
  Hello hello_;  // the other side's
  std::string remote_;
  std::vector<consensus::Envelope> envelopes_;  // of the read that is being parsed
  bool told_strange_ = false;
  std::atomic<std::size_t> unanswered_{0};
  std::atomic<bool> paused_{false};
};

}  // namespace decree::net
