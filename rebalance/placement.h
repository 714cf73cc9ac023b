// The placement group's replicated state: nodes, disks, shards, moves, settings and the decree log.
// It changes only by commands chosen in the placement group's log; applying is deterministic.
// Reports, liveness and plans are not in it: those belong to the placement leader and are volatile.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "consensus/membership.h"
#include "kv/api/command.h"
#include "kv/api/shard_map.h"
#include "kv/base/codec.h"
#include "kv/base/ids.h"

namespace decree::rebalance {

enum class NodeState : std::uint8_t { kUp, kDead, kDraining, kDrained, kRemoved, kMax = kRemoved };
enum class DiskState : std::uint8_t { kOk, kFailed, kMax = kFailed };

// Stages of a move, in order (contract.md); kRolledBack is the other end.
enum class Stage : std::uint8_t {
  kIntent,
  kAddLearner,
  kSnapshot,
  kCatchUp,
  kVerify,
  kSeal,
  kActivate,
  kPublish,
  kCleanUp,
  kDone,
  kRolledBack,
  kMax = kRolledBack
};
std::string_view StageName(Stage stage);  // "add_learner"
inline bool IsFinal(Stage s) { return s == Stage::kDone || s == Stage::kRolledBack; }

struct DiskRecord {
  Incarnation incarnation;
  std::string path;
  std::uint64_t capacity_bytes = 0;
  DiskState state = DiskState::kOk;
  // Failed because its node has not named it since then; 0: the node has named it last time. It may
  // come back, so its copies are replaced only after the delay of a dead node.
  WallMs missing_since_ms = 0;
  DECREE_FIELDS(incarnation, path, capacity_bytes, state, missing_since_ms)
};

struct NodeRecord {
  NodeId id;
  std::string name;
  std::string rpc;
  std::string http;
  std::string zone;
  NodeState state = NodeState::kUp;
  std::vector<DiskRecord> disks;  // index = disk id of contract.md
  // When it was declared dead; 0: it is not. A node that dies while it is drained stays kDraining,
  // so that its drain goes on to its end; one that was up is kDead.
  WallMs dead_since_ms = 0;
  // Until then it is under maintenance: it gives up its leaderships and takes none, nor new copies,
  // and those it has are not replaced should it be away.
  WallMs maintained_until_ms = 0;
  bool dead() const { return dead_since_ms != 0; }
  bool maintained(WallMs now) const { return now < maintained_until_ms; }
  DECREE_FIELDS(id, name, rpc, http, zone, state, disks, dead_since_ms, maintained_until_ms)
};

struct ShardRecord {
  ShardEntry entry;        // epoch and replicas as last published
  ReplicaId last_replica;  // highest replica id ever given out in this shard
  MoveId active_move;      // 0: none
  DECREE_FIELDS(entry, last_replica, active_move)
};

// Why a move was proposed; the queue order is repair, drain, balance.
enum class MoveCause : std::uint8_t {
  kFill,
  kRepair,
  kDrain,
  kBalance,
  kOperator,
  kMax = kOperator
};

// A move brings `target` to the shard and, if `source` is set, takes that replica away in the same
// Seal. Without a source it fills up: the target stays a learner until enough are caught up for an
// odd number of voters; the move that completes the set seals it (1 -> 3 is one Seal). Without a
// target it sheds a copy too many: nothing is brought, its Seal comes first.
struct MoveRecord {
  MoveId id;
  ShardId shard;
  Epoch epoch;          // compare-and-set: the epoch the intent was made for
  ReplicaPlace source;  // replica 0: fill-up
  ReplicaPlace target;
  Stage stage = Stage::kIntent;
  bool cancelled = false;  // an operator or a rule asked for rollback; the shard's log decides
  bool paused = false;     // rests until it is resumed or cancelled, if its switch is not decided
  MoveCause cause = MoveCause::kBalance;
  std::string reason;
  std::string error;
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;
  std::optional<std::uint64_t> switch_pause_ms;  // none: not known
  std::string digest;
  WallMs created_ms = 0;
  WallMs finished_ms = 0;
  bool approved = false;  // of an approved plan
  bool fills() const { return !source.replica; }
  bool sheds() const { return !target.replica; }
  DECREE_FIELDS(id, shard, epoch, source, target, stage, cancelled, paused, cause, reason, error,
                bytes_total, bytes_done, switch_pause_ms, digest, created_ms, finished_ms, approved)
};

struct DecreeRecord {
  std::uint64_t slot = 0;
  WallMs time_ms = 0;
  std::string kind;  // "move_intent", "node_join"...
  std::optional<ShardId> shard;
  MoveId move;
  NodeId proposer;
  std::string reason;
  std::string outcome;  // "ok" or why it was refused
  DECREE_FIELDS(slot, time_ms, kind, shard, move, proposer, reason, outcome)
};

struct Settings {
  bool rebalance = true;
  bool repair = true;
  bool drain = true;
  std::uint32_t replicas = 3;
  std::uint32_t threshold_percent = 5;
  std::uint64_t move_rate_bytes_per_s = std::uint64_t{64} << 20;
  std::uint32_t moves_per_disk = 2;
  std::uint64_t dead_node_delay_s = 300;
  std::uint64_t switch_wait_ms = 200;
  std::uint64_t move_stall_s = 60;  // a move without progress for so long is given up
  bool operator==(const Settings&) const = default;
  DECREE_FIELDS(rebalance, repair, drain, replicas, threshold_percent, move_rate_bytes_per_s,
                moves_per_disk, dead_node_delay_s, switch_wait_ms, move_stall_s)
};

// ---- commands ----

// First decree of a cluster: node 1 holds one replica (id 1, epoch 1) of every shard and of
// placement.
struct Bootstrap {
  ClusterId cluster;
  std::uint32_t shards = 64;
  std::uint32_t replicas = 3;
  NodeRecord first;
  DECREE_FIELDS(cluster, shards, replicas, first)
};
// A node that joins (id 0: one is given; the same first disk incarnation gets the same id again) or
// comes back with new addresses or disks. Answer: the node id in `version`.
struct RegisterNode {
  NodeRecord node;
  DECREE_FIELDS(node)
};
struct SetNodeState {
  NodeId node;
  NodeState state = NodeState::kUp;
  std::string reason;
  DECREE_FIELDS(node, state, reason)
};
// Maintenance for so long, by replicated time; 0 ends it.
struct Maintain {
  NodeId node;
  std::uint64_t for_ms = 0;
  std::string reason;
  DECREE_FIELDS(node, for_ms, reason)
};
// Compare-and-set on the epoch; one active move a shard. The target replica id is given out here. A
// fill-up to a node that holds a learner of the shard already promotes that learner: no new
// replica. Answer: the move id in `version`.
struct StartMove {
  ShardId shard;
  Epoch epoch;
  ReplicaId source;     // 0: fill-up
  NodeId to;            // 0: sheds `source`, if the shard has more copies than it should
  Incarnation to_disk;  // 0: the node's first good disk
  MoveCause cause = MoveCause::kOperator;
  std::string reason;
  bool operator==(const StartMove&) const = default;
  DECREE_FIELDS(shard, epoch, source, to, to_disk, cause, reason)
};
// The move reached `stage`; refused unless it is a legal successor of the present one, and a repeat
// changes nothing. kPublish, and kRolledBack of a promotion, carry what the shard's own log says
// its members are now.
struct AdvanceMove {
  MoveId move;
  Stage stage = Stage::kIntent;
  std::string note;  // error for kRolledBack; digest for kSeal, or for kPublish of a learner
  std::uint64_t bytes_total = 0;
  std::optional<std::uint64_t> switch_pause_ms;
  std::optional<consensus::Config> members;
  DECREE_FIELDS(move, stage, note, bytes_total, switch_pause_ms, members)
};
struct CancelMove {
  MoveId move;
  std::string reason;
  DECREE_FIELDS(move, reason)
};
// A paused move takes no further step and no further rows until it is resumed; a cancel ends the
// pause, too.
struct PauseMove {
  MoveId move;
  bool paused = true;  // false: resume
  std::string reason;
  DECREE_FIELDS(move, paused, reason)
};
// A plan that was shown shall run as such, whatever the planner is allowed by the settings: each
// move starts when there is room, if its shard is still in the epoch it was planned for. It takes
// the place of an earlier plan; one without moves ends it.
struct ApprovePlan {
  std::uint64_t plan = 0;  // its number, for the audit log
  std::vector<StartMove> moves;
  DECREE_FIELDS(plan, moves)
};
// Only the fields that are named change, so that two changes of different fields never undo each
// other.
struct ChangeSettings {
  std::optional<bool> rebalance = {};
  std::optional<bool> repair = {};
  std::optional<bool> drain = {};
  std::optional<std::uint32_t> replicas = {};
  std::optional<std::uint32_t> threshold_percent = {};
  std::optional<std::uint64_t> move_rate_bytes_per_s = {};
  std::optional<std::uint32_t> moves_per_disk = {};
  std::optional<std::uint64_t> dead_node_delay_s = {};
  std::optional<std::uint64_t> switch_wait_ms = {};
  std::optional<std::uint64_t> move_stall_s = {};
  DECREE_FIELDS(rebalance, repair, drain, replicas, threshold_percent, move_rate_bytes_per_s,
                moves_per_disk, dead_node_delay_s, switch_wait_ms, move_stall_s)
};
using PlacementChange = std::variant<Bootstrap, RegisterNode, SetNodeState, StartMove, AdvanceMove,
                                     CancelMove, ChangeSettings, PauseMove, Maintain, ApprovePlan>;
struct PlacementCommand {
  NodeId proposer;
  PlacementChange change;
  DECREE_FIELDS(proposer, change)
};

inline constexpr std::size_t kKeptMoves = 10'000;
inline constexpr std::uint64_t kLongestMaintenanceMs = 24ull * 3600 * 1000;
inline constexpr std::size_t kKeptDecrees = 100'000;
inline constexpr std::size_t kMostApproved = 10'000;
inline constexpr std::uint32_t kPlacementCopies = 3;

// Copies a shard should have: the setting, and always 3 for the placement group.
std::uint32_t WantedCopies(const Settings& settings, ShardId shard);
// The disk that holds the first replica of a shard after Bootstrap: shards go round the disks, the
// placement group lives on the first.
Incarnation BootstrapDisk(const NodeRecord& first, ShardId shard);
// True if a move may go from its present stage to `next` (MOVES.md has the table).
bool IsLegalSuccessor(const MoveRecord& move, Stage next);
// Where a decree stands in the audit log: a slot may hold several commands.
using DecreeKey = std::pair<std::uint64_t, std::uint32_t>;  // slot, position among its commands

class PlacementState {
 public:
  // Applies one chosen command. The result is deterministic; refusals are results too and are
  // logged.
  CommandResult Apply(Slot slot, WallMs time_ms, const PlacementCommand& command);

