#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include "tests/sim/libc_ban.h"

namespace decree::sim {

Nanos Life::WakesFor(std::uint64_t source) const {
  if (wake_dice == 0 || source == kNoSource) return paused_until;
  Random dice(wake_dice + source);
  return paused_until + static_cast<Nanos>(dice.Below(std::uint64_t{kLongestWaking}));
}

World::World(std::uint64_t seed, bool trace) : trace_(trace), random_(seed) {}

World::~World() {
  // Destroying a task may make another one.
  while (!heap_.empty()) std::exchange(heap_, {}).clear();
}

Nanos World::Between(Nanos low, Nanos high) {
  return static_cast<Nanos>(
      random_.Between(static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high)));
}

bool World::Later(const Event& a, const Event& b) {
  return std::pair(a.when, a.order) > std::pair(b.when, b.order);
}

void World::Push(Event event) {
  heap_.push_back(std::move(event));
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

World::Event World::Pop() {
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  Event event = std::move(heap_.back());
  heap_.pop_back();
  return event;
}

void World::At(Nanos when, EventKind kind, std::shared_ptr<Life> life, ActorId actor, Task task,
               std::uint64_t source) {
  if (life && !life->alive) return;
  when = std::max(when, now_);
  if (kind == EventKind::kTimer) source = kTimers;
  Push({when, when, ++order_, kind, actor, std::move(life), std::move(task), source});
}

void World::After(Nanos delay, Task task) {
  At(now_ + delay, EventKind::kFault, nullptr, 0, std::move(task));
}

void World::End(Life& life) {
  life.alive = false;
  std::vector<Event> dead;
  std::vector<Event> kept;
  for (Event& event : heap_) (event.life.get() == &life ? dead : kept).push_back(std::move(event));
  heap_ = std::move(kept);
  std::make_heap(heap_.begin(), heap_.end(), Later);
  Trace("end of life", life.machine, life.generation, dead.size());
}

// What waits for the end of an earlier pause must not wait longer than what comes from now on.
void World::Pause(Life& life, Nanos until) {
  life.paused_until = until;
  life.wake_dice = random_.Next();
  for (Event& event : heap_) {
    if (event.life.get() == &life) event.when = std::max(now_, event.due);
  }
  std::make_heap(heap_.begin(), heap_.end(), Later);
}

void World::Hurry(const Life& life, Nanos by) {
  for (Event& event : heap_) {
    if (event.life.get() != &life || event.kind != EventKind::kTimer) continue;
    event.when = std::max(now_, event.when - by);
    event.due = event.when;
  }
  std::make_heap(heap_.begin(), heap_.end(), Later);
}

bool World::Step() {
  if (heap_.empty()) return false;
  Event event = Pop();
  now_ = std::max(now_, event.when);
  const Life* life = event.life.get();
  if (life && life->paused_until + Life::kLongestWaking > now_) {
    const Nanos woken = life->WakesFor(event.source);
    if (woken > now_) {
      event.when = woken;  // keeps its place in the order
      Push(std::move(event));
      return true;
    }
  }
  Run(event);
  return true;
}

void World::Run(Event& event) {
  ++events_;
  Trace("event", event.life ? event.life->machine : 0, static_cast<std::uint64_t>(event.kind),
        event.actor);
  actor_ = event.actor;
  const LibcBan no_time_or_chance_but_ours;
  try {
    event.task();
  } catch (const std::exception& error) {
    Fail(std::string("an exception left a task: ") + error.what());
  }
  event.task = nullptr;
  actor_ = 0;
  spent_ = 0;
  Fold(random_.state());
  if (events_ % kCheckpointEvents == 0) checkpoints_.push_back(digest_);
}

void World::RunFor(Nanos duration) {
  RunUntil([] { return false; }, duration);
}

bool World::RunUntil(const std::function<bool()>& done, Nanos at_most) {
  const Nanos end = now_ + at_most;
  while (!done()) {
    if (heap_.empty() || heap_.front().when > end) {
      now_ = end;
      return done();
    }
    Step();
  }
  return true;
}

void World::Fold(std::uint64_t word) {
  digest_ = (digest_ ^ word) * 0x9E3779B97F4A7C15ull;
  digest_ ^= digest_ >> 32;
}

void World::Trace(const char* what, MachineId machine, std::uint64_t a, std::uint64_t b) {
  Fold(static_cast<std::uint64_t>(now_));
  Fold((std::uint64_t{machine} << 8) | static_cast<unsigned char>(*what));
  Fold(a);
  Fold(b);
  if (!trace_) return;
  std::printf("%12.6f n%u %s %llu %llu  %016llx\n", static_cast<double>(now_) / kSeconds, machine,
              what, static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
              static_cast<unsigned long long>(digest_));
}

void World::Say(MachineId machine, std::string_view words) const {
  if (!trace_) return;
  constexpr std::size_t kMost = 400;  // values can be long, and of any bytes
  std::string line(words.substr(0, kMost));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '.');
  std::printf("%12.6f n%u says %s\n", static_cast<double>(now_) / kSeconds, machine, line.c_str());
}

void World::Fail(const std::string& what) {
  Trace("FAILED", 0, failures_.size());
  char time[32];
  std::snprintf(time, sizeof time, "at %.3f s: ", static_cast<double>(now_) / kSeconds);
  if (trace_) std::printf("%s%s\n", time, what.c_str());
  if (failures_.size() < 20) failures_.push_back(time + what);
}

}  // namespace decree::sim
