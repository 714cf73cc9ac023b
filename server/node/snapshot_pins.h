// Up to which slot a shard's log is needed by members that take a snapshot of it: from before the
// files are frozen until the member reports a slot of its own (Seal, step 4). Between the two it
// receives, checks and installs files, and nothing else knows what it will ask for next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "kv/base/ids.h"
#include "kv/base/time.h"
#include "kv/store/engine.h"

namespace decree::node {

class SnapshotPins {
 public:
  // How long a member may take to install what it has received before the pin is dropped. While it
  // still reads, the files are open, and whoever serves them watches its progress.
  static constexpr Duration kPatience = 30s;

  // `reader` is about to get rows that hold everything <= slot; a former pin of it ends.
  // The number is for the other two, which do nothing once it has ended.
  std::uint64_t Begin(ReplicaId reader, Slot slot);
  void Frozen(std::uint64_t pin, const std::shared_ptr<store::SnapshotSource>& files);
  void End(std::uint64_t pin);
  void Clear() { pins_.clear(); }

  // The lowest slot whose successors are still needed. `durable` says what a member reported.
  using Durable = std::function<std::optional<Slot>(ReplicaId)>;
  std::optional<Slot> Lowest(Instant now, const Durable& durable);

 private:
  struct Pin {
    std::uint64_t number = 0;
    ReplicaId reader;
    Slot slot;
    bool freezing = true;
    std::weak_ptr<store::SnapshotSource> files;
    std::optional<Instant> closed_at;  // when the files were first found closed
  };
  static bool Over(Pin& pin, Instant now, const Durable& durable);

  std::uint64_t begun_ = 0;
  std::vector<Pin> pins_;
};

}  // namespace decree::node
