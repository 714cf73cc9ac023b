// A worker of a simulated machine. Tasks of one poster run in the order of their posts; tasks of
// different posters are shuffled by small random delays, as threads would.
#pragma once

#include <map>
#include <memory>

#include "kv/base/executor.h"
#include "kv/base/random.h"
#include "tests/sim/world.h"

namespace decree::sim {

// A machine's clocks against the world's: the monotonic one starts anywhere and drifts, the wall
// clock is off and may jump.
struct Clock {
  Nanos start = 0;
  std::int64_t drift_ppm = 0;
  std::int64_t wall_offset_ms = 0;

  Instant At(Nanos world) const { return Instant{start + world + world / 1'000'000 * drift_ppm}; }
  Nanos WorldTime(Instant local) const;  // the first moment at which At() is not before `local`
  WallMs WallAt(Nanos world) const;
};

// How long a task takes to get to another worker.
struct Hops {
  Nanos max = 20 * kMicros;
  double stall = 0;  // chance that the worker is kept from its tasks for up to max_stall
  Nanos max_stall = 150 * kMillis;
  Nanos max_opening = 0;  // how long a worker is busy when it opens a replica
};

class SimExecutor : public Executor {
 public:
  SimExecutor(World& world, std::shared_ptr<Life> life, const Clock& clock, const Hops& hops);

  void Post(Task task) override;
  void RunAt(Instant when, Task task) override;
  Instant Now() override { return clock_.At(world_.now()); }
  WallMs WallNow() override { return clock_.WallAt(world_.now()); }
  std::uint64_t RandomWord() override;

 private:
  World& world_;
  const std::shared_ptr<Life> life_;
  const Clock& clock_;
  const Hops hops_;
  const ActorId actor_;
  Random random_;
  std::map<ActorId, Nanos> last_from_;
  Nanos stalled_until_ = 0;
};

}  // namespace decree::sim
