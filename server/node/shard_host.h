// The one loop around a Replica: hands its output to log, network and state machine, and turns
// client requests into proposals and reads. Lives on one worker; no locks, no Asio.
//
// Pump() is the heart: take the output of the last event, carry it out in the order that
// consensus/output.h demands, repeat until there is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/replica.h"
#include "kv/api/rpc.h"
#include "kv/store/disk.h"
#include "kv/store/state_machine.h"
#include "rebalance/move.h"
#include "server/node/host_env.h"
#include "server/node/member_change.h"
#include "server/node/replicated_clock.h"
#include "server/node/snapshot_fetch.h"
#include "server/node/snapshot_pins.h"
#include "server/node/stall_refusals.h"
#include "server/node/write_queue.h"

namespace decree::node {

// Opens the state machine of a shard over its rows: KvMachine, or the placement group's own.
using MachineFactory = std::function<Result<std::unique_ptr<store::StateMachine>>(
    store::Engine&, const consensus::Config& genesis)>;

// Who is to serve a snapshot in the place of a leader, and from which slot on the log is needed.
struct FitSource {
  consensus::Member member;
  Slot slot;
};

class ShardHost : public std::enable_shared_from_this<ShardHost> {
 public:
  // Opens a replica over its rows, which the disk has opened (Disk::OpenRows), and its log.
  // `genesis` is the configuration before slot 1, empty for a learner shell.
  using Rows = Result<std::unique_ptr<store::Engine>>;
  static Result<std::shared_ptr<ShardHost>> Open(HostEnv& env, store::Disk& disk, ReplicaKey key,
                                                 const consensus::Config& genesis,
                                                 MachineFactory factory, Rows rows);
  ~ShardHost();

  // ---- events ----
  void Start();
  void Tick();
  void Receive(consensus::Envelope&& envelope);
  void Write(Command&& command, RpcReply&& reply);
  void Read(ReadRequest&& request, RpcReply&& reply);
  void Scan(ScanRequest&& request, RpcReply&& reply);
  void Change(ChangeMembers&& change, RpcReply&& reply);
  // Freezes the rows for a member that lags; the log above them is kept until it reports a slot of
  // its own (snapshot_pins.h). Answers once, kUnavailable if the rows go away first.
  using SnapshotFiles = std::shared_ptr<store::SnapshotSource>;
  using SnapshotDone = std::function<void(Result<SnapshotFiles>)>;
  void OpenSnapshot(ReplicaId reader, SnapshotDone done);
  // A follower whose rows will do for a member that lags, if this replica leads: it was heard a
  // moment ago and is as good as level. None for a reader on this node, for which the files are
  // already where it needs them.
  std::optional<FitSource> FindSource(ReplicaId reader, ReplicaId avoid) const;
  // Keeps the log above the slot for a member that takes rows from another one, as long as what is
  // returned lives.
  SnapshotFiles PinLog(ReplicaId reader, Slot slot);
  // How fast this replica takes rows of a snapshot; its log goes on in any case. A hold ends by
  // itself unless it is repeated.
  void SetFetchPace(FetchPace pace);
  // The rows that it will get have this room on its disk.
  void TakeRoom(std::shared_ptr<SpacePromise> room) { room_ = std::move(room); }
  void Flush();
  // Makes the rows durable and lets the disk's log go of all that they hold; memory still serves
  // members that lag.
  void ReleaseLog();
  // Of a replica that is asleep: its leader, or a majority, is to show itself.
  void WakeUp();
  // Tells the best peer to take over, unless one was told and may still do so; see leading(). Ask
  // again: a peer that does not take over is followed by the next one.
  void GiveUpLeadership();
  // Nothing is sent, persisted or answered any more, except kShuttingDown to what waits.
  void Close();

  // ---- facts ----
  const ReplicaKey& key() const { return key_; }
  store::Disk& disk() const { return *disk_; }
  const consensus::Replica& replica() const { return *replica_; }
  const store::MachineFacts& facts() const { return machine_->facts(); }
  store::StateMachine& machine() { return *machine_; }
  bool leading() const { return !closed_ && replica_->ReadyLeader(); }
  WallMs Time() { return ReadClock(facts().time_ms); }  // replicated; leading only
  bool closed() const { return closed_; }
  std::uint64_t operations() const { return operations_; }
  rebalance::ReplicaStatus Describe() const;
  RpcResponse Refusal() const;  // what a replica that does not lead answers

 private:
  ShardHost(HostEnv& env, store::Disk& disk, ReplicaKey key, MachineFactory factory);

  RpcResponse Redirect();

  // A callback for other threads: runs `step` on this worker, unless the host is closed by then.
  template <class Value>
  std::function<void(Value)> OnWorker(std::function<void(ShardHost&, Value)> step);
  Instant Now() const { return env_->executor().Now(); }
  WallMs ReadClock(WallMs floor);
  consensus::Member Self() const { return {key_.replica, env_->node()}; }
  RpcResponse AnswerFrame() const;
  RpcResponse Busy(const char* why) const;
  void NoteStall();

