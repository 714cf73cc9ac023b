#include "tests/sim/applied_checker.h"

#include <gtest/gtest.h>

#include "kv/store/mem_disk.h"

namespace decree::sim {
namespace {

using consensus::ChosenDecree;

constexpr ShardId kShard{1};

// One replica with rows of its own; what it does can be spoiled before the checker sees it.
struct Copy {
  explicit Copy(std::uint64_t id) : key{kShard, ReplicaId{id}} {
    engine = *disk.OpenRows(key);
    machine = *store::KvMachine::Open(*engine, {});
  }
  ReplicaKey key;
  store::MemDisk disk{store::MemDiskOptions{}};
  std::unique_ptr<store::Engine> engine;
  std::unique_ptr<store::KvMachine> machine;
};

class AppliedCheckerTest : public testing::Test {
 protected:
  using Results = std::vector<store::AppliedSlot>;

  static Command Put(const std::string& key, const std::string& value) {
    Command put;
    put.key = key;
    put.value = value;
    return put;
  }
  static Command InSession(Command command, std::uint64_t sequence, std::uint64_t opened) {
    command.session = {7, sequence, 0, opened};
    return command;
  }
  static ChosenDecree At(std::uint64_t slot, std::vector<Command> commands) {
    ChosenDecree chosen;
    chosen.slot = Slot{slot};
    chosen.decree.kind = consensus::DecreeKind::kCommandBatch;
    chosen.decree.payload =
        std::make_shared<const std::string>(Encode(CommandBatch{1'000, std::move(commands)}));
    return chosen;
  }
  Results Apply(Copy& copy, const ChosenDecree& decree) {
    const std::vector<ChosenDecree> run{decree};
    Results results = *copy.machine->Apply(run);
    checker_.Applied(copy.key, {run, results, *copy.machine, *copy.engine});
    return results;
  }
  bool Broken(const std::string& why) const {
    for (const std::string& failure : world_.failures()) {
      if (failure.find(why) != std::string::npos) return true;
    }
    return false;
  }
  static OperationResult Ok(std::uint64_t version) {
    OperationResult result;
    result.shard = kShard;
    result.command.version = version;
    return result;
  }
  static Operation PutOf(const std::string& key, const std::string& value) {
    Operation put;
    put.kind = OperationKind::kPut;
    put.key = key;
    put.value = value;
    return put;
  }

  World world_{1};
  AppliedChecker checker_{world_};
  Copy one_{1};
  Copy two_{2};
};

TEST_F(AppliedCheckerTest, EqualLogsPass) {
  for (std::uint64_t slot = 1; slot <= 2 * AppliedChecker::kRowsEvery; ++slot) {
    const ChosenDecree decree = At(slot, {Put("k" + std::to_string(slot % 3), "v")});
    Apply(one_, decree);
    Apply(two_, decree);
  }
  EXPECT_TRUE(world_.failures().empty());
  EXPECT_EQ(checker_.slots_compared(), 2 * AppliedChecker::kRowsEvery);
  EXPECT_EQ(checker_.rows_compared(), 2u);
}

TEST_F(AppliedCheckerTest, RejectsAnotherDecreeAtASlot) {
  Apply(one_, At(1, {Put("k", "a")}));
  Apply(two_, At(1, {Put("k", "b")}));
  EXPECT_TRUE(Broken("another decree"));
}

TEST_F(AppliedCheckerTest, RejectsOtherResultsAndFacts) {
  ASSERT_TRUE(two_.engine->Write({store::FactsRow({.last_version = 5})}));
  two_.machine = *store::KvMachine::Open(*two_.engine, {});
  Apply(one_, At(1, {Put("k", "a")}));
  Apply(two_, At(1, {Put("k", "a")}));
  EXPECT_TRUE(Broken("other results"));
  EXPECT_TRUE(Broken("facts"));
}

TEST_F(AppliedCheckerTest, RejectsRowsThatDifferUnseen) {
  ASSERT_TRUE(two_.engine->Write({{"dghost", std::string("\1x")}}));
  for (std::uint64_t slot = 1; slot <= AppliedChecker::kRowsEvery; ++slot) {
    Apply(one_, At(slot, {Put("k", "v")}));
    Apply(two_, At(slot, {Put("k", "v")}));
  }
  EXPECT_TRUE(Broken("rows"));
  EXPECT_FALSE(Broken("results"));
}

TEST_F(AppliedCheckerTest, ARepeatedSessionCommandHasItsFirstResult) {
  Command open;
  open.kind = CommandKind::kOpenSession;
  open.session.client = 7;
  const std::uint64_t opened = Apply(one_, At(1, {open})).back().results.back().version;
  const Command put = InSession(Put("k", "a"), 1, opened);
  Apply(one_, At(2, {put}));
  Apply(one_, At(3, {put}));
  EXPECT_TRUE(world_.failures().empty());
}

TEST_F(AppliedCheckerTest, RejectsASessionCommandThatRanTwice) {
  const Command put = InSession(Put("k", "a"), 1, 1);
  for (const std::uint64_t slot : {1, 2}) {
    const std::vector<ChosenDecree> run{At(slot, {put})};
    CommandResult ran;
    ran.version = slot;
    const Results results{{Slot{slot}, {ran}}};
    checker_.Applied(one_.key, {run, results, *one_.machine, *one_.engine});
  }
  EXPECT_TRUE(Broken("a second result"));
}

TEST_F(AppliedCheckerTest, RejectsAVersionGivenOutTwice) {
  for (const std::uint64_t slot : {1, 2}) {
    const std::vector<ChosenDecree> run{At(slot, {Put("k", std::to_string(slot))})};
    CommandResult ran;
    ran.version = 1;
    const Results results{{Slot{slot}, {ran}}};
    checker_.Applied(one_.key, {run, results, *one_.machine, *one_.engine});
  }
  EXPECT_TRUE(Broken("was given out"));
}

TEST_F(AppliedCheckerTest, RejectsAPutThatIsExecutedTwiceInTwoSessions) {
  const auto put_in = [&](std::uint64_t client, std::uint64_t slot, const std::string& value) {
    Command open;
    open.kind = CommandKind::kOpenSession;
    open.session.client = client;
    Command put = Put("k", value);
    const std::uint64_t opened = Apply(one_, At(slot, {open})).back().results.back().version;
    put.session = {client, 1, 0, opened};
    Apply(one_, At(slot + 1, {put}));
  };
  checker_.Called(PutOf("k", "a"));
  checker_.Called(PutOf("k", "b"));
  checker_.Called(PutOf("k", "b"));
  put_in(7, 1, "a");
  put_in(8, 3, "b");
  put_in(9, 5, "b");
  put_in(10, 7, "nobody said how often");
  put_in(11, 9, "nobody said how often");
  EXPECT_TRUE(world_.failures().empty());
  put_in(12, 11, "a");
  EXPECT_TRUE(Broken("executed more often than it was called"));
}

TEST_F(AppliedCheckerTest, AnAcknowledgedWriteWasAppliedAtAChosenSlot) {
  const auto chosen = [](Slot slot) { return slot == Slot{1}; };
  Apply(one_, At(1, {Put("k", "a")}));
  Apply(one_, At(2, {Put("k", "b")}));
  checker_.Answered(PutOf("k", "a"), Ok(1), chosen);
  EXPECT_TRUE(world_.failures().empty());
  checker_.Answered(PutOf("k", "b"), Ok(2), chosen);
  EXPECT_TRUE(Broken("is not chosen"));
  checker_.Answered(PutOf("k", "c"), Ok(3), chosen);
  EXPECT_TRUE(Broken("was applied nowhere"));
  checker_.Answered(PutOf("k", "c"), Ok(1), chosen);
  EXPECT_TRUE(Broken("is another one in the log"));
}

}  // namespace
}  // namespace decree::sim
