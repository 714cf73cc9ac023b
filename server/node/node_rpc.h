// Bodies of the calls between nodes (kv/api/rpc.h names the methods).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consensus/decree.h"
#include "consensus/membership.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "kv/base/codec.h"
#include "kv/store/engine.h"
#include "rebalance/move.h"
#include "rebalance/placement.h"
#include "server/node/move_gate.h"

namespace decree::node {

// kJoin -> JoinAnswer; at the placement leader (others answer kNotLeader with a hint).
struct JoinRequest {
  rebalance::NodeRecord node;  // id 0: new
  ClusterId cluster;           // 0: new; else must match
  DECREE_FIELDS(node, cluster)
};
struct JoinAnswer {
  NodeId node;
  ShardMap map;
  DECREE_FIELDS(node, map)
};

// kGather -> GatherAnswer; from nodes that have no cluster yet, too (gathering.h).
struct GatherAnswer {
  ClusterId cluster;     // set: there is a cluster to join
  bool gathers = false;  // waits, as the asker does, for enough nodes to found one
  Incarnation token;     // of its first disk: who it is, however its address is spelled
  std::string address;   // as it is advertised
  DECREE_FIELDS(cluster, gathers, token, address)
};

// kReport -> ReportAnswer; every report_every, to the placement leader.
struct ReplicaReport {
  ReplicaKey key;
  Incarnation disk;
  bool leader = false;
  bool voter = false;
  Epoch epoch;
  Slot applied;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
  double ops_per_s = 0;
  DECREE_FIELDS(key, disk, leader, voter, epoch, applied, keys, bytes, ops_per_s)
};
struct DiskReport {
  Incarnation incarnation;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
  bool failed = false;
  DECREE_FIELDS(incarnation, capacity_bytes, used_bytes, failed)
};
struct NodeReport {
  rebalance::NodeRecord node;
  std::vector<DiskReport> disks;
  std::vector<ReplicaReport> replicas;
  std::uint64_t map_version = 0;  // what this node has
  DECREE_FIELDS(node, disks, replicas, map_version)
};
struct ReportAnswer {
  std::optional<ShardMap> map;  // set if newer than the reporter's
  std::vector<NodeId> silent;   // have not reported for suspect_after: whom they lead may sleep
  std::uint64_t move_rate_bytes_per_s = 0;  // the setting; 0: no limit
  DECREE_FIELDS(map, silent, move_rate_bytes_per_s)
};

// kCreateReplica -> empty. Durably creates a learner shell; doing it again is fine. Refused
// (kImpossible) at or below the tombstone, or when no working disk has that incarnation. kOk: the
// replica is open.
struct CreateReplica {
  ReplicaKey key;
  Incarnation disk;
  MoveId move;
  std::uint64_t bytes = 0;  // of rows that it is to get, as far as is known: refused without room
  DECREE_FIELDS(key, disk, move, bytes)
};
// kDestroyReplica -> empty. Durably marks this replica, and no other, as removed and writes the
// tombstone; then removes the rows. Again is fine, and so is a replica that never came.
struct DestroyReplica {
  ReplicaKey key;
  MoveId move;
  DECREE_FIELDS(key, move)
};
// kReplicaStatus -> rebalance::ReplicaStatus.
enum class FetchPace : std::uint8_t {
  kUsual,
  kUrgent,  // it repairs: gives less way to other work
  kHeld,    // its move is paused: no more rows for now
  kMax = kHeld
};
struct StatusRequest {
  // Replica 0: whatever replica of the shard this node has, the leader if there is one.
  ReplicaKey key;
  // From whoever drives a move to the target: how fast it takes rows of a snapshot.
  std::optional<FetchPace> pace = {};
  DECREE_FIELDS(key, pace)
};

// kChangeMembers -> ChangeAnswer, at the shard's leader; answered when the decree is chosen.
enum class ChangeKind : std::uint8_t {
  kAddLearner,
  kRemoveLearner,
  kSeal,
  kTransferLeader,
  kMax = kTransferLeader
};
struct ChangeMembers {
  ChangeKind kind = ChangeKind::kAddLearner;
  MoveId move;
  Epoch epoch;               // refused (kConflict) unless this is the leader's epoch
  consensus::Member member;  // the learner; kTransferLeader: the target
  std::vector<consensus::Member> next_voters;
  std::vector<consensus::Member> next_learners;
  std::uint64_t wait_ms = 200;  // kSeal: how long writes may be held before it is given up
  DECREE_FIELDS(kind, move, epoch, member, next_voters, next_learners, wait_ms)
};

// kSnapshotOpen -> SnapshotInfo: freezes the rows of a replica and names the files. A leader may
// name a follower that is to be asked instead; until the id it gave is closed, it keeps the log
// above `at_least`.
struct SnapshotOpen {
  ReplicaKey key;
  ReplicaId reader;     // the replica that is to be filled
  bool here = false;    // do not name another
  ReplicaId avoid;      // nor ever this one: it was tried
  bool chunks = false;  // do not send the files with the answer: that did not arrive in time
  Slot at_least;        // refused (kUnavailable) if the rows hold less
  DECREE_FIELDS(key, reader, here, avoid, chunks, at_least)
};
struct SnapshotInfo {
  std::uint64_t id = 0;  // 0: nothing stays open
  Slot at_least;         // the rows cover at least this slot; the exact one is read from the rows
  std::vector<store::SnapshotFile> files;
  bool reader_votes = false;          // as its source knows, which is ahead of it
  consensus::Member instead;          // ask this one; id 0: the files are here
  std::string directory;              // where they are, for a reader on the same node; else empty
  std::vector<std::string> contents;  // of each file, if all of them are small; else empty
  DECREE_FIELDS(id, at_least, files, reader_votes, instead, directory, contents)
};
// kSnapshotRead -> raw bytes (their XXH3-64 first, 8 bytes little endian).
struct SnapshotRead {
  std::uint64_t id = 0;
  std::string file;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  Lane lane = Lane::kUsual;
  DECREE_FIELDS(id, file, offset, size, lane)
};
// kRelay -> what the call is answered: carried on to a node that the caller does not reach itself
// (relay.h). Refused (kInvalidArgument) for a call that is to be carried on again.
struct RelayedCall {
  NodeId to;
  RpcRequest request;
  DECREE_FIELDS(to, request)
};

// kSnapshotClose -> empty; at every end of a fetch, after the rows are installed if it succeeded.
struct SnapshotClose {
  std::uint64_t id = 0;
  DECREE_FIELDS(id)
};

}  // namespace decree::node
