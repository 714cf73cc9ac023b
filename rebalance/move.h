// What to do next for a move, given its record and what its replicas say of themselves. Pure and
// idempotent: asked again in the same situation it gives the same answer, so a new placement leader
// resumes where the old one was. MOVES.md has the table of stages with precondition, end and error
// edge.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "consensus/membership.h"
#include "kv/base/time.h"
#include "rebalance/placement.h"

namespace decree::rebalance {

struct ReplicaDigest {
  Slot slot;
  std::string digest;
  DECREE_FIELDS(slot, digest)
};

// What a node says of one replica (Method::kReplicaStatus).
struct ReplicaStatus {
  bool exists = false;
  ReplicaId tombstone;  // highest removed replica id of the shard on that node
  bool leader = false;  // ready leader
  std::optional<consensus::Member> leader_hint;
  consensus::Config config;  // as of chosen
  Slot chosen;
  Slot durable_chosen;
  Slot applied;
  bool epoch_started = false;  // EpochStart of config.epoch is chosen here (always true in epoch 1)
  bool has_snapshot = false;   // a learner that holds rows (installed, or followed from slot 1)
  std::uint64_t snapshot_bytes_total = 0;
  std::uint64_t snapshot_bytes_done = 0;
  std::uint64_t data_bytes = 0;
  std::uint64_t switch_pause_ms = 0;   // how long this replica held writes for a switch, last time
  Epoch switch_epoch;                  // the epoch in which it then let them go; 0: never
  std::vector<ReplicaDigest> digests;  // of the last few marks
  std::string problem;                 // why it cannot get on (its disk is full...); empty: it can
  DECREE_FIELDS(exists, tombstone, leader, leader_hint, config, chosen, durable_chosen, applied,
                epoch_started, has_snapshot, snapshot_bytes_total, snapshot_bytes_done, data_bytes,
                switch_pause_ms, switch_epoch, digests, problem)
};

// A target this close to the leader's chosen slot counts as caught up (design.md section 4, step
// 5).
inline constexpr std::uint64_t kCatchUpGap = 128;

// Everything known right now; missing: that node did not answer.
struct MoveView {
  std::optional<ReplicaStatus> source;
  std::optional<ReplicaStatus> target;
  std::optional<ReplicaStatus> leader;  // of the shard's ready leader
  std::optional<consensus::Member> leader_member;
  Slot mark;                          // slot of this move's kMark; 0: none yet
  std::uint32_t replicas_wanted = 3;  // settings.replicas
  std::uint64_t catch_up_gap = kCatchUpGap;
  // What the shard's other replicas say: which voter can take over, which learners are caught up.
  std::map<ReplicaId, ReplicaStatus> others;
  // Why a replica will not answer soon ("node 3 is dead", its disk has failed); empty: it may.
  std::map<ReplicaId, std::string> others_gone;
  std::string source_gone;
  std::string target_gone;
  std::string stalled;  // "no progress for 60 s: " and why; empty: it gets on
};

enum class ActionKind : std::uint8_t {
  kWait,           // nothing to do until something changes
  kCreateTarget,   // create the learner shell on target.node
  kAddLearner,     // ChangeMembers: AddLearner(target)
  kMark,           // write a kMark command, remember its slot as MoveView::mark
  kTransfer,       // transfer leadership to `to`
  kSeal,           // ChangeMembers: Seal(next_voters, next_learners)
  kRemoveLearner,  // ChangeMembers: RemoveLearner(target)
  kDestroyTarget,  // rollback: destroy the target replica, with tombstone
  kDestroySource,  // clean-up: destroy the source replica, with tombstone
  kAdvance,        // propose `advance` to the placement group
  kCancel,         // propose CancelMove with `why`: before the Seal, the move cannot succeed
};
struct Action {
  ActionKind kind = ActionKind::kWait;
  consensus::Member to;
  std::vector<consensus::Member> next_voters;
  std::vector<consensus::Member> next_learners;
  AdvanceMove advance;
  std::string why;  // for logs and tests
};

// What the replica says, against what the leader says.
inline bool IsCaughtUp(const ReplicaStatus& replica, const MoveView& view) {
  return replica.exists && replica.has_snapshot &&
         replica.durable_chosen.value + view.catch_up_gap >= view.leader->chosen.value;
}

Action NextAction(const MoveRecord& move, const MoveView& view);

}  // namespace decree::rebalance