  Status CheckRows(Slot trimmed, Slot watermark) const;

  void Pump();
  void CarryOut(consensus::Output&& output);
  void PersistOutput(consensus::Output& output);
  void OnPersisted(consensus::PersistId id, std::vector<consensus::Outgoing>& after, Status status);
  void SendAll(std::vector<consensus::Outgoing>& messages);
  void Apply(std::vector<consensus::ChosenDecree>&& chosen);
  bool ApplyRun(const std::vector<consensus::ChosenDecree>& run);
  void OnLeadershipChange();
  void Fail(const Error& error);

  void ScheduleProposals();
  void ProposeWaiting();
  bool ProposeOneBatch();
  void ProposeExpiry();
  Instant ExpiryWake();

  void QueueRead(std::function<RpcResponse()> serve, RpcReply&& reply);
  void StartReadRound();
  void FinishReads(const std::vector<consensus::ReadReady>& ready);

  bool StepChange();
  struct Digesting;
  void DigestMark(Slot slot);
  void DigestOn(const std::shared_ptr<Digesting>& digest);
  void DropDigests();
  void OnDigested(const std::shared_ptr<Digesting>& digest, const Result<bool>& more);

  void MaybeFlush();
  void OnFlushed(Slot applied);
  void TrimLog();
  void TrimTo(Slot slot);
  Slot TailFrom() const;
  Slot SlowestMember() const;
  void NoteKept(std::size_t bytes);

  void OnFrozen(std::uint64_t id, std::uint64_t pin, Result<SnapshotFiles> files);
  void RefuseSnapshots(const Error& why);
  void StartFetch(const consensus::SnapshotNeed& need);
  void EndOldHold();
  bool FetchIsStuck(const consensus::SnapshotNeed& need) const;
  void DropFetch(bool gone);
  void OnFetched(Result<std::unique_ptr<store::Staging>> staged);
  void OnInstalled();
  void NoteProblem(const Error& error);
  Status Install(store::Staging& staging);
  Status OpenMachine(const consensus::Config& genesis);

  HostEnv* env_;
  store::Disk* disk_;
  ReplicaKey key_;
  MachineFactory factory_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::StateMachine> machine_;
  store::KvMachine* kv_ = nullptr;  // machine_, if this is a numbered shard
  std::unique_ptr<consensus::Replica> replica_;

  WriteQueue writes_;
  StallRefusals stall_refusals_;
  ReplicatedClock clock_;
  WallMs proposed_time_ms_ = 0;
  bool proposals_scheduled_ = false;
  Instant expiry_at_ = kNever;  // when ProposeExpiry is to run
  bool led_ = false;

  // Reads waiting for the next round, and for the round on its way. Served after it, from the rows.
  struct PendingRead {
    std::function<RpcResponse()> serve;
    RpcReply reply;
  };
  std::vector<PendingRead> waiting_reads_;
  std::map<consensus::ReadId, std::vector<PendingRead>> open_reads_;
  consensus::ReadId last_read_ = 0;
  bool read_round_scheduled_ = false;

  std::optional<MemberChange> change_;
  SwitchPause pause_;
  std::map<ReplicaId, int> asked_to_lead_;  // how often each was
  std::vector<rebalance::ReplicaDigest> digests_;
  std::vector<std::shared_ptr<Digesting>> digesting_;  // marks whose rows are being read

  // Counts the databases that engine_ has been: what one reports after a snapshot took its place
  // says nothing of its successor.
  std::uint64_t engine_life_ = 0;
  Slot flushed_;                     // rows hold everything <= flushed_ durably
  std::size_t unflushed_bytes_ = 0;  // of applied decrees above it
  bool flushing_ = false;
  bool release_log_ = false;    // after the next flush
  Slot released_;               // what the disk's log was last told to let go of
  std::size_t kept_bytes_ = 0;  // our part of env_->kept_log()

  SnapshotPins pins_;
  std::uint64_t last_opening_ = 0;
  std::map<std::uint64_t, SnapshotDone> opening_;  // snapshots that are being frozen

  std::unique_ptr<SnapshotFetch> fetch_;
  std::shared_ptr<SpacePromise> room_;
  PartialSnapshot partial_;     // what a fetch that failed had got
  std::uint64_t partials_ = 0;  // so far
  ReplicaId avoid_;             // the source of the last one
  bool in_chunks_ = false;      // it was not answered in time
  int named_failures_ = 0;      // of sources that others named, one after the other
  Instant next_fetch_;
  FetchPace fetch_pace_ = FetchPace::kUsual;
  Instant hold_ends_;
  Error problem_{Errc::kOk};  // why the last fetch failed; kOk: it did not
  std::uint64_t operations_ = 0;
  bool pumping_ = false;
  bool closed_ = false;
};

}  // namespace decree::node
