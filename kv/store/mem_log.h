// The log of a MemDisk: a queue that one background task at a time makes durable, as one fdatasync
// does for all that queued before it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kv/store/log.h"
#include "kv/store/mem_core.h"

namespace decree::store {

class MemLog : public Log {
 public:
  MemLog(std::shared_ptr<MemCore> core, std::uint64_t goal_bytes);
  ~MemLog() override;

  void Append(ReplicaKey key, consensus::Persist record, Done done) override;
  void Trim(ReplicaKey key, Slot slot) override;
  void Forget(ReplicaKey key) override;
  Result<consensus::Recovered> Recover(ReplicaKey key) override;
  std::vector<ReplicaKey> Replicas() override;
  std::optional<ReplicaKey> OldestPin() override;

  // A power loss: the first `records` of those that no sync has covered had reached the disk all
  // the same. Without any, trims and forgets since the last sync are lost, too.
  void LosePower(std::size_t records);
  std::size_t unsynced() const;
  void Close();  // trims and forgets become durable, as at a clean stop

 private:
  struct Queue;
  std::shared_ptr<MemCore> core_;
  std::shared_ptr<Queue> queue_;
  const std::uint64_t goal_bytes_;
};

}  // namespace decree::store
