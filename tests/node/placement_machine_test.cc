#include "server/node/placement_machine.h"

#include <gtest/gtest.h>

#include "kv/store/mem_disk.h"
#include "kv/store/row_digest.h"

namespace decree::node {
namespace {

constexpr ReplicaKey kKey{kPlacementShard, ReplicaId{1}};

consensus::Config Genesis() {
  consensus::Config config;
  config.epoch = Epoch{1};
  config.start = Slot{1};
  config.voters = {{ReplicaId{1}, NodeId{1}}};
  return config;
}

Command Placement(rebalance::PlacementChange change) {
  Command command;
  command.kind = CommandKind::kPlacement;
  command.value = Encode(rebalance::PlacementCommand{NodeId{1}, std::move(change)});
  return command;
}

rebalance::Bootstrap Bootstrap() {
  rebalance::Bootstrap bootstrap;
  bootstrap.cluster = ClusterId{3};
  bootstrap.shards = 2;
  bootstrap.first.disks = {{Incarnation{8}, "/d", 100, rebalance::DiskState::kOk}};
  return bootstrap;
}

class PlacementMachineTest : public ::testing::Test {
 protected:
  PlacementMachineTest() { Reopen(); }
  void Reopen() {
    machine_.reset();
    if (!engine_) engine_ = *disk_.OpenRows(kKey);
    auto opened = PlacementMachine::Open(*engine_, Genesis());
    ASSERT_TRUE(opened) << opened.error().ToString();
    machine_ = std::move(*opened);
  }
  const rebalance::PlacementState& State() {
    return static_cast<PlacementMachine&>(*machine_).state();
  }
  std::vector<store::AppliedSlot> Apply(std::vector<Command> commands) {
    consensus::ChosenDecree chosen;
    chosen.slot = machine_->facts().applied.Next();
    chosen.decree.kind = consensus::DecreeKind::kCommandBatch;
    chosen.decree.payload =
        std::make_shared<const std::string>(Encode(CommandBatch{50, std::move(commands)}));
    auto applied = machine_->Apply({chosen});
    EXPECT_TRUE(applied);
    return std::move(*applied);
  }

  store::MemDisk disk_{store::MemDiskOptions{}};
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::StateMachine> machine_;
};

TEST_F(PlacementMachineTest, StateAndFactsSurviveReopening) {
  EXPECT_EQ(Apply({Placement(Bootstrap())})[0].results[0].code, Errc::kOk);
  const std::string digest = *store::DigestRows(*engine_->View());
  Reopen();
  EXPECT_EQ(machine_->facts().applied, Slot{1});
  EXPECT_EQ(machine_->facts().config, Genesis());
  EXPECT_EQ(State().cluster(), ClusterId{3});
  EXPECT_EQ(State().shards().size(), 2u);
  EXPECT_EQ(State().decrees().begin()->second.time_ms, 50u);
  EXPECT_EQ(*store::DigestRows(*engine_->View()), digest);
}

TEST_F(PlacementMachineTest, CommandsOfABatchAreAnsweredInOrder) {
  const auto applied =
      Apply({Placement(Bootstrap()), Placement(rebalance::CancelMove{MoveId{4}, ""})});
  ASSERT_EQ(applied[0].results.size(), 2u);
  EXPECT_EQ(applied[0].results[0].code, Errc::kOk);
  EXPECT_EQ(applied[0].results[1].code, Errc::kNotFound);
}

TEST_F(PlacementMachineTest, AMarkAnswersItsSlotAndAsksForADigest) {
  Command mark;
  mark.kind = CommandKind::kMark;
  const auto applied = Apply({mark});
  EXPECT_TRUE(applied[0].has_mark);
  EXPECT_EQ(applied[0].results[0].version, applied[0].slot.value);
}

TEST_F(PlacementMachineTest, OtherCommandsAndGarbageAreRefused) {
  Command garbage = Placement(Bootstrap());
  garbage.value.pop_back();
  const auto applied = Apply({Command{}, garbage});
  EXPECT_EQ(applied[0].results[0].code, Errc::kInvalidArgument);
  EXPECT_EQ(applied[0].results[1].code, Errc::kInvalidArgument);
  EXPECT_FALSE(State().bootstrapped());
}

TEST_F(PlacementMachineTest, MembershipDecreesChangeTheConfiguration) {
  consensus::ChosenDecree add;
  add.slot = Slot{1};
  add.decree.kind = consensus::DecreeKind::kAddLearner;
  add.decree.move = MoveId{1};
  add.decree.member = {ReplicaId{2}, NodeId{2}};
  ASSERT_TRUE(machine_->Apply({add}));
  Reopen();
  EXPECT_TRUE(machine_->facts().config.IsLearner(ReplicaId{2}));
}

TEST_F(PlacementMachineTest, ADamagedRowIsCorruption) {
  Apply({Placement(Bootstrap())});
  ASSERT_TRUE(engine_->Write({{"pc", std::string("damaged")}}));
  const auto opened = PlacementMachine::Open(*engine_, Genesis());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Errc::kCorruption);
}

}  // namespace
}  // namespace decree::node
