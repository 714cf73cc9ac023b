// The state of a replica and the functions that change it. Private to consensus/: hosts see
// replica.h. Each group of functions lives in the file named above it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "consensus/core_state.h"
#include "consensus/replica.h"
#include "consensus/slot_log.h"
#include "kv/base/random.h"

namespace decree::consensus {

class Replica::Core {
 public:
  Core(ReplicaId self, Recovered recovered, const Options& options, std::uint64_t seed,
       Instant now);

  // ---- core.cc: the dispatch table, time, what leaves ----
  void Receive(Instant now, const Member& from, Message message);
  void Tick(Instant now);
  Output TakeOutput();

  // ---- proposer.cc ----
  ProposeResult Propose(Instant now, Decree decree);
  void HoldProposals();
  void ResumeProposals();

  // ---- reads.cc ----
  void RequestRead(Instant now, ReadId id);

  // ---- transfer.cc ----
  void TransferLeadership(Instant now, ReplicaId target);

  // ---- sleep.cc ----
  void Wake(Instant now);

  // ---- durability.cc ----
  void Persisted(Instant now, PersistId id);

  // ---- learner.cc ----
  void Applied(Instant now, Slot slot);
  void Trim(Slot slot);
  void InstalledSnapshot(Instant now, Slot applied, Config config);

  // ---- facts.cc ----
  ReplicaId self() const { return self_; }
  Role role() const { return role_; }
  bool Ready() const;
  const Ballot& promised() const { return promised_; }
  const Config& config() const { return config_; }
  Slot chosen() const { return chosen_; }
  Slot durable_chosen() const { return durable_.chosen; }
  Slot applied() const { return applied_; }
  const SlotLog& log() const { return log_; }
  std::size_t inflight() const;
  std::optional<Member> leader() const { return leader_; }
  std::optional<Slot> DurableChosenOf(ReplicaId member) const;
  std::optional<Instant> HeardAt(ReplicaId member) const;
  bool HandingOver() const { return role_ == Role::kLeader && lead_.transfer.has_value(); }
  std::optional<Instant> LeaseUntil() const;
  bool asleep() const { return asleep_; }
  std::optional<ChosenDecree> ChosenAt(Slot slot) const;
  const Vote* VoteAt(Slot slot) const;
  std::uint64_t StateHash() const;

 private:
  friend struct ModelAccess;

  // ---- core.cc ----
  void Dispatch(const Member& from, Message& message);
  void Settle();
  Instant NextWake() const;
  void Send(const Member& to, Message message);
  void Reply(const Member& to,
             Message message);  // waits for the persistence of what it reveals (P7)
  bool GateEpoch(const Member& from, const Ballot& ballot);
  void Defer(const Member& from, const Ballot& ballot, Message message);
  bool FromVoter(const Member& from) const { return config_.IsVoter(from.id); }
  bool FromLeaderOf(const Ballot& ballot, const Member& from) const;
  bool SelfVotes() const { return config_.IsVoter(self_); }
  bool Alone() const { return SelfVotes() && config_.voters.size() == 1; }
  void SendToVoters(const Message& message);
  void SendToMembers(const Message& message);

  // ---- durability.cc ----
  void AttachPersist();
  void RouteReplies();
  bool DiskStuck(Duration limit) const;
  Slot DurableVoted() const;
  void RecordWhatCovers();

  // ---- acceptor.cc ----
  void OnPrepare(const Member& from, const Prepare& m);
  void OnAccept(const Member& from, const Accept& m);
  void RaisePromise(const Ballot& ballot);
  void StoreVote(Slot slot, const Decree& decree);
  bool MayVote(const Accept& m, Slot slot) const;
  void AcceptSlots(const Accept& m);
  void ExtendVoted();
  std::vector<PromisedSlot> PromisedFrom(Slot from) const;
  void ReplyPromise(const Member& to, Slot from);
  void ReplyAccepted(const Member& to, const Ballot& ballot);

  // ---- learner.cc ----
  void OnLearn(const Member& from, const Learn& m);
  void OnLearned(const Member& from, const Learned& m);
  void OnSealed(const Member& from, const Sealed& m);
  void SendLearned(const Member& to, Slot from);
  void SendSealed(const Member& to);
  void AskSnapshot(const Member& from, Slot at_least);
  void AskLearn(const Member& from);  // at most one a heartbeat interval
  void AskLearnNow(const Member& from);
  void NoteLeaderChosen(const Member& leader, const Ballot& ballot, Slot chosen, bool urgent);
  void LearnChosen(Slot slot, const Decree& decree);
  void MarkChosen(Slot slot);
  void AdvanceStoredChosen();
  void ApplyToConfig(Slot slot, const Decree& decree);
  void BeginEpoch(Config next);
  void EmitChosen();

