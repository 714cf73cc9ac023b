// A host around one bare Replica, for tests: a disk that keeps only what was completed, rows that
// apply decrees, and nothing else. It obeys output.h to the letter.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "consensus/invariants.h"
#include "consensus/replica.h"

namespace decree::consensus::testing {

// What the rows hold of each applied slot: its decree's hash.
using BareRows = std::map<Slot, std::uint64_t>;

// What survives a crash.
struct BareDisk {
  Ballot promised;
  std::map<Slot, Vote> votes;
  std::map<Slot, Decree> chosen;
  Slot watermark;
  Slot rows;           // flushed
  Config rows_config;  // as of rows
  BareRows rows_hold;
  void Write(const Persist& record);
  void Trim();
  Recovered Recover() const;
};

struct BareWrite {
  Persist record;
  std::vector<Outgoing> after;
};

class BareHost {
 public:
  BareHost(Member self, const Config& genesis, const Options& options, std::uint64_t seed,
           Invariants* invariants);

  bool up() const { return replica_.has_value(); }
  const Member& self() const { return self_; }
  Replica& replica() { return *replica_; }
  const Replica& replica() const { return *replica_; }
  BareDisk& disk() { return disk_; }

  void Start(Instant now);
  // Loses what is not completed, except `keep` of the oldest writes under way (they reached the
  // disk, nobody was told).
  void Crash(std::size_t keep = 0);

  void Tick(Instant now);
  void Receive(Instant now, const Member& from, const Message& message);
  ProposeResult Propose(Instant now, const Decree& decree);
  void Read(Instant now, ReadId id);
  void Transfer(Instant now, ReplicaId target);
  void Wake(Instant now);
  bool CompleteWrite(Instant now);  // the oldest one; false: none
  void CompleteWrites(Instant now);
  void Apply(Instant now);  // everything handed out
  void Flush();             // the rows as applied become durable
  void TrimLog();           // forget what is flushed
  void InstallSnapshot(Instant now, Slot slot, const Config& config, BareRows rows = {});
  void TakeOutput(Instant now);  // after a call on replica() itself

  Slot applied() const { return applied_; }
  const Config& applied_config() const { return applied_config_; }
  const BareRows& rows() const { return rows_; }
  bool has_to_apply() const { return !to_apply_.empty(); }

  // ---- what came out; tests take it ----
  std::vector<Outgoing> outbox;
  std::deque<BareWrite> writes;
  std::vector<ReadReady> reads;
  std::vector<ChosenDecree> chosen;  // every decree handed out in this life
  std::optional<SnapshotNeed> snapshot;
  std::vector<Role> leadership_changes;  // the role at each Output::leadership_changed
  Instant wake_at = kNever;
  bool apply_at_once = true;

 private:
  Member self_;
  Options options_;
  std::uint64_t seed_;
  Invariants* invariants_;
  BareDisk disk_;
  std::optional<Replica> replica_;
  std::deque<ChosenDecree> to_apply_;
  Slot applied_;
  Config applied_config_;
  BareRows rows_;
};

Member MemberOf(std::uint64_t id);
Config GenesisOf(std::vector<std::uint64_t> voters, std::vector<std::uint64_t> learners = {});
Decree Command(const std::string& payload);
Decree SealOf(MoveId move, std::vector<std::uint64_t> voters,
              std::vector<std::uint64_t> learners = {});
Decree AddLearnerOf(MoveId move, std::uint64_t id);
Decree RemoveLearnerOf(MoveId move, std::uint64_t id);

}  // namespace decree::consensus::testing
