#include "server/node/write_queue.h"

#include "kv/api/limits.h"
#include "kv/base/check.h"
#include "kv/base/mark.h"

namespace decree::node {

bool WriteQueue::Push(Command&& command, RpcReply&& reply) {
  const std::size_t bytes = SizeBound(command);
  if (waiting_bytes_ + bytes > kMaxWaitingBytes) return false;
  waiting_bytes_ += bytes;
  waiting_.push_back({std::move(command), std::move(reply), bytes});
  return true;
}

std::vector<Command> WriteQueue::TakeBatch() {
  DECREE_CHECK(taken_.empty());
  std::vector<Command> commands;
  std::size_t bytes = 0;
  while (!waiting_.empty() && commands.size() < kMaxBatchCommands) {
    Waiting& next = waiting_.front();
    if (!commands.empty() && bytes + next.bytes > kMaxBatchBytes) break;
    bytes += next.bytes;
    waiting_bytes_ -= next.bytes;
    commands.push_back(std::move(next.command));
    taken_.push_back(std::move(next.reply));
    waiting_.pop_front();
  }
  return commands;
}

void WriteQueue::Opened(Slot slot, Blob payload) {
  open_.push_back({slot, std::move(payload), std::move(taken_)});
  taken_.clear();
}

void WriteQueue::PutBack(std::vector<Command>&& commands) {
  SOMETIMES(write_batch_put_back);
  DECREE_CHECK(commands.size() == taken_.size());
  for (std::size_t i = commands.size(); i-- > 0;) {
    const std::size_t bytes = SizeBound(commands[i]);
    waiting_bytes_ += bytes;
    waiting_.push_front({std::move(commands[i]), std::move(taken_[i]), bytes});
  }
  taken_.clear();
}

void WriteQueue::Settle(Slot slot, const Blob& payload, const store::AppliedSlot& applied,
                        const RpcResponse& frame) {
  while (!open_.empty() && open_.front().slot <= slot) {
    Open batch = std::move(open_.front());
    open_.pop_front();
    const bool same = batch.payload == payload || View(batch.payload) == View(payload);
    const bool ours = batch.slot == slot && same;
    DECREE_CHECK(!ours || applied.results.size() == batch.replies.size());
    for (std::size_t i = 0; i < batch.replies.size(); ++i) {
      RpcResponse response = frame;
      if (ours) {
        response.body = Encode(applied.results[i]);
      } else {
        response.code = Errc::kOutcomeUnknown;
      }
      batch.replies[i](std::move(response));
    }
  }
}

void WriteQueue::FailOpen(const RpcResponse& answer) {
  if (!open_.empty()) SOMETIMES(write_outcome_lost_with_leadership);
  std::deque<Open> open = std::move(open_);
  open_.clear();
  for (Open& batch : open) {
    for (RpcReply& reply : batch.replies) reply(answer);
  }
}

void WriteQueue::FailWaiting(const RpcResponse& answer) {
  if (!waiting_.empty()) SOMETIMES(write_sent_elsewhere);
  std::deque<Waiting> waiting = std::move(waiting_);
  waiting_.clear();
  waiting_bytes_ = 0;
  for (Waiting& write : waiting) write.reply(answer);
}

}  // namespace decree::node