  // ---- election.cc ----
  void OnPreVote(const Member& from, const PreVote& m);
  void OnPreVoteReply(const Member& from, const PreVoteReply& m);
  void ElectionTick();
  void AskAround();
  void StartPreVote();
  void SendPreVotes();
  void Campaign(const Ballot& released = {});
  void BecomeFollower();
  void HeardLeader(const Member& from);
  bool LiveLeader() const;
  void ResetElectionTimer();
  void ScheduleEpochCampaign(bool old_leader_stays);
  Duration RandomElection();
  Ballot NextBallot() const;
  void NoteRound(const Ballot& seen);

  // ---- recovery.cc: phase 1 from the candidate's side (P2) ----
  void OnPromise(const Member& from, const Promise& m);
  void CandidateTick();
  void SendPrepares();
  void ElectionTimedOut();
  void CheckPromiseQuorum();
  void CollectPromised(const PromisedSlot& slot);
  void CollectOwnVotes();
  void ContinueRecovery();
  void BecomeLeader();
  void ReproposeVotes();
  Decree FreshBarrier() const;

  // ---- proposer.cc ----
  void OnAccepted(const Member& from, const Accepted& m);
  const char* WhyNotNow(const Decree& decree) const;
  bool CaughtUp(const Member& member) const;
  Slot ProposeSlot(const Decree& decree);
  void CountVotes();
  void FlushAccepts();
  void SendAccepts(Peer& peer, Slot last);

  // ---- peers.cc: what a leader knows of the others; heartbeats ----
  void OnHeartbeat(const Member& from, const Heartbeat& m);
  void OnHeartbeatReply(const Member& from, const HeartbeatReply& m);
  void LeaderTick();
  void BeatHeart();
  void RefreshPeers();
  Peer* FindPeer(ReplicaId id);
  const Peer* FindPeer(ReplicaId id) const;
  void NotePeer(Peer& peer, Slot voted, Slot durable_chosen);
  void ResendIfStalled(Peer& peer);
  bool HearsQuorum() const;
  void AnnounceChosen();
  void ServeParkedLearns();

  // ---- reads.cc ----
  void StartReadRound();
  void CheckReadRound();
  void ReleaseReads();
  void FailReads();
  void PostponeReads();

  // ---- lease.cc ----
  bool LeasesOn() const { return options_.leases && options_.lease < options_.election_min; }
  bool GrantLease(const Heartbeat& m);
  bool BoundByGrant() const;
  void RememberGrant();
  void ReleaseGrant(const Ballot& ballot);
  std::uint64_t LeaseToAskFor() const;
  void StampLeaseRound();
  void RenewLease();

  // ---- sleep.cc ----
  bool Quiet() const;
  bool NoReadsOpen() const;
  void NoteActivity();
  void SleepIfAllDo();
  void FollowIntoSleep(const Heartbeat& m, HeartbeatReply& reply);
  bool MaySleep(const Heartbeat& m) const;
  void WakeFor(const Member& from, const Message& message);
  void WakeLeader();
  void WakeFollower(ReplicaId caller);

  // ---- transfer.cc ----
  void OnTransferNow(const Member& from, const TransferNow& m);
  void TransferTick();
  void ContinueTransfer();

  const ReplicaId self_;
  const Options options_;
  Random random_;
  Instant now_;  // of the event being handled

  // The acceptor: promise and votes.
  Ballot promised_;
  SlotLog log_;
  Slot voted_to_;  // every slot <= it is chosen here or voted in promised_
  LeaseGrant grant_;

  // The learner.
  Config config_;  // as of chosen_
  Slot chosen_;
  Slot applied_;
  Slot emitted_;  // handed to the host
  LearnState learn_;
  std::optional<Deferred> deferred_;

  // What is on its way to the disk, and what is there.
  Persist pending_;
  PersistId last_persist_ = 0;
  std::deque<InFlight> in_flight_;
  std::deque<HeldMessage> held_;
  std::vector<Outgoing> replies_;
  DurableState durable_;

  // Election.
  Role role_ = Role::kFollower;
  std::optional<Member> leader_;
  Instant leader_heard_;
  Instant election_deadline_ = kNever;
  std::uint64_t seen_round_ = 0;  // highest refused round of this epoch
  PreVoteState pre_vote_;
  Campaigning campaign_;

  // Leading.
  Leading lead_;
  ReadState reads_;
  std::uint64_t heartbeat_round_ = 0;

  // Sleep.
  bool asleep_ = false;             // as the leader, or as a follower
  std::uint64_t leader_round_ = 0;  // the latest heartbeat in the ballot of the promise

  std::vector<Slot> count_scratch_;
  std::vector<std::uint64_t> lease_scratch_;

  Output out_;
};

}  // namespace decree::consensus
