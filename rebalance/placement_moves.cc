// Moves: one a shard at a time, made for an epoch, through the stages of MOVES.md.
#include <algorithm>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

std::string NodeName(NodeId id) { return "node " + ToString(id); }
std::string ShardName(ShardId id) {
  return id == kPlacementShard ? "the placement group" : "shard " + ToString(id);
}

const ReplicaPlace* FindReplica(const ShardRecord& shard, ReplicaId id) {
  for (const ReplicaPlace& place : shard.entry.replicas) {
    if (place.replica == id) return &place;
  }
  return nullptr;
}

const ReplicaPlace* FindOnNode(const ShardRecord& shard, NodeId node) {
  for (const ReplicaPlace& place : shard.entry.replicas) {
    if (place.node == node) return &place;
  }
  return nullptr;
}

Error Impossible(std::string reason) { return Error(Errc::kImpossible, std::move(reason)); }

}  // namespace

bool IsLegalSuccessor(const MoveRecord& move, Stage next) {
  switch (next) {
    case Stage::kIntent:
      return false;
    case Stage::kAddLearner:
      return move.stage == Stage::kIntent && !move.sheds();
    case Stage::kSnapshot:
      return move.stage == Stage::kAddLearner;
    case Stage::kCatchUp:
      return move.stage == Stage::kSnapshot;
    case Stage::kVerify:
      return move.stage == Stage::kCatchUp;
    case Stage::kSeal:
      return move.stage == (move.sheds() ? Stage::kIntent : Stage::kVerify);
    case Stage::kActivate:
      return move.stage == Stage::kSeal;
    case Stage::kPublish:  // a fill-up that does not complete the set stays a learner: no Seal
      return move.stage == Stage::kActivate || (move.fills() && move.stage == Stage::kVerify);
    case Stage::kCleanUp:
      return !move.fills() && move.stage == Stage::kPublish;
    case Stage::kDone:
      return move.stage == (move.fills() ? Stage::kPublish : Stage::kCleanUp);
    case Stage::kRolledBack:  // after the Seal there is only forward (design.md section 4, step 13)
      return move.stage <= Stage::kSeal;
  }
  return false;
}

Result<Incarnation> PlacementState::ChooseDisk(const StartMove& change,
                                               const ReplicaPlace* source) const {
  const NodeRecord& node = nodes_.at(change.to);
  const bool same_node = source && source->node == change.to;
  for (const DiskRecord& disk : node.disks) {
    if (change.to_disk && disk.incarnation != change.to_disk) continue;
    if (same_node && disk.incarnation == source->disk) {
      if (change.to_disk) return Impossible("the replica is on that disk already");
      continue;
    }
    if (disk.state == DiskState::kOk) return disk.incarnation;
    if (change.to_disk) return Impossible("that disk of " + NodeName(change.to) + " has failed");
  }
  if (change.to_disk) return Impossible(NodeName(change.to) + " has no such disk");
  return Impossible(NodeName(change.to) +
                    (same_node ? " has no other good disk" : " has no good disk"));
}

Status PlacementState::ChoosePlaces(const StartMove& change, const ShardRecord& shard,
                                    MoveRecord& move) const {
  if (change.source) {
    const ReplicaPlace* source = FindReplica(shard, change.source);
    if (!source) {
      return Impossible(ShardName(change.shard) + " has no replica " + ToString(change.source));
    }
    move.source = *source;
  }
  if (change.to) return ChooseTarget(change, shard, move);
  if (!change.source) return Impossible("a move without a source names a node");
  const std::uint32_t wanted = WantedCopies(settings_, change.shard);
  if (shard.entry.replicas.size() > wanted) return {};
  return Impossible(ShardName(change.shard) + " has no more than its " + std::to_string(wanted) +
                    " copies");
}

Status PlacementState::ChooseTarget(const StartMove& change, const ShardRecord& shard,
                                    MoveRecord& move) const {
  const ReplicaPlace* source = change.source ? FindReplica(shard, change.source) : nullptr;
  const NodeRecord* node = Node(change.to);
  if (!node) return Impossible("no " + NodeName(change.to));
  if (node->state == NodeState::kRemoved) return Impossible(NodeName(change.to) + " was removed");
  if (node->state != NodeState::kUp && !(source && source->node == change.to)) {
    return Impossible(NodeName(change.to) +
                      (node->state == NodeState::kDead ? " is dead" : " is being drained"));
  }
  const ReplicaPlace* held = FindOnNode(shard, change.to);
  if (held && !source && !held->voter) {  // a learner that waits for its vote: promote it
    SOMETIMES(placement_learner_promoted);
    move.target = *held;
    return {};
  }
  if (held && held != source) {
    return Impossible(NodeName(change.to) + " already holds a replica of " +
                      ShardName(change.shard));
  }
  if (!source && shard.entry.replicas.size() >= WantedCopies(settings_, change.shard)) {
    return Impossible(ShardName(change.shard) + " has all its copies");
  }
  const Result<Incarnation> disk = ChooseDisk(change, source);
  if (!disk) return disk.error();
  move.target = {shard.last_replica.Next(), change.to, *disk, true};
  return {};
}

