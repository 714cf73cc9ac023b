// One replica of one shard: Multi-Paxos with epochs, learners and Seal (PROTOCOL.md). Pure: an
// event in, an Output out. No clock, no thread, no I/O; randomness from a seed. Copyable and
// hashable, so that a model checker can branch on it. ShardHost is its only caller.
//
// The host calls one event function, then takes the output before the next event.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "consensus/output.h"
#include "kv/base/random.h"
#include "kv/base/time.h"

namespace decree::consensus {

struct Options {
  Duration heartbeat = 50ms;
  Duration election_min = 250ms;  // randomised per attempt in [min, max]
  Duration election_max = 500ms;
  // Leases (PROTOCOL.md says what they assume of clocks). Off: this replica asks for none and
  // grants none. `lease` counts all the same: a restarted replica promises nothing before it is
  // over, as it may have granted one in its life before. A lease not shorter than election_min is
  // not used.
  bool leases = true;
  Duration lease = 200ms;
  std::uint32_t lease_drift_ppm = 10'000;  // rho: by how much two clocks' rates may differ
  Duration lease_margin = 1ms;             // epsilon: what else a holder takes off its lease
  // A shard with several voters that had nothing to do for so long sleeps, if all of them agree;
  // zero: never. The leader of a sleeping shard may be dead without anybody noticing: see Wake.
  Duration sleep_after = 10s;
  std::size_t max_inflight = 64;          // slots proposed and not yet chosen
  std::size_t max_page_bytes = 1u << 20;  // of a Promise, Accept or Learned message
};

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

enum class ProposeCode : std::uint8_t {
  kProposed,  // `slot` is set; the fate of the slot is seen in Output::chosen
  kNotLeader,
  kNotReady,  // leader, but its barrier is not chosen yet, or it is handing over: try again later
  kFull,      // max_inflight slots are open
  kNotNow,    // membership decree: another one is open, or the pipeline is not drained (Seal)
  kRefused,   // does not fit the configuration; `detail` says why; do not retry
};
struct ProposeResult {
  ProposeCode code = ProposeCode::kNotLeader;
  Slot slot;
  const char* detail = "";
};

struct ModelAccess;  // tests/model: takes clocks and counters out of a state, so that states repeat

class Replica {
 public:
  // A replica that was never a member of anything (a learner shell) has an empty Config: it only
  // learns.
  Replica(ReplicaId self, Recovered recovered, Options options, std::uint64_t seed, Instant now);

  // ---- events ----
  void Tick(Instant now);
  void Receive(Instant now, const Member& from, Message message);
  ProposeResult Propose(Instant now, Decree decree);
  // Step 7 of the Seal: from now on Propose refuses commands with kNotReady, so that the pipeline
  // drains; Propose(Seal) is taken once all below is chosen and applied. Resume takes it back.
  void HoldProposals();
  void ResumeProposals();
  void RequestRead(Instant now, ReadId id);  // linearizable: answered in Output::reads
  void TransferLeadership(Instant now, ReplicaId target);
  // Whoever is asleep has no timer and holds no lease; what concerns the shard wakes it: messages,
  // proposals, reads. A follower hears of neither a dead leader nor a client that looks for one, so
  // its host wakes it when a client asks here, or when the leader's node is lost. It calls the
  // leader, and campaigns if it hears nothing. Nothing happens if the replica is awake.
  void Wake(Instant now);
  void Persisted(Instant now, PersistId id);  // in order
  void Applied(Instant now, Slot slot);       // in order; everything <= slot is applied
  // The rows hold everything <= slot durably; the log may forget slots <= slot (P10). Memory
  // follows.
  void Trim(Slot slot);
  // A snapshot at `applied` with `config` was installed durably in place of older rows. Ignored if
  // not ahead of what is chosen here. Promise and votes above it survive.
  void InstalledSnapshot(Instant now, Slot applied, Config config);

  Output TakeOutput();

  // ---- facts, for the host, status pages and checkers ----
  ReplicaId self() const;
  Role role() const;
  bool ReadyLeader() const;  // leader with its barrier chosen: serves reads and writes
  const Ballot& promised() const;
  const Config& config() const;  // as of chosen()
  Slot chosen() const;
  Slot durable_chosen() const;
  Slot applied() const;
  Slot trimmed() const;
  std::size_t log_bytes() const;  // of decrees held in memory
  std::size_t LogBytesAbove(Slot slot) const;
  std::size_t LogBytesAt(Slot slot) const;
  std::size_t inflight() const;
  std::optional<Member> leader() const;  // last heard of; this replica itself when it leads
  std::optional<Slot> DurableChosenOf(
      ReplicaId member) const;                             // leader only: last report of a member
  std::optional<Instant> HeardAt(ReplicaId member) const;  // leader only: of that report
  bool HandingOver() const;                                // leader with a transfer under way
  // A ready leader that may serve reads by itself, without a round: until then, on its clock.
  std::optional<Instant> LeaseUntil() const;
  bool asleep() const;
  std::optional<ChosenDecree> ChosenAt(Slot slot) const;  // above trimmed and <= chosen
  const Vote* VoteAt(Slot slot) const;                    // for checkers
  std::uint64_t StateHash() const;

  Replica(const Replica&);
  Replica& operator=(const Replica&);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

 private:
  friend struct ModelAccess;
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace decree::consensus
