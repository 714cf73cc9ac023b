// One move and what its replicas answer, for tests of NextAction.
#pragma once

#include <gmock/gmock.h>

#include "rebalance/move.h"
#include "rebalance/move_members.h"

namespace decree::rebalance {

using consensus::Config;
using consensus::Member;

inline constexpr Member kSource{ReplicaId{1}, NodeId{1}};
inline constexpr Member kSecond{ReplicaId{2}, NodeId{2}};
inline constexpr Member kThird{ReplicaId{3}, NodeId{3}};
inline constexpr Member kTarget{ReplicaId{4}, NodeId{4}};
inline constexpr Member kFifth{ReplicaId{5}, NodeId{5}};
inline constexpr MoveId kMove{9};

// A shard of three voters on nodes 1 to 3 in epoch 1; the move replaces replica 1 by replica 4.
class MoveStagesTest : public ::testing::Test {
 protected:
  MoveStagesTest() {
    move_.id = kMove;
    move_.shard = ShardId{7};
    move_.epoch = Epoch{1};
    move_.source = {kSource.id, kSource.node, Incarnation{10}, true};
    move_.target = {kTarget.id, kTarget.node, Incarnation{40}, true};
    config_.epoch = Epoch{1};
    config_.voters = {kSource, kSecond, kThird};
    Refresh();
    view_.target = ReplicaStatus{};
  }
  ReplicaStatus Member(std::uint64_t chosen = 1000) const {
    ReplicaStatus status;
    status.exists = true;
    status.config = config_;
    status.chosen = status.durable_chosen = status.applied = Slot{chosen};
    status.epoch_started = true;
    status.has_snapshot = true;
    return status;
  }
  // Source, leader (replica 2) and the third voter answer with the present configuration.
  void Refresh() {
    view_.source = Member();
    view_.leader = Member();
    view_.leader->leader = true;
    view_.leader_member = kSecond;
    view_.others = {{kSecond.id, *view_.leader}, {kThird.id, Member()}};
  }
  void AddLearner() {
    config_.learners = {kTarget};
    config_.open_move = kMove;
    Refresh();
    view_.target = Member();
  }
  void RemoveLearner() {
    config_.learners.clear();
    config_.ended_move = kMove;
    config_.open_move = {};
    Refresh();
  }
  void Seal() {
    config_.epoch = Epoch{2};
    config_.learners.clear();
    config_.voters = {kSecond, kThird, kTarget};
    config_.ended_move = kMove;
    config_.open_move = {};
    Refresh();
    view_.target = Member();
  }
  void Digest(std::optional<ReplicaStatus>& status, std::string digest) {
    status->digests = {{view_.mark, std::move(digest)}};
  }
  void MakeFillUp() { move_.source = {}; }
  Action At(Stage stage) {
    move_.stage = stage;
    Action first = NextAction(move_, view_);
    const Action again = NextAction(move_, view_);
    EXPECT_EQ(first.kind, again.kind) << "the same situation, the same answer";
    return first;
  }
  void ExpectAdvance(Stage from, Stage to) {
    const Action action = At(from);
    EXPECT_EQ(action.kind, ActionKind::kAdvance) << action.why;
    EXPECT_EQ(action.advance.stage, to);
    EXPECT_EQ(action.advance.move, kMove);
    MoveRecord before = move_;
    before.stage = from;
    EXPECT_TRUE(IsLegalSuccessor(before, action.advance.stage));
  }

  MoveRecord move_;
  Config config_;
  MoveView view_;
};

}  // namespace decree::rebalance