  ClusterId cluster() const { return cluster_; }
  bool bootstrapped() const { return static_cast<bool>(cluster_); }
  std::uint64_t version() const { return version_; }  // slot of the last change of the shard map
  const Settings& settings() const { return settings_; }
  const std::map<NodeId, NodeRecord>& nodes() const { return nodes_; }
  const std::vector<ShardRecord>& shards() const { return shards_; }
  const ShardRecord& placement() const { return placement_; }
  const ShardRecord* Shard(ShardId id) const;  // placement too
  const std::map<MoveId, MoveRecord>& moves() const { return moves_; }
  std::vector<const MoveRecord*> ActiveMoves() const;
  bool Moving() const;  // some move is active and not paused
  // Moves of an approved plan that were neither started nor refused yet, in its order.
  const std::map<std::uint64_t, StartMove>& approved() const { return approved_; }
  const std::map<DecreeKey, DecreeRecord>& decrees() const { return decrees_; }
  ShardMap Map() const;

  const MoveRecord* Move(MoveId id) const;
  const NodeRecord* Node(NodeId id) const;
  // Why a replica there will not answer soon: its node is unknown, removed or dead, its disk is
  // unknown or has failed. Empty if it may answer.
  std::string WhyGone(const ReplicaPlace& place) const;
  // Why a drain of this node could not end well; empty if it can.
  std::string DrainProblem(NodeId id) const;
  // A replica of some shard lives there, or a move is bringing one.
  bool HoldsReplicas(NodeId id) const;

