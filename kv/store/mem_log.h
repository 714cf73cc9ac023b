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

 private:
  struct Queue;
  std::shared_ptr<MemCore> core_;
  std::shared_ptr<Queue> queue_;
  const std::uint64_t goal_bytes_;
};

}  // namespace decree::store
