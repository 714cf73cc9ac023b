// Bare replicas under one seed: lost, late, repeated messages, cut links, crashes that lose what is
// not on the disk, snapshots, and members that come and go. Invariants are checked at every event.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "kv/base/random.h"
#include "tests/consensus/bare_host.h"

namespace decree::consensus::testing {

struct ClusterOptions {
  std::size_t voters = 3;
  double loss = 0;
  double duplicate = 0;
  double crash = 0;            // chance a chaos step crashes a host
  double cut = 0;              // chance a chaos step cuts links
  double duel = 0;             // chance somebody campaigns against a live leader
  double lie = 0;              // chance that the answer to a poll is turned into a grant
  double impatient = 0;        // chance that a host campaigns sooner than leases last
  double restart = 0.3;        // chance a chaos step starts a crashed host
  bool moves = false;          // replace, add and remove members
  bool trims = false;          // flush and trim, so that laggards need snapshots
  Duration slow_disk{};        // now and then a write takes so long
  std::int64_t drift_ppm = 0;  // clocks run up to so much too fast or too slow
  Duration slow_apply{};       // decrees are applied up to so much later; 0: at once
  Options consensus;
};

class RandomCluster {
 public:
  explicit RandomCluster(std::uint64_t seed);  // draws its options
  RandomCluster(std::uint64_t seed, ClusterOptions options);

  void Run(Duration duration);  // with chaos and clients
  // Everything broken is mended; then a command must be chosen by all and open moves must end.
  void HealAndSettle();  // then every acknowledged command is in every voter's rows

  // Empty if all is well.
  std::string Failure() const;
  std::uint64_t digest() const { return digest_; }
  std::size_t acknowledged() const { return acknowledged_.size(); }
  std::size_t reads_served() const { return reads_served_; }
  std::size_t lease_reads() const { return lease_reads_; }  // at once, by a leader of several
  std::size_t moves_done() const { return moves_done_; }
  const ClusterOptions& options() const { return options_; }

 private:
  enum class Kind { kDeliver, kWrite, kTick, kChaos, kClient, kMover, kSnapshot, kApply };
  struct Event {
    Instant at;
    std::uint64_t order = 0;
    Kind kind = Kind::kTick;
    ReplicaId host;
    std::uint64_t life = 0;
    Member from;
    Message message;
    bool operator>(const Event& other) const {
      return std::tie(at.ns, order) > std::tie(other.at.ns, other.order);
    }
  };
  struct Node {
    std::unique_ptr<BareHost> host;
    std::uint64_t life = 0;
    std::int64_t clock_start = 0;  // what its clock showed at zero
    std::int64_t drift_ppm = 0;
    std::size_t writes_scheduled = 0;
    Instant wake = kNever;
    bool snapshot_scheduled = false;
    bool apply_scheduled = false;
    bool destroyed = false;
  };
  struct Proposal {
    ReplicaId host;
    std::uint64_t life = 0;
    Slot slot;
    std::uint64_t hash = 0;
  };
  struct PendingRead {
    ReplicaId host;
    std::uint64_t life = 0;
    Slot floor;
  };
  struct Plan {
    Epoch epoch;
    MoveId move;  // of the last new member
    std::vector<std::uint64_t> fresh;
    std::vector<std::uint64_t> next_voters;
    bool abort = false;
    int held = 0;
  };

  // Each host has a clock of its own.
  Instant Local(ReplicaId id) const;
  Instant World(ReplicaId id, Instant local) const;  // the first moment not before `local`
  void Step(const Event& event);
  void RunUntil(Instant end);
  void Schedule(Duration in, Event event);
  void Drain(ReplicaId id);
  void Deliver(const Event& event);
  void ScheduleMessage(const Outgoing& out, const Member& from);
  void CollectResults(ReplicaId id);
  void AddNode(std::uint64_t id, const Config& config);
  void Chaos();
  void CrashSomebody();
  void Duel();
  void Client();
  void WakeSleepers();
  void Mover();
  void StartPlan(BareHost& leader);
  void ContinuePlan(BareHost& leader);
  void SealPlan(BareHost& leader);
  void RollBack(BareHost& leader);
  void FinishPlan(BareHost& leader);
  void Snapshot(ReplicaId id);
  BareHost* Leader();
  Duration NetworkDelay();
  void Mix(std::uint64_t word);
  void Fail(const std::string& what);
  bool Settled();
  void CheckNothingIsLost();

  Random random_;
  ClusterOptions options_;
  Config genesis_;
  Invariants invariants_;
  Instant now_{0};
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<ReplicaId, Node> nodes_;
  std::set<std::pair<ReplicaId, ReplicaId>> cut_;
  bool healed_ = false;
  std::uint64_t next_id_ = 0;
  std::uint64_t last_move_ = 0;
  std::optional<Plan> plan_;
  std::uint64_t next_command_ = 0;
  std::vector<Proposal> proposals_;
  std::map<Slot, std::uint64_t> acknowledged_;
  std::map<ReadId, PendingRead> pending_reads_;
  std::uint64_t next_read_ = 0;
  std::size_t reads_served_ = 0;
  std::size_t lease_reads_ = 0;
  std::size_t moves_done_ = 0;
  std::uint64_t digest_ = 0;
  std::string failure_;
};

}  // namespace decree::consensus::testing