  // ---- rows: the state is stored as rows of the placement replica's engine ----
  // Rows changed since the last call, key -> encoded value (none: deleted). Keys start with "p".
  std::vector<std::pair<std::string, std::optional<std::string>>> TakeChangedRows();
  // Rebuilds from rows; kCorruption on a row that does not decode.
  static Result<PlacementState> FromRows(
      const std::vector<std::pair<std::string, std::string>>& rows);

 private:
  struct Moment {
    Slot slot;
    WallMs time_ms = 0;
  };
  CommandResult On(const Bootstrap& change, const Moment& now);
  CommandResult On(const RegisterNode& change, const Moment& now);
  CommandResult On(const SetNodeState& change, const Moment& now);
  CommandResult On(const StartMove& change, const Moment& now);
  CommandResult On(const AdvanceMove& change, const Moment& now);
  CommandResult On(const CancelMove& change, const Moment& now);
  CommandResult On(const ChangeSettings& change, const Moment& now);
  CommandResult On(const PauseMove& change, const Moment& now);
  CommandResult On(const Maintain& change, const Moment& now);
  CommandResult On(const ApprovePlan& change, const Moment& now);
  CommandResult Start(const StartMove& change, ShardRecord& shard, bool approved,
                      const Moment& now);
  bool ForgetApproved(const StartMove& change);  // whether it was approved
  void FollowEpoch(const MoveRecord& move, Epoch next);

