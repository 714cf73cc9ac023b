#include "tests/sim/executor.h"

#include <algorithm>
#include <utility>

namespace decree::sim {

Nanos Clock::WorldTime(Instant local) const {
  constexpr Nanos kFar = Nanos{1} << 60;
  if (local.ns >= kFar) return kFar;
  Nanos world = (local.ns - start) / (1'000'000 + drift_ppm) * 1'000'000;
  while (At(world) < local) {
    world += std::max<Nanos>(1, (local - At(world)).count() * 1'000 / 1'001);
  }
  return world;
}

WallMs Clock::WallAt(Nanos world) const {
  constexpr std::int64_t kEpochMs = 1'750'000'000'000;
  return static_cast<WallMs>(kEpochMs + world / kMillis + wall_offset_ms);
}

SimExecutor::SimExecutor(World& world, std::shared_ptr<Life> life, const Clock& clock,
                         const Hops& hops)
    : world_(world),
      life_(std::move(life)),
      clock_(clock),
      hops_(hops),
      actor_(world.NewActor()),
      random_(world.random().Next()) {}

void SimExecutor::Post(Task task) {
  if (!life_->alive) return;
  const ActorId poster = world_.actor();
  const Nanos hop = poster == actor_ ? 200 : world_.Between(500, hops_.max);
  if (hops_.stall > 0 && world_.random().Chance(hops_.stall)) {
    stalled_until_ = world_.now() + world_.Between(1 * kMillis, hops_.max_stall);
  }
  Nanos& last = last_from_[poster];
  last = std::max({last, world_.now() + world_.spent() + hop, stalled_until_});
  world_.At(last, EventKind::kTask, life_, actor_, std::move(task));
}

std::uint64_t SimExecutor::RandomWord() {
  const std::uint64_t word = random_.Next();
  world_.Trace("draw", life_->machine, word);
  return word;
}

void SimExecutor::RunAt(Instant when, Task task) {
  if (!life_->alive) return;
  const Nanos late = world_.Between(0, 20 * kMicros);
  world_.At(std::max(clock_.WorldTime(when), world_.now()) + late, EventKind::kTimer, life_, actor_,
            std::move(task));
}

}  // namespace decree::sim
