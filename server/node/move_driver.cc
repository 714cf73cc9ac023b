#include "server/node/move_driver.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kv/base/mark.h"
#include "rebalance/stall_watch.h"

namespace decree::node {
namespace {

constexpr Duration kScanEvery = 100ms;
constexpr Duration kShortestPause = 10ms;
constexpr Duration kLongestPause = 500ms;
constexpr int kPausePart = 8;  // of the time that the stage has taken so far
constexpr Duration kMarkPatience =
    5s;  // digests that do not come (a replica restarted): mark again
constexpr std::uint64_t kStatusTimeoutMs = 500;
constexpr std::uint64_t kActionTimeoutMs = 3000;

// Everybody who may know something of the move: the published replicas, the source and the target.
std::vector<ReplicaPlace> Witnesses(const rebalance::PlacementState& state,
                                    const rebalance::MoveRecord& move) {
  std::vector<ReplicaPlace> places;
  const auto add = [&](const ReplicaPlace& place) {
    const bool known = std::any_of(places.begin(), places.end(), [&](const ReplicaPlace& p) {
      return p.replica == place.replica;
    });
    if (place.replica && !known) places.push_back(place);
  };
  add(move.source);
  add(move.target);
  if (const auto* shard = state.Shard(move.shard)) {
    for (const ReplicaPlace& place : shard->entry.replicas) add(place);
  }
  return places;
}

// Once its Seal is chosen the target has a vote, and may not know it yet.
FetchPace PaceOf(const rebalance::MoveRecord& move) {
  if (move.stage > rebalance::Stage::kSeal) return FetchPace::kUrgent;
  if (move.paused) return FetchPace::kHeld;
  const bool urgent =
      move.cause == rebalance::MoveCause::kRepair || move.cause == rebalance::MoveCause::kFill;
  return urgent ? FetchPace::kUrgent : FetchPace::kUsual;
}

}  // namespace

struct MoveDriver::Task {
  explicit Task(Instant now) : stage_began(now), stall(now) {}
  MoveId id;
  std::uint64_t generation = 0;
  rebalance::MoveView view;
  std::size_t missing = 0;
  rebalance::Stage stage = rebalance::Stage::kIntent;
  Instant stage_began;
  Instant marked_at;
  std::string why;      // of the last decision
  std::string refusal;  // what the last action was answered, if that was no success
  // The action done last at this stage: done again, it did not help, and is not repeated at once.
  rebalance::ActionKind done = rebalance::ActionKind::kWait;
  bool repeats = false;
  rebalance::StallWatch stall;
  std::int64_t alarms = 0;  // since the last progress
  MoveProgress progress;
  std::uint64_t counted_bytes = 0;
  Instant counted_at;
};

void MoveDriver::Start() {
  if (running_) return;
  running_ = true;
  Tick(++generation_);
}

void MoveDriver::Stop() {
  running_ = false;
  ++generation_;
  tasks_.clear();
}

void MoveDriver::Tick(std::uint64_t generation) {
  if (generation != generation_) return;
  Kick();
  port_->executor().RunAt(port_->executor().Now() + kScanEvery,
                          [this, generation] { Tick(generation); });
}

void MoveDriver::Kick() {
  const rebalance::PlacementState* state = port_->state();
  if (!running_ || !state) return;
  std::erase_if(tasks_, [&](const auto& item) { return !Record(item.second); });
  for (const rebalance::MoveRecord* move : state->ActiveMoves()) {
    if (tasks_.count(move->id)) continue;
    auto task = std::make_shared<Task>(port_->executor().Now());
    task->id = move->id;
    task->generation = generation_;
    if (move->stage != rebalance::Stage::kIntent) SOMETIMES(move_taken_up_by_a_new_leader);
    tasks_[move->id] = task;
    Poll(task);
  }
}

std::optional<MoveProgress> MoveDriver::Progress(MoveId move) const {
  const auto task = tasks_.find(move);
  if (task == tasks_.end()) return std::nullopt;
  return task->second->progress;
}

const rebalance::MoveRecord* MoveDriver::Record(const TaskPtr& task) const {
  const rebalance::PlacementState* state = port_->state();
  if (task->generation != generation_ || !state) return nullptr;
  const auto move = state->moves().find(task->id);
  const bool active = move != state->moves().end() && !rebalance::IsFinal(move->second.stage);
  return active ? &move->second : nullptr;
}

// ---- asking ----

// Why no answer of a replica there is to be waited for; empty if it may come.
std::string MoveDriver::WhyGone(const ReplicaPlace& place) const {
  const std::string why = port_->state()->WhyGone(place);
  if (!why.empty() || !gone_ || !gone_(place.node)) return why;
  return "node " + ToString(place.node) + " is silent";
}

void MoveDriver::Poll(const TaskPtr& task) {
  const rebalance::MoveRecord* move = Record(task);
  if (!move) return;
  const rebalance::PlacementState& state = *port_->state();
  const Slot mark = task->view.mark;
  task->view = {};
  task->view.mark = mark;
  task->view.catch_up_gap = catch_up_gap_;
  task->view.replicas_wanted = rebalance::WantedCopies(state.settings(), move->shard);
  std::vector<ReplicaPlace> witnesses = Witnesses(state, *move);
  std::erase_if(witnesses, [&](const ReplicaPlace& place) {
    const std::string why = WhyGone(place);
    if (why.empty()) return false;
    if (place.replica == move->source.replica) task->view.source_gone = why;
    if (place.replica == move->target.replica) task->view.target_gone = why;
    task->view.others_gone[place.replica] = why;
    return true;
  });
  task->missing = witnesses.size();
  for (const ReplicaPlace& place : witnesses) Ask(task, place);
  if (witnesses.empty()) Decide(task);
}

void MoveDriver::Ask(const TaskPtr& task, const ReplicaPlace& place) {
  const rebalance::MoveRecord& move = *Record(task);
  StatusRequest status{{move.shard, place.replica}};
  if (place.replica == move.target.replica) status.pace = PaceOf(move);
  RpcRequest request{Method::kReplicaStatus, move.shard, kStatusTimeoutMs, Encode(status)};
  port_->CallNode(place.node, std::move(request), [this, task, place](RpcResponse response) {
    if (task->generation == generation_) OnStatus(task, place, response);
  });
}

void MoveDriver::OnStatus(const TaskPtr& task, const ReplicaPlace& place,
                          const RpcResponse& response) {
  const rebalance::MoveRecord* move = Record(task);
  auto status = Decode<rebalance::ReplicaStatus>(response.body);
  if (move && response.code == Errc::kOk && status) {
    rebalance::MoveView& view = task->view;
    const bool newer = !view.leader || view.leader->config.epoch < status->config.epoch;
    if (status->leader && newer) {
      view.leader = *status;
      view.leader_member = consensus::Member{place.replica, place.node};
    }
    if (place.replica == move->source.replica) {
      view.source = std::move(*status);
    } else if (place.replica == move->target.replica) {
      view.target = std::move(*status);
    } else {
      view.others[place.replica] = std::move(*status);
    }
  }
  if (--task->missing == 0) Decide(task);
}

void MoveDriver::NoteProgress(const TaskPtr& task) {
  const rebalance::MoveView& view = task->view;
  if (!view.target) return;
  MoveProgress& progress = task->progress;
  progress.bytes_total = view.target->snapshot_bytes_total;
  progress.bytes_done = view.target->snapshot_bytes_done;
  if (view.leader && view.leader->chosen > view.target->durable_chosen) {
    progress.lag = view.leader->chosen.value - view.target->durable_chosen.value;
  } else {
    progress.lag = 0;
  }
  const Instant now = port_->executor().Now();
  const double seconds = std::chrono::duration<double>(now - task->counted_at).count();
  if (seconds < 0.2) return;
  const std::uint64_t done = progress.bytes_done;
  progress.bytes_per_s = done > task->counted_bytes && task->counted_at.ns > 0
                             ? static_cast<double>(done - task->counted_bytes) / seconds
                             : 0;
  task->counted_bytes = done;
  task->counted_at = now;
}

// "Time-outs are on lack of progress, never on total time; a stall is an alarm, then an abort"
// (design.md section 6): an alarm after half the time, and after each further half.
void MoveDriver::CheckStall(const TaskPtr& task, const rebalance::MoveRecord& move) {
  const Instant now = port_->executor().Now();
  rebalance::MoveView& view = task->view;
  task->stall.Observe(move, view, now);
  Duration allowed = std::chrono::seconds(port_->state()->settings().move_stall_s);
  if (move.stage == rebalance::Stage::kVerify) allowed += DigestTime(task);
  const Duration idle = task->stall.Idle(now);
  const std::int64_t alarms = idle / (allowed / 2);
  std::string reason = view.target ? view.target->problem : "";
  task->progress.problem = reason;
  if (reason.empty()) reason = task->refusal.empty() ? task->why : task->refusal;
  reason = "no progress for " + std::to_string(idle / 1s) + " s at " +
           std::string(rebalance::StageName(move.stage)) + ": " + reason;
  if (idle > allowed) view.stalled = reason;
  if (alarms > 0) task->progress.problem = reason;
  if (alarms > task->alarms) {
    SOMETIMES(move_stalled);
    port_->Log(LogLevel::kWarn, "move " + ToString(move.id) + ": " + reason);
  }
  task->alarms = alarms;
}

std::uint64_t MoveDriver::LargestReplica(const TaskPtr& task) {
  std::uint64_t bytes = 0;
  for (const auto* status : {&task->view.source, &task->view.target, &task->view.leader}) {
    if (*status) bytes = std::max(bytes, (*status)->data_bytes);
  }
  return bytes;
}

// The largest replica sets the pace of a verification.
Duration MoveDriver::DigestTime(const TaskPtr& task) {
  return rebalance::DigestTime(LargestReplica(task));
}

void MoveDriver::Decide(const TaskPtr& task) {
  const rebalance::MoveRecord* move = Record(task);
  if (!move) return;
  if (move->stage != task->stage) {
    task->stage_began = port_->executor().Now();
    task->done = rebalance::ActionKind::kWait;
    task->refusal.clear();
  }
  task->stage = move->stage;
  NoteProgress(task);
  CheckStall(task, *move);
  const rebalance::Action action = rebalance::NextAction(*move, task->view);
  if (action.kind == rebalance::ActionKind::kWait) {
    task->refusal.clear();
  } else {
    task->repeats = action.kind == task->done;
    task->done = action.kind;
  }
  if (action.why != task->why) {
    task->why = action.why;
    port_->Log(LogLevel::kDebug, "move " + ToString(move->id) + " at " +
                                     std::string(rebalance::StageName(move->stage)) + ": " +
                                     action.why);
  }
  Execute(task, *move, action);
}

// ---- doing ----

void MoveDriver::Execute(const TaskPtr& task, const rebalance::MoveRecord& move,
                         const rebalance::Action& action) {
  switch (action.kind) {
    case rebalance::ActionKind::kWait:
      return Wait(task, move);
    case rebalance::ActionKind::kCreateTarget:
      return CreateTarget(task, move);
    case rebalance::ActionKind::kMark:
      return Mark(task, move);
    case rebalance::ActionKind::kDestroyTarget:
      return Destroy(task, move, move.target);
    case rebalance::ActionKind::kDestroySource:
      return Destroy(task, move, move.source);
    case rebalance::ActionKind::kCancel:
      port_->Log(LogLevel::kWarn, "move " + ToString(move.id) + " is rolled back: " + action.why);
      return Propose(task, rebalance::CancelMove{move.id, action.why});
    case rebalance::ActionKind::kAdvance:
      return Advance(task, action.advance);
    default:
      return Change(task, move, action);
  }
}

void MoveDriver::Wait(const TaskPtr& task, const rebalance::MoveRecord& move) {
  const Instant now = port_->executor().Now();
  const bool verifying = move.stage == rebalance::Stage::kVerify && task->view.mark;
  if (verifying && now - task->marked_at > kMarkPatience + DigestTime(task)) {
    SOMETIMES(move_marked_again);
    task->view.mark = {};
  }
  PollSoon(task, false);
}

void MoveDriver::OnDone(const TaskPtr& task, const RpcResponse& response) {
  const bool ok = response.code == Errc::kOk;
  if (!ok) SOMETIMES(move_action_refused);
  task->refusal = ok ? "" : Error(response.code, response.detail).ToString();
  if (!ok) {
    port_->Log(LogLevel::kDebug, "move " + ToString(task->id) + " was answered " + task->refusal);
  }
  PollSoon(task, ok);
}

// Asks again at once after the first success of an action; what succeeds again and again and
// changes nothing must not become a loop without a pause. A pause is a part of what the stage has
// taken so far: a stage is not prolonged by much more than that, and a long one is not asked about
// all the time.
void MoveDriver::PollSoon(const TaskPtr& task, bool succeeded) {
  if (succeeded && !task->repeats) return Poll(task);
  Executor& executor = port_->executor();
  const Instant now = executor.Now();
  const Duration pause =
      std::clamp<Duration>((now - task->stage_began) / kPausePart, kShortestPause, kLongestPause);
  executor.RunAt(now + pause, [this, task] { Poll(task); });
}

void MoveDriver::CreateTarget(const TaskPtr& task, const rebalance::MoveRecord& move) {
  const CreateReplica create{
      {move.shard, move.target.replica}, move.target.disk, move.id, LargestReplica(task)};
  RpcRequest request{Method::kCreateReplica, move.shard, kActionTimeoutMs, Encode(create)};
  port_->CallNode(move.target.node, std::move(request), [this, task](RpcResponse response) {
    const rebalance::MoveRecord* move = Record(task);
    if (!move) return;
    if (response.code != Errc::kImpossible) return OnDone(task, response);
    SOMETIMES(move_target_cannot_be);
    Propose(task, rebalance::CancelMove{move->id, response.detail});
  });
}

void MoveDriver::Destroy(const TaskPtr& task, const rebalance::MoveRecord& move,
                         const ReplicaPlace& place) {
  const DestroyReplica destroy{{move.shard, place.replica}, move.id};
  RpcRequest request{Method::kDestroyReplica, move.shard, kActionTimeoutMs, Encode(destroy)};
  port_->CallNode(place.node, std::move(request),
                  [this, task](RpcResponse response) { OnDone(task, response); });
}

void MoveDriver::Mark(const TaskPtr& task, const rebalance::MoveRecord& move) {
  if (!task->view.leader_member) return PollSoon(task, false);
  Command command;
  command.kind = CommandKind::kMark;
  RpcRequest request{Method::kWrite, move.shard, kActionTimeoutMs, Encode(command)};
  port_->CallNode(
      task->view.leader_member->node, std::move(request), [this, task](RpcResponse response) {
        const auto result = Decode<CommandResult>(response.body);
        const bool marked = response.code == Errc::kOk && result && result->code == Errc::kOk;
        if (marked) {
          task->view.mark = Slot{result->version};
          task->marked_at = port_->executor().Now();
        }
        PollSoon(task, marked);
      });
}

// AddLearner, RemoveLearner, Seal and leader transfer, all at the shard's leader.
void MoveDriver::Change(const TaskPtr& task, const rebalance::MoveRecord& move,
                        const rebalance::Action& action) {
  if (!task->view.leader_member) return PollSoon(task, false);
  ChangeMembers change;
  change.move = move.id;
  change.epoch = task->view.leader->config.epoch;
  change.member = action.to;
  change.wait_ms = port_->state()->settings().switch_wait_ms;
  switch (action.kind) {
    case rebalance::ActionKind::kAddLearner:
      change.kind = ChangeKind::kAddLearner;
      break;
    case rebalance::ActionKind::kRemoveLearner:
      change.kind = ChangeKind::kRemoveLearner;
      break;
    case rebalance::ActionKind::kTransfer:
      change.kind = ChangeKind::kTransferLeader;
      break;
    default:
      change.kind = ChangeKind::kSeal;
      change.next_voters = action.next_voters;
      change.next_learners = action.next_learners;
  }
  RpcRequest request{Method::kChangeMembers, move.shard, kActionTimeoutMs, Encode(change)};
  port_->CallNode(task->view.leader_member->node, std::move(request),
                  [this, task](RpcResponse response) { OnDone(task, response); });
}

// The answers at hand are as good for the next stage: no need to ask again before deciding.
void MoveDriver::Advance(const TaskPtr& task, rebalance::AdvanceMove advance) {
  port_->Propose(std::move(advance), [this, task](CommandResult result) {
    if (result.code != Errc::kOk) return PollSoon(task, false);
    Decide(task);
  });
}

void MoveDriver::Propose(const TaskPtr& task, rebalance::PlacementChange change) {
  port_->Propose(std::move(change),
                 [this, task](CommandResult result) { PollSoon(task, result.code == Errc::kOk); });
}

}  // namespace decree::node