CommandResult PlacementState::On(const ApprovePlan& change, const Moment&) {
  if (change.moves.size() > kMostApproved) {
    return Refuse(Errc::kInvalidArgument,
                  "a plan has at most " + std::to_string(kMostApproved) + " moves");
  }
  for (const StartMove& move : change.moves) {
    if (Shard(move.shard)) continue;
    return Refuse(Errc::kInvalidArgument, "no " + ShardName(move.shard));
  }
  for (const auto& [number, move] : approved_) TouchApproved(number);
  approved_.clear();
  for (const StartMove& move : change.moves) {
    TouchApproved(approved_.size());
    approved_.emplace(approved_.size(), move);
  }
  return Accept(change.plan);
}

bool PlacementState::ForgetApproved(const StartMove& change) {
  const auto forgotten = std::erase_if(approved_, [&](const auto& item) {
    if (item.second != change) return false;
    TouchApproved(item.first);
    return true;
  });
  return forgotten > 0;
}

// A plan may have several moves of one shard: the next one is meant for the epoch that its
// predecessor brings, and for no other.
void PlacementState::FollowEpoch(const MoveRecord& move, Epoch next) {
  if (!move.approved) return;
  for (auto& [number, later] : approved_) {
    if (later.shard != move.shard || later.epoch != move.epoch) continue;
    later.epoch = next;
    TouchApproved(number);
  }
}

CommandResult PlacementState::On(const StartMove& change, const Moment& now) {
  ShardRecord* shard = MutableShard(change.shard);
  if (!shard) return Refuse(Errc::kImpossible, "no " + ShardName(change.shard));
  if (shard->active_move && !DECREE_BUG_SECOND_MOVE_TAKEN) {
    SOMETIMES(placement_second_move_refused);
    return Refuse(Errc::kConflict, "move " + ToString(shard->active_move) + " of " +
                                       ShardName(change.shard) + " is running");
  }
  const bool approved = ForgetApproved(change);  // started or refused: its turn is over
  if (shard->entry.epoch != change.epoch) {
    SOMETIMES(placement_move_for_an_old_epoch_refused);
    return Refuse(Errc::kConflict, ShardName(change.shard) + " is in epoch " +
                                       ToString(shard->entry.epoch) + ", not " +
                                       ToString(change.epoch));
  }
  return Start(change, *shard, approved, now);
}

CommandResult PlacementState::Start(const StartMove& change, ShardRecord& shard, bool approved,
                                    const Moment& now) {
  MoveRecord move;
  if (const Status chosen = ChoosePlaces(change, shard, move); !chosen) {
    return Refuse(chosen.error());
  }
  if (!DECREE_BUG_MOVE_ID_REUSED || !last_move_) last_move_ = last_move_.Next();
  move.id = last_move_;
  move.shard = change.shard;
  move.epoch = change.epoch;
  move.cause = change.cause;
  move.reason = change.reason;
  move.created_ms = now.time_ms;
  move.approved = approved;
  if (!DECREE_BUG_REPLICA_ID_REUSED) {
    shard.last_replica = std::max(shard.last_replica, move.target.replica);
  }
  shard.active_move = move.id;
  active_.insert(move.id);
  moves_.emplace(move.id, std::move(move));
  TouchMove(last_move_);
  TouchShard(change.shard);
  TouchHead();
  ForgetOldMoves();
  return Accept(last_move_.value);
}

void PlacementState::ForgetOldMoves() {
  for (auto it = moves_.begin(); moves_.size() > kKeptMoves && it != moves_.end();) {
    if (!IsFinal(it->second.stage)) {
      ++it;
      continue;
    }
    TouchMove(it->first);
    it = moves_.erase(it);
  }
}

// The shard's log names members and nodes; which disk holds one is known from the moves.
ReplicaPlace PlacementState::PlaceOf(const ShardRecord& shard, const MoveRecord& move,
                                     const consensus::Member& member) const {
  if (const ReplicaPlace* known = FindReplica(shard, member.id)) return *known;
  if (move.target.replica == member.id) return move.target;
  for (const auto& [id, other] : moves_) {
    if (other.shard == move.shard && other.target.replica == member.id) return other.target;
  }
  return {member.id, member.node, Incarnation{}, true};
}

