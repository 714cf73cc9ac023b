#include "server/node/member_change.h"

#include "kv/base/mark.h"

namespace decree::node {
namespace {

consensus::Decree MakeDecree(const ChangeMembers& request) {
  consensus::Decree decree;
  decree.move = request.move;
  decree.member = request.member;
  switch (request.kind) {
    case ChangeKind::kAddLearner:
      decree.kind = consensus::DecreeKind::kAddLearner;
      break;
    case ChangeKind::kRemoveLearner:
      decree.kind = consensus::DecreeKind::kRemoveLearner;
      break;
    default:
      decree.kind = consensus::DecreeKind::kSeal;
      decree.member = {};
      decree.next_voters = request.next_voters;
      decree.next_learners = request.next_learners;
  }
  return decree;
}

Duration Patience(const ChangeMembers& request) {
  // A Seal may hold writes only this long before it is proposed; other changes hold nothing.
  return request.kind == ChangeKind::kSeal ? milliseconds(request.wait_ms) : Duration(1s);
}

}  // namespace

MemberChange::MemberChange(ChangeMembers request, RpcReply reply, Instant now)
    : request_(std::move(request)), reply_(std::move(reply)), deadline_(now + Patience(request_)) {}

MemberChange::Progress MemberChange::Finish(consensus::Replica& replica, Errc code,
                                            std::string detail) {
  if (holding_) replica.ResumeProposals();
  holding_ = false;
  RpcResponse response;
  response.code = code;
  response.detail = std::move(detail);
  response.epoch = replica.config().epoch;
  reply_(std::move(response));
  return Progress::kFinished;
}

void MemberChange::Abandon(const RpcResponse& answer) { reply_(answer); }

// True when the effect of the change is chosen, by whichever leader.
bool MemberChange::Satisfied(const consensus::Replica& replica) const {
  const consensus::Config& config = replica.config();
  switch (request_.kind) {
    case ChangeKind::kAddLearner:
      return config.epoch == request_.epoch && config.IsLearner(request_.member.id);
    case ChangeKind::kRemoveLearner:
      return config.ended_move >= request_.move && !config.Find(request_.member.id);
    case ChangeKind::kSeal:
      return config.epoch > request_.epoch && config.ended_move == request_.move;
    default:
      return false;
  }
}

MemberChange::Progress MemberChange::Step(consensus::Replica& replica, Instant now) {
  if (request_.kind == ChangeKind::kTransferLeader) return StepTransfer(replica, now);
  if (Satisfied(replica) && !proposed_) SOMETIMES(change_made_before);
  if (Satisfied(replica)) return Finish(replica, Errc::kOk);
  if (replica.config().epoch != request_.epoch) {
    SOMETIMES(change_for_another_epoch);
    return Finish(replica, Errc::kConflict, "the shard is in another epoch");
  }
  if (replica.role() != consensus::Role::kLeader) {
    if (proposed_) SOMETIMES(change_outcome_unknown);
    return Finish(replica, proposed_ ? Errc::kOutcomeUnknown : Errc::kNotLeader);
  }
  if (proposed_) return Progress::kWaiting;
  return TryPropose(replica, now);
}

MemberChange::Progress MemberChange::TryPropose(consensus::Replica& replica, Instant now) {
  if (request_.kind == ChangeKind::kSeal && !holding_ && replica.ReadyLeader()) {
    replica.HoldProposals();
    holding_ = true;
  }
  const consensus::ProposeResult result = replica.Propose(now, MakeDecree(request_));
  if (result.code == consensus::ProposeCode::kProposed) {
    proposed_ = true;  // a Seal is on its way: there is no way back, writes stay held
    return Progress::kMoved;
  }
  return OnRefused(replica, result, now);
}

MemberChange::Progress MemberChange::OnRefused(consensus::Replica& replica,
                                               const consensus::ProposeResult& result,
                                               Instant now) {
  switch (result.code) {
    case consensus::ProposeCode::kNotLeader:
      return Finish(replica, Errc::kNotLeader);
    case consensus::ProposeCode::kRefused:
      SOMETIMES(change_refused_by_the_log);
      return Finish(replica, Errc::kImpossible, result.detail);
    default:
      if (now < deadline_) return Progress::kWaiting;
      SOMETIMES(seal_wait_gave_up);
      return Finish(replica, Errc::kBusy, "the pipeline did not drain in time");
  }
}

MemberChange::Progress MemberChange::StepTransfer(consensus::Replica& replica, Instant now) {
  if (replica.role() != consensus::Role::kLeader) {
    return Finish(replica, transfer_asked_ ? Errc::kOk : Errc::kNotLeader);
  }
  if (!transfer_asked_) {
    const consensus::Config& config = replica.config();
    if (!config.IsVoter(request_.member.id) || request_.member.id == replica.self()) {
      return Finish(replica, Errc::kImpossible, "the target is not another voter of the shard");
    }
    replica.TransferLeadership(now, request_.member.id);
    transfer_asked_ = true;
    return Progress::kMoved;
  }
  if (now < deadline_) return Progress::kWaiting;
  SOMETIMES(change_of_leader_not_taken);
  return Finish(replica, Errc::kUnavailable, "the target did not take over in time");
}

}  // namespace decree::node