  CommandResult DeclareDead(NodeRecord& node, const Moment& now);
  CommandResult AddNode(const NodeRecord& node, const Moment& now);
  CommandResult UpdateNode(NodeRecord& known, const NodeRecord& told, const Moment& now);
  NodeRecord* FindRegistered(const NodeRecord& told);
  Status ChoosePlaces(const StartMove& change, const ShardRecord& shard, MoveRecord& move) const;
  Status ChooseTarget(const StartMove& change, const ShardRecord& shard, MoveRecord& move) const;
  Result<Incarnation> ChooseDisk(const StartMove& change, const ReplicaPlace* source) const;
  Status Publish(const MoveRecord& move, const consensus::Config& members, const Moment& now);
  ReplicaPlace PlaceOf(const ShardRecord& shard, const MoveRecord& move,
                       const consensus::Member& member) const;
  std::size_t CopiesOf(const ShardRecord& shard) const;  // one that a fill-up brings too
  void EndMove(MoveRecord& move, const Moment& now);
  void Record(DecreeRecord record);
  void ForgetOldMoves();

  ShardRecord* MutableShard(ShardId id);
  void TouchHead();
  void TouchNode(NodeId id);
  void TouchShard(ShardId id);
  void TouchMove(MoveId id);
  void TouchApproved(std::uint64_t number);
  void TouchMap(const Moment& now);
  std::optional<std::string> EncodeRow(const std::string& key) const;
  bool DecodeRow(const std::string& key, const std::string& value);
  bool Settle();  // after all rows are decoded: derived facts; false if rows are missing

  ClusterId cluster_;
  std::uint64_t version_ = 0;
  Settings settings_;
  std::map<NodeId, NodeRecord> nodes_;
  std::vector<ShardRecord> shards_;
  ShardRecord placement_;
  std::map<MoveId, MoveRecord> moves_;
  MoveId last_move_;
  std::map<std::uint64_t, StartMove> approved_;
  std::map<DecreeKey, DecreeRecord> decrees_;
  std::set<MoveId> active_;  // derived: moves that have not ended
  std::set<std::string> changed_;
};

}  // namespace decree::rebalance
