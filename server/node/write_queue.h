// Writes on their way through a shard: waiting for a batch, then waiting for their slot. Batches
// form from what is already waiting, never on a timer.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/base/codec.h"
#include "kv/store/state_machine.h"

namespace decree::node {

class WriteQueue {
 public:
  // Bytes of waiting commands above which new ones are refused with kBusy.
  static constexpr std::size_t kMaxWaitingBytes = std::size_t{32} << 20;
  static constexpr std::size_t kMaxBatchBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxBatchCommands = 1024;

  // False: the queue is full; nothing was taken.
  bool Push(Command&& command, RpcReply&& reply);
  bool HasWaiting() const { return !waiting_.empty(); }

  // Moves the next batch out of the waiting line into `commands`; Propose'd with Open, or given
  // back.
  std::vector<Command> TakeBatch();
  // The batch taken last was proposed at `slot` with this payload.
  void Opened(Slot slot, Blob payload);
  // It was refused: its commands wait again, first in line.
  void PutBack(std::vector<Command>&& commands);

  // The slot was chosen and applied. Answers the writes of that slot if it holds our batch; another
  // value there means that a later leader won: their outcome is unknown to this node.
  void Settle(Slot slot, const Blob& payload, const store::AppliedSlot& applied,
              const RpcResponse& frame);
  // Leadership is gone: open batches may or may not be chosen, waiting ones certainly are not.
  void FailOpen(const RpcResponse& answer);
  void FailWaiting(const RpcResponse& answer);

 private:
  struct Waiting {
    Command command;
    RpcReply reply;
    std::size_t bytes;
  };
  struct Open {
    Slot slot;
    Blob payload;
    std::vector<RpcReply> replies;
  };
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<RpcReply> taken_;  // replies of the batch between TakeBatch and Opened or PutBack
  std::deque<Open> open_;
};

}  // namespace decree::node
