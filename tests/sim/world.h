// The simulated world: one heap of events ordered by time and by the order of their making, run in
// one thread, everything random drawn from one seed. Equal seeds give equal runs: the digest proves
// it, into which every event goes with the state of the random numbers, every frame sent, every log
// record that became durable, every slot applied, every answer to a client.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kv/base/executor.h"
#include "kv/base/random.h"

namespace decree::sim {

using Nanos = std::int64_t;
using MachineId = std::uint32_t;  // 1, 2, 3...; 0: the world itself

inline constexpr Nanos kMicros = 1'000;
inline constexpr Nanos kMillis = 1'000'000;
inline constexpr Nanos kSeconds = 1'000'000'000;

// One life of a machine, from power on to power off. Events of a life that ended never run.
struct Life {
  MachineId machine = 0;
  std::uint32_t generation = 0;
  bool alive = true;
  Nanos paused_until = 0;       // a stopped process: its events wait, in their order
  std::uint64_t wake_dice = 0;  // in which order it finds what has waited; 0: all at once
  // A process that goes on finds timers that are over and connections with something to read, and
  // gets to each of these sources when the system lets it: within this.
  static constexpr Nanos kLongestWaking = 1 * kMillis;
  Nanos WakesFor(std::uint64_t source) const;
};
inline constexpr std::uint64_t kNoSource = 0;  // its own tasks, which it goes on with at once
inline constexpr std::uint64_t kTimers = 1;
inline constexpr std::uint64_t kFirstConnection = 2;

enum class EventKind : std::uint8_t { kTask, kTimer, kDisk, kNetwork, kFault, kClient };

// Who posts: executors keep the order of each poster. 0: nobody in particular.
using ActorId = std::uint32_t;

class World {
 public:
  explicit World(std::uint64_t seed, bool trace = false);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Nanos now() const { return now_; }
  Random& random() { return random_; }
  // Uniform in [low, high].
  Nanos Between(Nanos low, Nanos high);
  // A fresh moment in the total order of everything that is observed.
  std::uint64_t Stamp() { return ++stamp_; }
  ActorId NewActor() { return ++last_actor_; }
  ActorId actor() const { return actor_; }  // of the running event
  // The running event takes so long: what it posts from now on leaves so much later.
  void Spend(Nanos time) { spent_ += time; }
  Nanos spent() const { return spent_; }

  // `life` null: the world's own event, which no crash takes away.
  // `source`: what the process has to look at to find it.
  void At(Nanos when, EventKind kind, std::shared_ptr<Life> life, ActorId actor, Task task,
          std::uint64_t source = kNoSource);
  void After(Nanos delay, Task task);  // a fault or a check, of the world's own
  // Ends a life: its pending events are destroyed, unrun.
  void End(Life& life);

  // Stops a process; if it was stopped already, until then and no longer.
  void Pause(Life& life, Nanos until);

  // The life's own clock has jumped ahead: its timers are due so much earlier.
  void Hurry(const Life& life, Nanos by);

  bool Step();  // runs the next event; false: none is left
  void RunFor(Nanos duration);
  // Runs until the predicate holds, looking after each event; false: the time is over.
  bool RunUntil(const std::function<bool()>& done, Nanos at_most);

  // Into the digest, and onto the screen with --trace.
  void Trace(const char* what, MachineId machine, std::uint64_t a, std::uint64_t b = 0);
  // Onto the screen with --trace, and nowhere else: words that say what the numbers mean.
  void Say(MachineId machine, std::string_view words) const;
  bool tracing() const { return trace_; }
  std::uint64_t digest() const { return digest_; }
  // The digest after each kCheckpointEvents events: where the traces of two runs part.
  static constexpr std::uint64_t kCheckpointEvents = 256;
  const std::vector<std::uint64_t>& checkpoints() const { return checkpoints_; }
  std::uint64_t events() const { return events_; }

  // A rule was broken. The run goes on to its end; the seed has failed.
  void Fail(const std::string& what);
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Event {
    Nanos due = 0;
    Nanos when = 0;  // later than due while its process is stopped
    std::uint64_t order = 0;
    EventKind kind = EventKind::kTask;
    ActorId actor = 0;
    std::shared_ptr<Life> life;
    Task task;
    std::uint64_t source = kNoSource;
  };
  static bool Later(const Event& a, const Event& b);
  void Push(Event event);
  Event Pop();
  void Run(Event& event);
  void Fold(std::uint64_t word);

  const bool trace_;
  Random random_;
  Nanos now_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t stamp_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t digest_ = 0;
  std::vector<std::uint64_t> checkpoints_;
  ActorId last_actor_ = 0;
  ActorId actor_ = 0;
  Nanos spent_ = 0;
  std::vector<Event> heap_;
  std::vector<std::string> failures_;
};

}  // namespace decree::sim
