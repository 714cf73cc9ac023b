// The inside of Caller. An operation goes through phases:
//
//   needs map -> (writes) needs session -> sent -> answered
//                                          ^  |
//                                          |  v
//                                         paused
//
// caller.cc holds start and end, caller_attempts.cc what answers and silence mean,
// caller_routing.cc where an attempt goes, caller_sessions.cc the sessions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kv/api/alarms.h"
#include "kv/api/caller.h"
#include "kv/api/map_fetcher.h"

namespace decree {

inline constexpr std::size_t kMaxOperations = 65'536;  // of a caller
inline constexpr std::uint64_t kMaxOperationBytes = std::uint64_t{256} << 20;
// How far a shard's sequences run ahead of the oldest unanswered one: well below the results that a
// shard keeps for a session (store::SessionLimits).
inline constexpr std::uint64_t kMaxSessionWindow = 1'024;

// The exactly-once identity of this caller in one shard.
struct CallerSession {
  std::uint64_t client = 0;
  bool open = false;         // the shard answered kOpenSession
  std::uint64_t opened = 0;  // what it answered: SessionRef::opened
  bool lost = false;         // the shard does not know it any more; another takes its place
  std::uint64_t last_sequence = 0;
  std::set<std::uint64_t> outstanding;  // sequences without an answer

  bool Usable() const { return open && !lost; }
  bool HasRoom() const {
    return outstanding.empty() || last_sequence - *outstanding.begin() < kMaxSessionWindow;
  }
};

// Who refused an attempt, and which epoch of the shard it knew; 0: nobody, or it did not say.
struct Refuser {
  NodeId node;
  Epoch epoch;
};

// What is known of one shard.
struct CallerShard {
  NodeId leader;  // whom to ask first; 0: unknown
  std::shared_ptr<CallerSession> session;
  bool opening = false;             // an operation that opens the session is on its way
  unsigned reopened = 0;            // sessions lost in a row without a write going through
  std::set<std::uint64_t> waiting;  // operations in phase kNeedsSession, in their order
  std::string refusal;              // why the session could not be opened so far
  Refuser refuser;                  // who said so
};

enum class CallerPhase : std::uint8_t { kNeedsMap, kNeedsSession, kSent, kPaused, kRefused };

// Whether the answer ends an operation: asking again, or somebody else, gives no other one.
bool IsFinal(Errc code);
// The command of a write.
CommandKind KindOf(const Operation& operation);

struct CallerOp {
  std::uint64_t id = 0;
  Operation operation;
  OperationCallback done;      // null for an operation of our own
  bool opens_session = false;  // our own: kOpenSession of the shard's session
  std::size_t bytes = 0;
  CallerPhase phase = CallerPhase::kNeedsMap;
  Instant deadline;
  std::shared_ptr<CallerSession> session;  // writes, once they have a sequence
  std::uint64_t sequence = 0;

  std::uint64_t attempt = 0;  // number of the latest one; only its answer steers what comes next
  NodeId target;              // of the latest attempt
  NodeId silent;              // did not answer an attempt in time; hints to it are not followed
  unsigned unanswered = 0;    // attempts that may have been executed, as far as we know
  unsigned silences = 0;      // attempts that went unanswered
  unsigned quick = 0;         // attempts since the last pause
  unsigned pauses = 0;
  std::uint64_t map_version = 0;  // when it last asked for a newer map
  Error last;                     // why the latest answered attempt did not do
  Refuser refuser;                // who said so
  bool located = false;           // operation.shard is a shard of the map

  bool IsWrite() const {
    return opens_session || operation.kind == OperationKind::kPut ||
           operation.kind == OperationKind::kDelete || operation.kind == OperationKind::kMark;
  }
};

struct Caller::Impl : std::enable_shared_from_this<Caller::Impl> {
  Impl(Executor& executor, Courier& courier, CallerOptions options);
  void Wire();  // what needs shared_from_this
  void Close();

  // ---- start and end (caller.cc) ----
  std::uint64_t Start(Operation operation, OperationCallback done);
  void Cancel(std::uint64_t id);
  CallerOp* Find(std::uint64_t id);
  void Refuse(CallerOp& op, Errc code, std::string detail);  // answers later, outside of Start
  // Ends the operation without a result: kOutcomeUnknown if it is a write that may have been
  // executed.
  void Fail(CallerOp& op, Error error);
  void FailLate(CallerOp& op);
  // Ends the operation. Calls back last; the operation and even the Caller may be gone afterwards.
  void Finish(CallerOp& op, OperationResult result);
  void OnAlarm(std::uint64_t id);
  void SetAlarm(CallerOp& op, Instant when);  // not later than the deadline

  // ---- attempts (caller_attempts.cc) ----
  void Advance(CallerOp& op);  // the next step, whatever it needs first
  void Send(CallerOp& op);
  RpcRequest BuildRequest(const CallerOp& op) const;
  void OnAnswer(std::uint64_t id, std::uint64_t attempt, NodeId target, RpcResponse response);
  void OnRefusal(CallerOp& op, NodeId target, const RpcResponse& response);
  void OnResult(CallerOp& op, std::uint64_t attempt, NodeId target, RpcResponse response);
  void OnSilence(CallerOp& op);
  void TryElsewhere(CallerOp& op);
  void Follow(CallerOp& op, NodeId hint);
  void Pause(CallerOp& op);

  // ---- routing (caller_routing.cc) ----
  bool Locate(CallerOp& op);  // sets the shard; false: the operation ended
  NodeId ChooseTarget(const CallerOp& op);
  std::vector<NodeId> Candidates(const CallerOp& op) const;
  void NoteAnswer(const CallerOp& op, NodeId target, const RpcResponse& response);
  void ForgetLeader(const CallerOp& op, NodeId node);
  void NeedMap(CallerOp& op);
  void OnMap(std::shared_ptr<const ShardMap> map);
  void OnFetched(std::uint64_t id, Errc code);

  // ---- sessions (caller_sessions.cc) ----
  bool BindSession(CallerOp& op);  // false: it waits for one
  void OpenSession(ShardId shard);
  void OnOpened(ShardId shard, const OperationResult& result);
  void OnSessionLost(CallerOp& op);
  void ReleaseSequence(CallerOp& op);
  void PumpWaiting(ShardId shard);

  Executor& executor;
  Courier& courier;
  const CallerOptions options;
  bool closed = false;
  std::shared_ptr<const ShardMap> map;
  std::shared_ptr<MapFetcher> fetcher;
  std::shared_ptr<Alarms> alarms;
  std::unordered_map<std::uint64_t, CallerOp> ops;
  std::uint64_t last_id = 0;
  std::uint64_t op_bytes = 0;
  std::map<ShardId, CallerShard> shards;
};

}  // namespace decree