// The map follows the shard's own log, never the other way round.
Status PlacementState::Publish(const MoveRecord& move, const consensus::Config& members,
                               const Moment& now) {
  ShardRecord& shard = *MutableShard(move.shard);
  if (members.voters.empty() || members.epoch < shard.entry.epoch) {
    return Error(Errc::kConflict, "the members told are older than those published");
  }
  ShardEntry entry;
  entry.epoch = members.epoch;
  for (const consensus::Member& voter : members.voters) {
    entry.replicas.push_back(PlaceOf(shard, move, voter));
    entry.replicas.back().voter = true;
  }
  for (const consensus::Member& learner : members.learners) {
    entry.replicas.push_back(PlaceOf(shard, move, learner));
    entry.replicas.back().voter = false;
  }
  FollowEpoch(move, entry.epoch);
  if (entry == shard.entry) return {};
  shard.entry = std::move(entry);
  TouchShard(move.shard);
  TouchMap(now);
  return {};
}

void PlacementState::EndMove(MoveRecord& move, const Moment& now) {
  move.finished_ms = now.time_ms;
  if (move.stage == Stage::kDone) move.bytes_done = move.bytes_total;
  MutableShard(move.shard)->active_move = {};
  active_.erase(move.id);
  TouchShard(move.shard);
}

CommandResult PlacementState::On(const AdvanceMove& change, const Moment& now) {
  const auto found = moves_.find(change.move);
  if (found == moves_.end()) return Refuse(Errc::kNotFound, "no move " + ToString(change.move));
  MoveRecord& move = found->second;
  if (move.stage == change.stage) {
    SOMETIMES(placement_stage_reached_twice);
    return Accept(change.move.value, "it was there already");
  }
  if (!IsLegalSuccessor(move, change.stage)) {
    return Refuse(Errc::kConflict,
                  "move " + ToString(change.move) + " is at " + std::string(StageName(move.stage)));
  }
  if (move.cancelled && change.stage != Stage::kRolledBack && move.stage < Stage::kSeal) {
    return Refuse(Errc::kConflict, "move " + ToString(change.move) + " was cancelled");
  }
  if (move.paused && move.stage < Stage::kSeal) {
    SOMETIMES(placement_paused_move_stays);
    return Refuse(Errc::kConflict, "move " + ToString(change.move) + " is paused");
  }
  if (change.stage == Stage::kPublish && !change.members) {
    return Refuse(Errc::kInvalidArgument, "publishing needs the members");
  }
  if (change.members) {
    const Status published = Publish(move, *change.members, now);
    if (!published) return Refuse(published.error());
  }
  if (change.stage == Stage::kRolledBack && move.error.empty()) move.error = change.note;
  const bool verified = change.stage == Stage::kSeal ||
                        (change.stage == Stage::kPublish && move.stage == Stage::kVerify);
  if (verified) move.digest = change.note;
  if (change.bytes_total) move.bytes_total = change.bytes_total;
  if (change.switch_pause_ms) move.switch_pause_ms = change.switch_pause_ms;
  if (change.stage == Stage::kActivate && move.cancelled) {  // the shard's log decided for the move
    SOMETIMES(placement_cancel_overruled_by_the_log);
    move.cancelled = false;
    move.error.clear();
  }
  move.stage = change.stage;
  if (move.stage > Stage::kSeal) move.paused = false;  // its switch came first
  if (IsFinal(move.stage)) EndMove(move, now);
  TouchMove(move.id);
  return Accept(change.move.value);
}

CommandResult PlacementState::On(const CancelMove& change, const Moment&) {
  const auto found = moves_.find(change.move);
  if (found == moves_.end()) return Refuse(Errc::kNotFound, "no move " + ToString(change.move));
  MoveRecord& move = found->second;
  if (move.cancelled) return Accept(change.move.value, "it was cancelled already");
  if (IsFinal(move.stage)) {
    return Refuse(Errc::kConflict, "move " + ToString(change.move) + " has ended");
  }
  if (move.stage > Stage::kSeal) {
    return Refuse(Errc::kConflict, "the switch of move " + ToString(change.move) + " is decided");
  }
  move.cancelled = true;
  move.paused = false;
  move.error = change.reason.empty() ? "cancelled" : change.reason;
  TouchMove(move.id);
  return Accept(change.move.value);
}

CommandResult PlacementState::On(const PauseMove& change, const Moment&) {
  const auto found = moves_.find(change.move);
  if (found == moves_.end()) return Refuse(Errc::kNotFound, "no move " + ToString(change.move));
  MoveRecord& move = found->second;
  if (IsFinal(move.stage)) {
    return Refuse(Errc::kConflict, "move " + ToString(change.move) + " has ended");
  }
  if (move.paused == change.paused) {
    return Accept(change.move.value, change.paused ? "it was paused already" : "it was not paused");
  }
  if (move.stage > Stage::kSeal) {
    return Refuse(Errc::kConflict, "the switch of move " + ToString(change.move) + " is decided");
  }
  if (move.cancelled) {
    return Refuse(Errc::kConflict, "move " + ToString(change.move) + " was cancelled");
  }
  move.paused = change.paused;
  TouchMove(move.id);
  return Accept(change.move.value);
}

}  // namespace decree::rebalance
